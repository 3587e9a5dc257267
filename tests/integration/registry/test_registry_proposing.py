"""A registered version is searched by the counterfactual server: the same rows as in this process."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from explain.counterfactual.aim import Aim
from explain.counterfactual.base import Effort
from explain.counterfactual.budget import Budget
from explain.counterfactual.constraints.narrowing import Narrowing
from explain.counterfactual.dice.adapter import DiceSearch
from explain.counterfactual.search import run
from explain.deadline import Deadline
from registry.preparing import PreparedVersion
from registry.proposals import AskedSearch, Job, JobResult, MalformedJob, VersionName
from registry.proposing import Proposer
from runtime.forking.asking import ask_now
from runtime.forking.frames import Question
from tests.oracles.proposers import Running, declined, problem_of, proposing, ready, rows_of, store

METHODS = ("dice_random", "dice_genetic", "dice_kdtree")
NARROWING = Narrowing(("income",), {"income": (0.0, 40.0)}, 1)


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, prepared: PreparedVersion) -> Iterator[Running]:
    """A server whose cache cannot be written, as far as this user can be kept from it."""
    folder = tmp_path_factory.mktemp("propose")
    cache = folder / "cache"
    store(prepared, cache)
    blobs = cache / "blobs"
    blobs.chmod(0o500)
    cache.chmod(0o500)
    with proposing(folder, cache) as server:
        ready(server.path, prepared.loaded, problem_of(prepared.loaded, _rows(prepared)[0]))
        yield server
    cache.chmod(0o700)
    blobs.chmod(0o700)


def _rows(prepared: PreparedVersion) -> np.ndarray:
    rows = np.tile(prepared.loaded.reference.rows, (3, 1))
    rows[:, 0] *= np.repeat([0.3, 0.5, 0.7], len(rows) // 3)  # a third of the income: declined
    return declined(prepared.loaded, np.round(rows, 3))


def _deadline(milliseconds: float = 30_000.0) -> Deadline:
    return Deadline(milliseconds, time.monotonic())


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("narrowing", [None, NARROWING])
def test_the_server_finds_what_this_process_finds(
    running: Running, prepared: PreparedVersion, method: str, narrowing: Narrowing | None
) -> None:
    loaded = prepared.loaded
    assert loaded.search is not None
    here = DiceSearch.prepare(loaded.search, loaded.reference.rows)
    found = 0
    for seed, row in enumerate(_rows(prepared)[:4]):
        instance = loaded.space.instance(row)
        problem = loaded.search.problem(instance, count=3, seed=seed, narrowing=narrowing)
        there = Proposer(running.path).propose_now(
            loaded, problem, AskedSearch(method, narrowing), _deadline()
        )
        expected = run(here.method(method), problem, Budget(Deadline.unlimited(), None))
        assert rows_of(there) == rows_of(expected)
        assert there.effort == expected.effort
        found += len(there.proposed.proposals)
    assert found or method == "dice_kdtree"


def test_another_goal_is_sent_along(running: Running, prepared: PreparedVersion) -> None:
    loaded, aim = prepared.loaded, Aim(0.2, "below")
    assert loaded.search is not None
    problem = loaded.search.problem(loaded.space.instance(_rows(prepared)[0]), count=3, seed=1, aim=aim)
    found = asyncio.run(
        Proposer(running.path).propose(loaded, problem, AskedSearch("dice_random", aim=aim), _deadline())
    )
    assert found.effort.state == "finished"
    assert found.proposed.proposals
    rows = np.stack([proposal.row for proposal in found.proposed.proposals])
    assert (loaded.model.predict(rows).scores < 0.2).all()


def test_an_allowed_effort_is_kept_without_a_clock(running: Running, prepared: PreparedVersion) -> None:
    problem = problem_of(prepared.loaded, _rows(prepared)[0])
    asked = AskedSearch("dice_random", max_evaluations=60)
    found = Proposer(running.path).propose_now(prepared.loaded, problem, asked, Deadline.unlimited())
    again = Proposer(running.path).propose_now(
        prepared.loaded,
        problem,
        replace(asked, max_evaluations=found.effort.evaluations),
        Deadline.unlimited(),
    )
    assert found.effort.state == "stopped"
    assert found.effort == again.effort
    assert not found.proposed.proposals


@pytest.mark.parametrize("path", [None, Path("/nonexistent/propose.sock")])
def test_without_a_server_it_is_unavailable(path: Path | None, prepared: PreparedVersion) -> None:
    problem = problem_of(prepared.loaded, _rows(prepared)[0])
    proposer, asked = Proposer(path), AskedSearch("dice_random")
    proposer.prepare(prepared.loaded)
    nothing = Effort("dice_random", "unavailable", 0)
    assert proposer.propose_now(prepared.loaded, problem, asked, _deadline()).effort == nothing
    assert asyncio.run(proposer.propose(prepared.loaded, problem, asked, _deadline())).effort == nothing
    assert proposer.configured == (path is not None)


def test_after_the_deadline_nobody_is_asked(prepared: PreparedVersion) -> None:
    problem = problem_of(prepared.loaded, _rows(prepared)[0])
    found = Proposer(Path("/nonexistent/propose.sock")).propose_now(
        prepared.loaded, problem, AskedSearch("dice_random"), Deadline(0.0, time.monotonic())
    )
    assert found.effort == Effort("dice_random", "stopped", 0)


@pytest.mark.parametrize("change", ["artifact_digest", "manifest_digest", "reference_digest"])
def test_a_version_that_is_not_in_the_cache_is_unavailable(
    running: Running, prepared: PreparedVersion, change: str
) -> None:
    name = replace(VersionName.of(prepared.loaded), **{change: "sha256:" + "0" * 64})
    job = Job.of(problem_of(prepared.loaded, _rows(prepared)[0]), AskedSearch("dice_random"))
    answer = ask_now(running.path, Question("job", name.to_bytes(), job.to_bytes(), 10.0))
    assert answer.state == "unavailable"


@pytest.mark.parametrize(
    "body",
    [b"", b"{}", b"[]", b'{"method":"dice_magic","max_evaluations":null,"row":[1],"count":1,"seed":1}'],
)
def test_a_job_that_is_none_is_unavailable_and_the_next_is_answered(
    running: Running, prepared: PreparedVersion, body: bytes
) -> None:
    key = VersionName.of(prepared.loaded).to_bytes()
    assert ask_now(running.path, Question("job", key, body, 10.0)).state == "unavailable"
    job = Job.of(problem_of(prepared.loaded, _rows(prepared)[0]), AskedSearch("dice_random")).to_bytes()
    assert ask_now(running.path, Question("job", key, job, 10.0)).state == "finished"


def test_a_job_is_read_back_as_it_was() -> None:
    row = np.array([0.1, np.nan, 3.0, 1e308, -5e-324])
    asked = AskedSearch("dice_random", NARROWING, Aim(0.25, "above"), 17)
    back = Job.from_bytes(Job(asked, row, 3, 2**63 - 1).to_bytes())
    assert (back.asked, back.count, back.seed) == (asked, 3, 2**63 - 1)
    assert np.array_equal(back.row, row, equal_nan=True)
    result = JobResult.from_bytes(JobResult(finished=True, evaluations=9, rows=row[None, :]).to_bytes(), 5)
    assert np.array_equal(result.rows, row[None, :], equal_nan=True)
    with pytest.raises(MalformedJob):
        JobResult.from_bytes(b'{"finished":true,"evaluations":1,"rows":[[1.0]]}', 5)


def test_the_server_logs_the_version_and_nothing_of_the_decision(running: Running) -> None:
    told = running.log.read_text()
    assert '"message":"prepared","model":"boston-mortgage","version":"1"' in told
    assert "income" not in told
    assert os.access(running.path, os.R_OK)
