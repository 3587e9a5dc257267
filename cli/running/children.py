"""Children that are started again when they die, more slowly each time."""

from __future__ import annotations

import signal
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from runtime.embedded.process import ChildProcess, Launch

_FIRST_BACKOFF_SECONDS = 0.5
_LONGEST_BACKOFF_SECONDS = 30.0
_STEADY_SECONDS = 60.0
HALTED = 3  # an integrator that found the log contradicting itself; starting it again would only hide that


class Child:
    """One of our own processes: `ofrecord serve`, `work`, `integrate` and the others."""

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        environment: Mapping[str, str],
        log: Path,
        *,
        descriptors: tuple[int, ...] = (),
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Say what to run; nothing is started yet."""
        self.name = name
        self.process = ChildProcess(name, log)
        self.failures = 0
        self.halted = False
        # Killed outright when the supervisor is: nothing may outlive it, and what was committed is committed.
        self._launch = Launch(
            command=tuple(command),
            on_parent_death=signal.SIGKILL,
            environment=environment,
            descriptors=descriptors,
        )
        self._monotonic = monotonic
        self._started_at = 0.0
        self._due_at: float | None = None

    def start(self) -> None:
        """Start it now."""
        self.process.spawn(self._launch)
        self._started_at = self._monotonic()
        self._due_at = None

    def watch(self) -> str | None:
        """Start it again when it has died and its pause is over; return what there is to tell."""
        if self.process.running:
            return None
        if self.process.exit_code == HALTED:
            return self._halt()
        now = self._monotonic()
        if self._due_at is None:
            if now - self._started_at > _STEADY_SECONDS:
                self.failures = 0
            pause = min(_FIRST_BACKOFF_SECONDS * 2**self.failures, _LONGEST_BACKOFF_SECONDS)
            self.failures += 1
            self._due_at = now + pause
            return f"{self.name} ended ({ending(self.process.exit_code)}); starting it again in {pause:g} s"
        if now < self._due_at:
            return None
        self.start()
        return f"{self.name} started again (process {self.process.process_id})"

    def _halt(self) -> str | None:
        """Say once that it stays down."""
        if self.halted:
            return None
        self.halted = True
        return f"{self.name} HALTED and is not started again; its log says why: {self.process.log}"

    def stop(self, seconds: float) -> None:
        """Ask it to finish what it is doing, and insist after a while."""
        self.process.stop(signal.SIGTERM, seconds, then=signal.SIGKILL)


def stop_together(children: Sequence[Child], seconds: float) -> None:
    """Ask all at once, then wait for each."""
    for child in children:
        child.process.ask(signal.SIGTERM)
    deadline = time.monotonic() + seconds
    for child in children:
        child.stop(max(0.1, deadline - time.monotonic()))


def ending(exit_code: int | None) -> str:
    """Say how a process ended."""
    if exit_code is None or exit_code >= 0:
        return f"exit code {exit_code}"
    try:
        return signal.Signals(-exit_code).name
    except ValueError:
        return f"signal {-exit_code}"
