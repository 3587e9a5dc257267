"""Examining a registration in a disposable child: nothing of it is parsed or loaded in this process.

What the child answers is checked like anything from outside: its frames, the report, the reference. A child
that crashes, or needs more memory or time than it may, makes the artifact a corrupt one; with this process,
or with what it serves, it does nothing.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import sys
from dataclasses import dataclass
from pathlib import Path

import orjson

from explain.errors import ModelCorrupt
from explain.reference import Reference, ReferenceCorrupt
from registry.catalogues import Catalogue, inline_catalogue
from registry.disposable import Children, Ended, Stopped
from registry.errors import ExaminationFailed, ExaminationStarved, ExaminationStopped
from registry.frames import Garbled, Plain, pack, read_error, read_head, unpack, write_catalogue
from registry.loaded_version import TABLE_BYTES
from registry.manifests import ParsedManifest
from registry.preparing import content_of
from registry.version_row import VersionContent

logger = logging.getLogger(__name__)

ROOT = Path(__file__).resolve().parents[1]
PASSED_ON = (
    "PATH", "HOME", "LANG", "LC_ALL", "LC_CTYPE", "TMPDIR", "LD_LIBRARY_PATH", "PYTHONHOME",
    "PYTHONDONTWRITEBYTECODE", "PYTHONPYCACHEPREFIX", "NUMBA_CACHE_DIR",
)  # fmt: skip
ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
_LARGEST_ANSWER = 1 << 30
_LARGEST_REPORT = 1 << 20
_LONGEST_NAME, _LONGEST_PLACE = 100, 2000


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """What one examination may take; address space, computing time and time on the clock."""

    memory_bytes: int = 4 << 30
    cpu_seconds: int = 300
    seconds: float = 900.0  # it has the lowest priority, so that it may have to wait for its turn


class Examiner:
    """Examines registrations, each in a child of its own."""

    def __init__(
        self, *, cache_dir: Path | None, table_bytes: int = TABLE_BYTES, limits: Limits | None = None
    ) -> None:
        self._cache_dir = cache_dir
        self._table_bytes = table_bytes
        self._limits = limits or Limits()
        self._children = Children()

    def examine(
        self,
        parsed: ParsedManifest,
        artifact: bytes,
        uploaded: bytes,
        uploaded_type: str | None,
        catalogue: Catalogue | None = None,
    ) -> VersionContent:
        """Return what is to be stored about a version. Slow: seconds.

        `catalogue` is the one that the manifest names; None for the texts that it carries itself.
        Raises what `prepare_version` raises, ModelCorrupt also where the child did not survive; and
        ExaminationStopped, ExaminationStarved or ExaminationFailed where it is not the artifact's fault.
        """
        head = {
            "cache_dir": None if self._cache_dir is None else str(self._cache_dir),
            "table_bytes": self._table_bytes,
            "uploaded_type": uploaded_type,
        }
        chosen = catalogue or inline_catalogue(parsed.manifest)
        said = write_catalogue(chosen)
        frames = _answer(self._run([json.dumps(head).encode(), parsed.canonical, artifact, uploaded, *said]))
        try:
            reference, capability = _accepted(frames, parsed)
        except (Garbled, ReferenceCorrupt, ValueError) as fault:
            raise _unreadable(fault) from fault
        return content_of(parsed, artifact, uploaded, reference, capability=capability, catalogue=chosen)

    def close(self) -> None:
        """Kill what runs; every examination under way ends in ExaminationStopped."""
        self._children.close()

    def _run(self, frames: list[bytes]) -> Ended:
        limits = self._limits
        told = [str(number) for number in (os.getpid(), limits.memory_bytes, limits.cpu_seconds)]
        try:
            ended = self._children.run(
                [sys.executable, "-m", "registry.examination", *told],
                pack(frames),
                environment=environment(self._cache_dir),
                folder=ROOT,
                seconds=limits.seconds,
                most_bytes=_LARGEST_ANSWER,
            )
        except Stopped as stopped:
            raise ExaminationStopped from stopped
        except OSError as error:
            raise ExaminationFailed("no process could be started for it") from error
        if ended.status is None and ended.starved_seconds > limits.seconds / 2:
            raise ExaminationStarved
        if ended.status != 0:
            raise ModelCorrupt(_death(ended.status, limits))
        return ended


def environment(cache_dir: Path | None) -> dict[str, str]:
    """Return what a child is told: where things are, and nothing that opens anything."""
    told = {name: os.environ[name] for name in PASSED_ON if name in os.environ}
    if cache_dir is not None:
        from explain.attribution.warm import KERNELS  # noqa: PLC0415  pulls the compiler: seconds

        if os.access(cache_dir / KERNELS, os.W_OK | os.X_OK):
            told.setdefault("NUMBA_CACHE_DIR", str(cache_dir / KERNELS))
    return told | dict.fromkeys(ONE_THREAD, "1") | {"PYTHONPATH": str(ROOT)}


def _death(status: int | None, limits: Limits) -> str:
    """Say in a sentence why a child did not live to answer."""
    if status is None:
        return f"examining it takes more than {limits.seconds:g} seconds"
    if status == -signal.SIGXCPU:
        return f"examining it takes more than {limits.cpu_seconds} seconds of computing"
    if status == -signal.SIGKILL:
        return "the process that examined it was killed, most likely for want of memory"
    if status < 0:
        return f"the native library crashed on it (signal {-status})"
    return "the native library could not load and run it"


def _answer(ended: Ended) -> list[bytes]:
    """Return the frames of a version that passed; raise what it was refused with."""
    try:
        frames = unpack(ended.said)
        head = read_head(frames[0] if frames else b"")
    except Garbled as fault:
        raise _unreadable(fault) from fault
    if "memory" in head:
        raise ModelCorrupt("examining it takes more memory than an examination may have")
    if "stumbled" in head:
        raise _stumbled(head)
    if "error" in head:
        try:
            refusal = read_error(head)
        except Garbled as fault:
            raise _unreadable(fault) from fault
        raise refusal
    return frames


def _accepted(frames: list[bytes], parsed: ParsedManifest) -> tuple[Reference, bytes]:
    """Read the reference and the report as if they came from anywhere."""
    if len(frames) != 3:
        raise Garbled(f"{len(frames)} frames")
    head, capability, rows = frames
    band = read_head(head).get("band")
    reference = Reference.from_bytes(
        rows,
        kind=parsed.manifest.reference.kind,
        band=None if band is None else float.fromhex(str(band)),
    )
    if reference.rows.shape[1] != len(parsed.manifest.features):
        raise Garbled("the reference has not one column for each feature")
    if len(capability) > _LARGEST_REPORT or not isinstance(orjson.loads(capability), dict):
        raise Garbled("the report is not an object")
    return reference, capability


def _stumbled(head: Plain) -> Exception:
    """Name what nobody foresaw; its place, without the error's own words, is for the operator."""
    name = str(head["stumbled"])[:_LONGEST_NAME]
    place = str(head.get("at"))[:_LONGEST_PLACE]
    logger.error("an examination stumbled", extra={"kind": name, "reason": place})
    if head.get("ours"):
        return ExaminationFailed(f"the examination failed ({name})")
    return ModelCorrupt(f"it could not be examined ({name})")


def _unreadable(fault: Exception) -> ModelCorrupt:
    logger.error("the answer of an examination could not be read", extra={"reason": str(fault)})
    return ModelCorrupt("its examination gave no readable answer")
