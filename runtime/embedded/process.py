"""Start, watch and stop one child process."""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from runtime.embedded.leash import die_with_parent
from runtime.embedded.state import Account
from runtime.errors import EmbeddedServerError

_TAIL_BYTES = 2000


@dataclass(frozen=True, slots=True)
class Launch:
    """What is started, as whom, and with what in its hands."""

    command: tuple[str, ...]
    on_parent_death: signal.Signals
    account: Account | None = None
    given: bytes = b""  # on standard input
    environment: Mapping[str, str] = field(default_factory=lambda: {"LC_ALL": "C", "TZ": "UTC"})
    folder: Path = Path("/")
    descriptors: tuple[int, ...] = ()


class ChildProcess:
    """One child that writes to a log file and dies with us."""

    def __init__(self, name: str, log: Path) -> None:
        """Name it for messages."""
        self.name = name
        self.log = log
        self._child: subprocess.Popen[bytes] | None = None

    @property
    def process_id(self) -> int | None:
        """The number of the process, while there is one."""
        return self._child.pid if self._child else None

    @property
    def running(self) -> bool:
        """Whether it is alive."""
        return self._child is not None and self._child.poll() is None

    @property
    def exit_code(self) -> int | None:
        """How it ended, if it did."""
        return self._child.poll() if self._child else None

    def spawn(self, launch: Launch) -> None:
        """Start it; its own session keeps Ctrl-C for the supervisor, which stops things in order."""
        account = launch.account
        user, group = (account.uid, account.gid) if account else (None, None)
        self.log.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        try:
            with self.log.open("ab") as log:
                self._child = subprocess.Popen(  # noqa: S603 - our own program and arguments
                    launch.command,
                    stdin=subprocess.PIPE,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    env=launch.environment,
                    cwd=launch.folder,
                    start_new_session=True,
                    pass_fds=launch.descriptors,
                    user=user,
                    group=group,
                    extra_groups=[] if account else None,
                    preexec_fn=die_with_parent(launch.on_parent_death),  # noqa: PLW1509 - a single system call
                )
        except OSError as error:
            raise EmbeddedServerError(f"{self.name} cannot be started ({error})") from error
        if self._child.stdin:
            self._child.stdin.write(launch.given)
            self._child.stdin.close()

    def wait_until(self, ready: Callable[[], bool], seconds: float) -> None:
        """Wait for readiness; a process that exits or takes too long is an error with the end of its log."""
        deadline = time.monotonic() + seconds
        while not ready():
            if not self.running:
                raise EmbeddedServerError(f"{self.name} stopped while starting:\n{self.log_tail()}")
            if time.monotonic() > deadline:
                self.stop(signal.SIGTERM, 5.0, then=signal.SIGKILL)
                raise EmbeddedServerError(
                    f"{self.name} was not ready after {seconds:.0f} s:\n{self.log_tail()}"
                )
            time.sleep(0.01)

    def ask(self, sig: signal.Signals) -> None:
        """Send a signal, if it is alive."""
        if self._child and self._child.poll() is None:
            self._child.send_signal(sig)

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
        if child.poll() is None:
            raise EmbeddedServerError(f"{self.name} (process {child.pid}) does not stop")

    def log_tail(self) -> str:
        """Return the last lines it wrote."""
        data = self.log.read_bytes() if self.log.is_file() else b""
        return data[-_TAIL_BYTES:].decode("utf-8", "replace").strip()
