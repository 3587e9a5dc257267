"""One Valkey of our own: the queue's memory, on a Unix socket with a password."""

from __future__ import annotations

import signal
import socket
from pathlib import Path
from urllib.parse import quote

from runtime.embedded.binaries import valkey_program
from runtime.embedded.process import ChildProcess, Launch
from runtime.embedded.state import Place

# Nothing is kept on disk: what the queue forgets, the scheduler sends again.
_CONFIGURATION = """\
port 0
unixsocket {socket}
unixsocketperm 700
requirepass {password}
dir {folder}
save ""
appendonly no
daemonize no
maxmemory 256mb
maxmemory-policy noeviction
"""
_START_SECONDS = 20.0


class ValkeyServer:
    """An embedded Valkey: `start`, `stop`, and the address in between."""

    def __init__(self, place: Place, *, password: str, log: Path) -> None:
        """Say where it lives; nothing is started yet."""
        self._place = place
        self._password = password
        self._socket = place.socket_folder() / "valkey.sock"
        self.process = ChildProcess("Valkey", log)

    @property
    def url(self) -> str:
        """The address as Celery wants it."""
        return f"redis+socket://:{quote(self._password, safe='')}@{quote(str(self._socket))}?virtual_host=0"

    def start(self) -> None:
        """Start it and return when it answers."""
        program = valkey_program(self._place)
        self._socket.unlink(missing_ok=True)
        configuration = _CONFIGURATION.format(
            socket=_quoted(self._socket),
            password=_quoted(self._password),
            folder=_quoted(self._place.folder("valkey")),
        )
        # Read from standard input ("-"), so that the password is neither in a file nor in the process list.
        command = (str(program), "-")
        self.process.spawn(Launch(command, signal.SIGTERM, self._place.account, configuration.encode()))
        self.process.wait_until(self._answers, _START_SECONDS)

    def stop(self) -> None:
        """Stop it."""
        self.process.stop(signal.SIGTERM, 5.0, then=signal.SIGKILL)

    def _answers(self) -> bool:
        """Ask for a sign of life; any reply will do, also that a password is wanted."""
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(1.0)
            try:
                connection.connect(str(self._socket))
                connection.sendall(b"PING\r\n")
                return connection.recv(1) in (b"+", b"-")
            except OSError:
                return False


def _quoted(value: object) -> str:
    """Write a value so that Valkey's configuration reader takes it whole."""
    return '"' + str(value).replace("\\", "\\\\").replace('"', '\\"') + '"'
