"""Start, watch and stop one server process."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from runtime.embedded.leash import die_with_parent
from runtime.embedded.state import Account
from runtime.errors import EmbeddedServerError

_TAIL_BYTES = 2000


class ServerProcess:
    """One child that writes to a log file and dies with us."""

    def __init__(self, name: str, log: Path) -> None:
        """Name it for messages."""
        self.name = name
        self.log = log
        self._child: subprocess.Popen[bytes] | None = None

    @property
    def process_id(self) -> int | None:
        """The number of the running process."""
        return self._child.pid if self._child else None

    @property
    def running(self) -> bool:
        """Whether it is alive."""
        return self._child is not None and self._child.poll() is None

    def spawn(
        self,
        command: Sequence[str],
        account: Account | None,
        on_parent_death: signal.Signals,
        given: bytes = b"",
    ) -> None:
        """Start the program as an account, with `given` on its standard input and hardly an environment."""
        user, group = (account.uid, account.gid) if account else (None, None)
        self.log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            with self.log.open("ab") as log:
                self._child = subprocess.Popen(  # noqa: S603 - our own program and arguments
                    command,
                    stdin=subprocess.PIPE,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    env={"LC_ALL": "C", "TZ": "UTC"},
                    cwd="/",
                    start_new_session=True,  # Ctrl-C is for the supervisor, which stops things in order
                    user=user,
                    group=group,
                    extra_groups=[] if account else None,
                    preexec_fn=die_with_parent(on_parent_death),  # noqa: PLW1509 - one system call, no locks
                )
        except OSError as error:
            raise EmbeddedServerError(f"{self.name} cannot be started ({error})") from error
        if self._child.stdin:
            self._child.stdin.write(given)
            self._child.stdin.close()

    def wait_until(self, ready: Callable[[], bool], seconds: float) -> None:
        """Wait for readiness; a process that exits or takes too long is an error with the end of its log."""
        deadline = time.monotonic() + seconds
        while not ready():
            if not self.running:
                raise EmbeddedServerError(f"{self.name} stopped while starting:\n{self._log_tail()}")
            if time.monotonic() > deadline:
                self.stop(signal.SIGTERM, 5.0, then=signal.SIGKILL)
                raise EmbeddedServerError(
                    f"{self.name} was not ready after {seconds:.0f} s:\n{self._log_tail()}"
                )
            time.sleep(0.01)

    def stop(self, sig: signal.Signals, seconds: float, *, then: signal.Signals) -> None:
        """Ask it to stop, wait, and insist when it does not."""
        child, self._child = self._child, None
        if child is None:
            return
        for step, patience in ((sig, seconds), (then, 10.0), (signal.SIGKILL, 10.0)):
            if child.poll() is not None:
                return
            child.send_signal(step)
            try:
                child.wait(patience)
            except subprocess.TimeoutExpired:
                continue
        raise EmbeddedServerError(f"{self.name} (process {child.pid}) does not stop")

    def _log_tail(self) -> str:
        """Return the last lines it wrote."""
        data = self.log.read_bytes() if self.log.is_file() else b""
        return data[-_TAIL_BYTES:].decode("utf-8", "replace").strip()
