"""What the counterfactual server does: it loads versions from the cache on disk, and searches with DiCE.

It has no database and no secret. A version that is not in the cache cannot be searched here.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

from explain.counterfactual.budget import Budget
from explain.counterfactual.dice.adapter import DiceSearch
from explain.counterfactual.search import CounterfactualSearch, run
from explain.deadline import Deadline
from explain.reference import Reference
from registry.disk_cache import DiskCache
from registry.loaded_version import understand
from registry.manifests import read_stored_manifest
from registry.proposals import AskedSearch, Job, JobResult, VersionName
from runtime.forking.nursery import DoJob, Progress

logger = logging.getLogger(__name__)

_WARMING_EVALUATIONS = 300


class NotCached(Exception):
    """The cache on disk does not hold what a version is made of."""


class _Told(Budget):
    """A budget without a clock that tells at once what was spent: whoever is killed can tell nothing more."""

    def __init__(self, max_evaluations: int | None, progress: Progress) -> None:
        super().__init__(Deadline.unlimited(), max_evaluations)
        self._progress = progress

    def spend(self, evaluations: int) -> None:
        super().spend(evaluations)
        self._progress(self.spent)


def loading(cache_dir: Path) -> Callable[[bytes], DoJob]:
    """Return what loads a version by its key and returns what does its jobs."""
    return partial(_load, DiskCache(cache_dir))


def _load(disk: DiskCache, key: bytes) -> DoJob:
    """Load model, constraints and reference, and search once with each method, so that all is warm."""
    name = VersionName.from_bytes(key)
    manifest, artifact, frozen = (
        disk.get(digest, _not_cached)
        for digest in (name.manifest_digest, name.artifact_digest, name.reference_digest)
    )
    understood = understand(read_stored_manifest(manifest), artifact)
    reference = Reference.from_bytes(frozen, kind=name.reference_kind, band=name.reference_band)
    search = CounterfactualSearch.prepare(
        understood.model, understood.rule, understood.constraints, reference
    )
    dice = DiceSearch.prepare(search, reference.rows)
    _warm(search, dice, reference)
    declared = understood.parsed.manifest
    logger.info("prepared", extra={"model": declared.model, "version": declared.version})
    return partial(_do, search, dice)


def _warm(search: CounterfactualSearch, dice: DiceSearch, reference: Reference) -> None:
    """Search from the first row that the constraints admit; where none is, the first job finds it cold."""
    admitted = reference.rows[search.constraints.admitted(reference.rows)][:1]
    if not len(admitted):
        logger.info("not warmed: no row of the reference is admitted by the constraints")
        return
    for method in dice.names:
        asked = AskedSearch(method, max_evaluations=_WARMING_EVALUATIONS)
        _do(search, dice, Job(asked, admitted[0], 1, 0).to_bytes(), _nobody)


def _do(search: CounterfactualSearch, dice: DiceSearch, body: bytes, progress: Progress) -> bytes:
    """Do one search; whatever it raises ends this process alone, and is answered as unavailable."""
    job = Job.from_bytes(body)
    asked = job.asked
    problem = search.problem(
        search.model.space.instance(job.row),
        count=job.count,
        seed=job.seed,
        narrowing=asked.narrowing,
        aim=asked.aim,
    )
    found = run(dice.method(asked.method), problem, _Told(asked.max_evaluations, progress))
    rows = [proposal.row for proposal in found.proposed.proposals]
    result = JobResult(
        finished=found.effort.state == "finished",
        evaluations=found.effort.evaluations,
        rows=np.stack(rows) if rows else np.empty((0, len(job.row))),
    )
    return result.to_bytes()


def _not_cached(digest: str) -> bytes:
    raise NotCached(digest)


def _nobody(_: int) -> None:
    return
