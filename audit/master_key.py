"""Where the master key comes from: given outright, or by whatever keeps it.

A key-management service has a command line, and so have a vault and a hardware module. What stands between
them and this process is a command that writes the key; what that needs to do so is its own affair.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Sequence
from typing import Protocol

from audit.sealing import KEY_SIZE

PATIENCE_SECONDS = 30.0
_HEX_KEY = re.compile(rb"\s*([0-9a-fA-F]{%d})\s*" % (2 * KEY_SIZE))


class MasterKeyUnavailable(Exception):
    """The master key could not be had; the message never holds what was written in its place."""


class MasterKeySource(Protocol):
    """Whatever knows the master key: a file, the environment, a key-management service."""

    def master_key(self) -> bytes:
        """Return the 32 bytes; raise `MasterKeyUnavailable`."""
        ...


class CommandSource:
    """A command whose standard output is the key as 64 hexadecimal digits.

    It is run once, without a shell and with no input. Neither what it writes nor its arguments, which may
    hold a secret of their own, are repeated anywhere.
    """

    def __init__(self, command: Sequence[str], patience_seconds: float = PATIENCE_SECONDS) -> None:
        """Take the program and its arguments, and how long it may take."""
        self._command = tuple(command)
        self._patience_seconds = patience_seconds

    def master_key(self) -> bytes:
        """Run the command and read the key; raise `MasterKeyUnavailable`."""
        try:
            ran = subprocess.run(  # noqa: S603 - the operator's own command, not through a shell
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                timeout=self._patience_seconds,
                check=False,
            )
        except OSError as error:
            raise MasterKeyUnavailable(f"the command cannot be run ({error.strerror})") from None
        except subprocess.TimeoutExpired:
            raise MasterKeyUnavailable(f"the command took over {self._patience_seconds:g} seconds") from None
        if ran.returncode != 0:
            raise MasterKeyUnavailable(f"the command ended with {ran.returncode}")
        found = _HEX_KEY.fullmatch(ran.stdout)
        if found is None:
            raise MasterKeyUnavailable("the command did not write 64 hexadecimal digits")
        return bytes.fromhex(found[1].decode())
