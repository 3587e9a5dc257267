"""A server of forked jobs with jobs that misbehave on demand, as a process of its own.

`python -m tests.oracles.forked_server PATH CHILDREN` serves until it is killed. The key says how loading
goes, the body what the job does.
"""

from __future__ import annotations

import contextlib
import json
import os
import resource
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from runtime.forking.nursery import DoJob, Progress
from runtime.forking.server import serve

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_SECONDS = 20.0


def load(key: bytes) -> DoJob:
    """Load slowly, not at all, leaving a thread behind, or at once."""
    if key == b"slow":
        time.sleep(0.6)
    if key == b"broken":
        raise ValueError(key)
    if key == b"crashing":
        os.abort()
    if key == b"threads":
        threading.Thread(target=time.sleep, args=(60.0,), daemon=True).start()
    return do


def do(body: bytes, progress: Progress) -> bytes:
    """Do what the body says."""
    what, _, rest = body.partition(b":")
    if what == b"spin":
        for number in range(1 << 62):
            progress(number)
    if what == b"die":
        os.kill(os.getpid(), signal.SIGKILL)
    if what == b"raise":
        raise RuntimeError
    if what == b"print":
        os.write(1, b"loud")
        print("loud", file=sys.stderr)  # noqa: T201
    if what == b"bytes":
        return bytes(int(rest))
    if what == b"eat":
        return bytes(bytearray(4 << 30)[:1])
    if what == b"about":
        return json.dumps(_about()).encode()
    progress(len(rest))
    return rest


def _about() -> dict[str, object]:
    return {
        "process": os.getpid(),
        "parent": os.getppid(),
        "rank": os.nice(0),
        "cores": resource.getrlimit(resource.RLIMIT_CORE)[0],
        "memory": resource.getrlimit(resource.RLIMIT_AS)[0],
        "files": len(list(Path("/proc/self/fd").iterdir())) - 1,
    }


@dataclass(frozen=True)
class Served:
    """A running server."""

    path: Path
    process: subprocess.Popen[bytes]
    log: Path


@contextlib.contextmanager
def serving(folder: Path, children: int = 2) -> Iterator[Served]:
    """Start one below this folder, and kill it in the end if it still lives."""
    path, log = folder / "jobs.sock", folder / "jobs.log"
    with log.open("ab") as stream:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.oracles.forked_server", str(path), str(children)],
            cwd=ROOT, stdout=stream, stderr=stream,
        )  # fmt: skip
    try:
        wait_until(lambda: answers(path) or process.poll() is not None)
        assert process.poll() is None, log.read_text()
        yield Served(path, process, log)
    finally:
        process.kill()
        process.wait()


def answers(path: Path) -> bool:
    """Tell whether somebody accepts connections there."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        return probe.connect_ex(str(path)) == 0


def wait_until(holds: object) -> None:
    """Wait until it holds, or fail."""
    assert callable(holds)
    until = time.monotonic() + PATIENCE_SECONDS
    while not holds():
        assert time.monotonic() < until, "it never came to hold"
        time.sleep(0.005)


def descendants(process: int) -> set[int]:
    """Return the processes below this one that live, zombies left out."""
    parents: dict[int, int] = {}
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            with contextlib.suppress(OSError):
                state, parent = (folder / "stat").read_text().rpartition(")")[2].split()[:2]
                if state not in "ZX":
                    parents[int(folder.name)] = int(parent)
    found, grown = {process}, True
    while grown:
        more = {child for child, parent in parents.items() if parent in found} - found
        found |= more
        grown = bool(more)
    return found - {process}


def cpu_seconds(process: int) -> float:
    """Return what a process and all that live below it, or were waited for, have computed."""
    total = 0.0
    for one in {process, *descendants(process)}:
        with contextlib.suppress(OSError):
            fields = Path(f"/proc/{one}/stat").read_text().rpartition(")")[2].split()
            total += sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")
    return total


if __name__ == "__main__":
    _stop, _wake = socket.socketpair()
    serve(Path(sys.argv[1]), load, children=int(sys.argv[2]), stop=_stop)
