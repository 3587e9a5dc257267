"""A running `ofrecord propose`, and model versions whose files lie in its cache."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from explain.counterfactual.concluding import Found
from explain.counterfactual.problem import Problem
from explain.deadline import Deadline
from registry.digests import digest_of
from registry.disk_cache import DiskCache
from registry.loaded_version import LoadedVersion
from registry.preparing import PreparedVersion
from registry.proposing import AskedSearch, Proposer
from tests.oracles.forked_server import ROOT, answers, wait_until

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Running:
    """A counterfactual server as a process of its own."""

    path: Path
    process: subprocess.Popen[bytes]
    log: Path


@contextlib.contextmanager
def proposing(folder: Path, cache: Path, threads: int = 2, **env: str) -> Iterator[Running]:
    """Start one, wait until it listens, and kill it in the end if it still lives."""
    path, log = folder / "propose.sock", folder / "propose.log"
    told = {"OFRECORD_CACHE_DIR": str(cache), "OFRECORD_THREADS": str(threads)}
    command = [sys.executable, "-m", "cli", "propose", "--socket", str(path)]
    with log.open("ab") as stream:
        process = subprocess.Popen(
            command, cwd=ROOT, env={**os.environ, **told, **env}, stdout=stream, stderr=stream
        )
    try:
        wait_until(lambda: answers(path) or process.poll() is not None)
        assert process.poll() is None, log.read_text()
        yield Running(path, process, log)
    finally:
        process.kill()
        process.wait()


def store(prepared: PreparedVersion, cache: Path) -> None:
    """Put what a version is made of where the service leaves it."""
    disk = DiskCache(cache)
    for blob in prepared.content.blobs:
        disk.get(digest_of(blob), {digest_of(blob): blob}.__getitem__)


def declined(loaded: LoadedVersion, rows: FloatArray) -> FloatArray:
    """Return those of the rows that the version declines."""
    prediction = loaded.model.predict(rows)
    return rows[~loaded.rule.favourable_mask(loaded.rule.scores_of(prediction.margins, prediction.scores))]


def problem_of(loaded: LoadedVersion, row: FloatArray, seed: int = 1, count: int = 4) -> Problem:
    """Return what is looked for from this row."""
    assert loaded.search is not None
    return loaded.search.problem(loaded.space.instance(row), count=count, seed=seed)


def asked(
    path: Path, loaded: LoadedVersion, problem: Problem, method: str, milliseconds: float = 30_000.0
) -> Found:
    """Ask the server and wait."""
    deadline = Deadline(milliseconds, time.monotonic())
    return Proposer(path).propose_now(loaded, problem, AskedSearch(method), deadline)


def ready(path: Path, loaded: LoadedVersion, problem: Problem) -> None:
    """Wait until the server has loaded the version."""
    Proposer(path).prepare(loaded)
    wait_until(lambda: asked(path, loaded, problem, "dice_random").effort.state == "finished")


def rows_of(found: Found) -> list[Mapping[str, object]]:
    """Return what was proposed, comparably."""
    return [
        {"row": np.nan_to_num(one.row, nan=-9e9).tolist(), "cost": one.cost, "features": one.features}
        for one in found.proposed.proposals
    ]
