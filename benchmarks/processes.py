"""The processes of an installation as the kernel counts them: who they are, and how busy."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

PROC = Path("/proc")


@dataclass(frozen=True)
class Processes:
    """The descendants of one process."""

    root: int

    def below(self, command: str) -> list[int]:
        """Return the processes started with this word of the command line, and all that they started."""
        parents = _parents()
        ours = [pid for pid, parent in parents.items() if parent == self.root and command in _words(pid)]
        for pid in ours:  # grows while it is walked
            ours.extend(child for child, parent in parents.items() if parent == pid)
        return ours

    def busy(self, commands: Sequence[str], seconds: float) -> float:
        """Return how much of a core these processes use together, watched for so long."""
        before, started = self._spent(commands), time.monotonic()
        time.sleep(seconds)
        return (self._spent(commands) - before) / 1e9 / (time.monotonic() - started)

    @contextmanager
    def paused(self, command: str) -> Iterator[None]:
        """Stop these processes, and let them go on at the end; LookupError if there are none."""
        stopped = self.below(command)
        if not stopped:
            raise LookupError(command)
        for pid in stopped:
            os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            for pid in stopped:
                os.kill(pid, signal.SIGCONT)

    def _spent(self, commands: Sequence[str]) -> int:
        """Return the nanoseconds that all threads of these processes have run."""
        return sum(_ran(pid) for command in commands for pid in self.below(command))


def _ran(pid: int) -> int:
    spent = 0
    try:
        for thread in (PROC / str(pid) / "task").iterdir():
            spent += int((thread / "schedstat").read_text().split()[0])
    except OSError:  # it has ended meanwhile
        pass
    return spent


def _parents() -> dict[int, int]:
    found = {}
    for entry in PROC.iterdir():
        if entry.name.isdigit():
            try:
                found[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except (OSError, IndexError):
                continue
    return found


def _words(pid: int) -> list[str]:
    try:
        return (PROC / str(pid) / "cmdline").read_text(encoding="utf-8", errors="replace").split("\0")
    except OSError:
        return []
