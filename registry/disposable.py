"""Disposable child processes: bytes in, bytes out, and never longer than they may.

A child stands in a process group of its own, so that it is killed with everything it started: when it takes
too long, says too much, or when its owner stops. What it says is only believed by whoever reads it.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

_CHUNK_BYTES = 1 << 20
_POLL_SECONDS = 0.002


class Stopped(Exception):
    """The owner of the children is stopping."""


@dataclass(frozen=True, slots=True)
class Ended:
    """How a child ended: what it said and its exit status, negative for a signal.

    The status is None if it was killed from here, because it took too long or said too much, and then
    `starved_seconds` is how long it could have run and was not let.
    """

    said: bytes
    status: int | None
    starved_seconds: float = field(default=0.0, compare=False)


class Children:
    """Runs children for the threads that ask, and kills what still runs when it is closed."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._alive: set[int] = set()
        self._closed = False

    def run(
        self,
        command: Sequence[str],
        sent: Sequence[bytes],
        *,
        environment: Mapping[str, str],
        folder: Path,
        seconds: float,
        most_bytes: int,
    ) -> Ended:
        """Start a child in `folder`, send it bytes, return what it answered; raises Stopped or OSError."""
        deadline = time.monotonic() + seconds
        child = self._start(command, environment, folder)
        assert child.stdin is not None and child.stdout is not None  # noqa: S101, PT018  both are pipes
        feeder = threading.Thread(target=_feed, args=(child.stdin, sent), name="feeder", daemon=True)
        feeder.start()
        try:
            said = _answer(child.stdout, deadline, most_bytes)
            finished = said is not None and _exited(child.pid, deadline)
            starved = 0.0 if finished else _starved_seconds(child.pid)
        finally:
            self._end(child)
            feeder.join()
            child.stdout.close()
        if self._closed:
            raise Stopped
        return Ended(said or b"", child.returncode if finished else None, starved)

    def close(self) -> None:
        """Kill every child; whoever waits for one gets Stopped, and so does whoever asks for another."""
        with self._lock:
            self._closed = True
            for pid in self._alive:
                _kill(pid)

    def _start(
        self, command: Sequence[str], environment: Mapping[str, str], folder: Path
    ) -> subprocess.Popen[bytes]:
        with self._lock:
            if self._closed:
                raise Stopped
            child = subprocess.Popen(  # noqa: S603  our own interpreter and module
                list(command),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env=dict(environment),
                cwd=folder,
                bufsize=0,
                process_group=0,  # a session of its own could be scheduled as a group beside this process
            )
            self._alive.add(child.pid)
        return child

    def _end(self, child: subprocess.Popen[bytes]) -> None:
        """Kill what is left of the group, then reap its leader: until then nobody else has its number."""
        with self._lock:
            _kill(child.pid)
            self._alive.discard(child.pid)
        child.wait()


def _kill(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def _feed(pipe: IO[bytes], sent: Sequence[bytes]) -> None:
    """Write everything; a child that has gone needs no more of it."""
    with contextlib.suppress(BrokenPipeError):
        for part in sent:
            left = memoryview(part)
            while left:
                left = left[os.write(pipe.fileno(), left[:_CHUNK_BYTES]) :]
    with contextlib.suppress(BrokenPipeError):
        pipe.close()


def _answer(pipe: IO[bytes], deadline: float, most_bytes: int) -> bytes | None:
    """Read to the end; None if that takes too long or comes to too much."""
    said = bytearray()
    with selectors.DefaultSelector() as selector:
        selector.register(pipe, selectors.EVENT_READ)
        while len(said) <= most_bytes:
            if not selector.select(max(0.0, deadline - time.monotonic())):
                return None
            chunk = os.read(pipe.fileno(), _CHUNK_BYTES)
            if not chunk:
                return bytes(said)
            said += chunk
    return None


def _starved_seconds(pid: int) -> float:
    """How long its first thread stood in the queue for a processor; 0 where the kernel does not count."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        return int(Path(f"/proc/{pid}/schedstat").read_text(encoding="ascii").split()[1]) / 1e9
    return 0.0


def _exited(pid: int, deadline: float) -> bool:
    """Wait for the end without reaping it."""
    while os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL_SECONDS)
    return True
