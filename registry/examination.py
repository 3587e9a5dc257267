"""What a disposable child does with one registration.

`python -m registry.examination PARENT MEMORY_BYTES CPU_SECONDS` reads frames from standard input (a head, the
canonical manifest, the artifact, the uploaded reference, the catalogue's head and body) and writes frames to
standard output: a head, the capability report and the frozen reference, or a head that names the refusal. Its
limits are set before anything of ours or of a native library is imported, and our own structural check of the
artifact comes before all else: a hostile file is refused early and cheaply.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import resource
import signal
import sys
import traceback
from pathlib import Path
from typing import BinaryIO

_DIE_WITH_PARENT = 1  # prctl(2), PR_SET_PDEATHSIG
_FRAMES = 12


def main() -> None:
    """Answer one registration and end at once: a library's own clean-up is nobody's business any more."""
    answer = _keep_answer_apart()
    parent, memory_bytes, cpu_seconds = map(int, sys.argv[1:])
    _die_with(parent)
    _step_back()
    _confine(memory_bytes, cpu_seconds)
    from registry.frames import pack  # noqa: PLC0415  inside the limits

    try:
        frames = _examine(sys.stdin.buffer.read())
    except MemoryError:
        frames = [json.dumps({"memory": True}).encode()]
    for part in pack(frames):
        answer.write(part)
    answer.flush()
    os._exit(0)


def _keep_answer_apart() -> BinaryIO:
    """Keep standard output for the answer alone: native libraries print what they like to number 1."""
    answer = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    return answer


def _die_with(parent: int) -> None:
    """Be killed when the process that waits for the answer ends, however it ends."""
    ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGKILL)
    if os.getppid() != parent:  # it ended before
        os._exit(1)


def _step_back() -> None:
    """Take only the time that nobody else wants: explanations have a deadline, a registration has none."""
    with contextlib.suppress(OSError):
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    with contextlib.suppress(OSError):
        os.nice(19)
    with contextlib.suppress(OSError):  # where memory ends, this process goes first
        Path("/proc/self/oom_score_adj").write_text("1000", encoding="ascii")


def _confine(memory_bytes: int, cpu_seconds: int) -> None:
    """Set limits that hold for native code too; past the first second over its time it is killed outright."""
    for kind, soft, hard in (
        (resource.RLIMIT_AS, memory_bytes, memory_bytes),
        (resource.RLIMIT_CPU, cpu_seconds, cpu_seconds + 1),
        (resource.RLIMIT_CORE, 0, 0),
    ):
        _, allowed = resource.getrlimit(kind)
        if allowed != resource.RLIM_INFINITY:
            soft, hard = min(soft, allowed), min(hard, allowed)  # noqa: PLW2901
        resource.setrlimit(kind, (soft, hard))


def _examine(sent: bytes) -> list[bytes]:
    """Return the answer's frames; what nobody foresaw is described, without the words of the error."""
    from registry.frames import (  # noqa: PLC0415  as above
        TRAVELLING,
        read_catalogue_frames,
        read_head,
        unpack,
        write_error,
    )

    head, manifest, artifact, uploaded, *words = unpack(sent)
    del sent
    asked = read_head(head)
    try:
        from registry.manifests import read_stored_manifest  # noqa: PLC0415  as above
        from registry.preparing import prepare_version  # noqa: PLC0415

        folder = asked["cache_dir"]
        prepared = prepare_version(
            read_stored_manifest(manifest),
            artifact,
            uploaded,
            asked["uploaded_type"],
            cache_dir=None if folder is None else Path(folder),
            table_bytes=asked["table_bytes"],
            catalogue=read_catalogue_frames(*words),
        )
    except TRAVELLING as refusal:
        return [write_error(refusal)]
    except MemoryError:
        raise
    except Exception as error:  # noqa: BLE001  the parent decides what it means
        frames = traceback.extract_tb(error.__traceback__)[-_FRAMES:]
        told = {
            "stumbled": type(error).__name__,
            "ours": isinstance(error, OSError | ImportError),
            "at": " < ".join(f"{frame.filename}:{frame.lineno}" for frame in reversed(frames)),
        }
        return [json.dumps(told).encode()]
    band = prepared.content.reference_band
    passed = {"band": None if band is None else band.hex()}
    return [json.dumps(passed).encode(), prepared.content.capability, prepared.loaded.reference.to_bytes()]


if __name__ == "__main__":
    main()
