"""The counterfactual server as it is run: on time, killed for good, the same again, and never in the way."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from examples import lending
from explain.counterfactual.verify import verify
from registry.catalogue_documents import parse_catalogue
from registry.manifests import parse_manifest
from registry.preparing import PreparedVersion, prepare_version
from registry.references import read_reference
from tests.oracles.forked_server import cpu_seconds, descendants, wait_until
from tests.oracles.proposers import Running, asked, declined, problem_of, proposing, ready, rows_of, store

CLIENTS, ASKS = 4, 200
BUDGET_MS = 50.0
METHODS = ("dice_random", "dice_genetic", "dice_kdtree")


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def version(cache: Path) -> PreparedVersion:
    """The lending example, as its registration prepares it."""
    bundle = lending.build()
    prepared = prepare_version(
        parse_manifest(bundle.manifest_yaml), bundle.artifact, bundle.reference_csv, "text/csv",
        cache_dir=cache, catalogue=parse_catalogue(bundle.catalogue_yaml),
    )  # fmt: skip
    store(prepared, cache)
    return prepared


@pytest.fixture(scope="module")
def rows(version: PreparedVersion) -> np.ndarray:
    uploaded = read_reference(lending.build().reference_csv, "text/csv", version.loaded.manifest)
    return declined(version.loaded, uploaded)


@pytest.fixture(scope="module")
def running(
    tmp_path_factory: pytest.TempPathFactory, version: PreparedVersion, cache: Path, rows: np.ndarray
) -> Iterator[Running]:
    with proposing(tmp_path_factory.mktemp("propose"), cache) as server:
        ready(server.path, version.loaded, problem_of(version.loaded, rows[0]))
        yield server


def _jobs(running: Running) -> set[int]:
    """Return the children that do jobs: the nurseries' own."""
    return {job for nursery in descendants(running.process.pid) for job in descendants(nursery)}


@pytest.mark.parametrize("method", METHODS)
def test_proposals_survive_their_verification(
    running: Running, version: PreparedVersion, rows: np.ndarray, method: str
) -> None:
    held = 0
    for seed, row in enumerate(rows[:5]):
        problem = problem_of(version.loaded, row, seed)
        found = asked(running.path, version.loaded, problem, method)
        assert found.effort.state == "finished"
        items, dropped = verify(problem, found.proposed.proposals)
        assert dropped == 0
        held += len(items)
    assert held > 0


def test_four_clients_are_answered_in_time_and_nothing_goes_on(
    running: Running, version: PreparedVersion, rows: np.ndarray
) -> None:
    """At least the half, on a machine that may do other things too; on a quiet one it is nearly all."""
    loaded = version.loaded

    def ask(number: int) -> float:
        problem = problem_of(loaded, rows[number % len(rows)], number)
        begun = time.monotonic()
        found = asked(running.path, loaded, problem, "dice_genetic", BUDGET_MS)
        took = (time.monotonic() - begun) * 1e3
        assert found.effort.state in ("stopped", "finished")
        return took

    with ThreadPoolExecutor(CLIENTS) as clients:
        took = list(clients.map(ask, range(ASKS)))
    assert np.median(took) <= BUDGET_MS + 10.0
    wait_until(lambda: not _jobs(running))
    before = cpu_seconds(running.process.pid)
    time.sleep(0.5)
    assert cpu_seconds(running.process.pid) - before <= 0.03


def test_no_lock_is_shared_between_processes(
    running: Running, version: PreparedVersion, rows: np.ndarray
) -> None:
    """A child that is killed while it holds one would stop every later child for ever."""
    problem = problem_of(version.loaded, rows[0])
    for method in METHODS:
        assert asked(running.path, version.loaded, problem, method).effort.state == "finished"
    family = {running.process.pid, *descendants(running.process.pid)}
    assert len(family) > 1
    for one in family:
        assert "/sem." not in Path(f"/proc/{one}/maps").read_text()


def test_a_killed_child_is_unavailable_and_the_server_lives(
    running: Running, version: PreparedVersion, rows: np.ndarray
) -> None:
    problem = problem_of(version.loaded, rows[0])
    with ThreadPoolExecutor(1) as client:
        for _ in range(20):
            waiting = client.submit(asked, running.path, version.loaded, problem, "dice_genetic")
            wait_until(lambda waiting=waiting: _jobs(running) or waiting.done())
            for job in _jobs(running):
                os.kill(job, signal.SIGKILL)
            if waiting.result().effort.state == "unavailable":
                break
        else:
            pytest.fail("no child could be killed while it worked")
    assert asked(running.path, version.loaded, problem, "dice_random").effort.state == "finished"


def test_the_same_again_after_a_restart_and_with_other_hashes(
    tmp_path: Path, version: PreparedVersion, rows: np.ndarray, cache: Path, running: Running
) -> None:
    problems = [problem_of(version.loaded, row, seed) for seed, row in enumerate(rows[:3])]

    def answers_of(path: Path) -> list[object]:
        found = [asked(path, version.loaded, one, method) for one in problems for method in METHODS]
        return [(one.effort, rows_of(one)) for one in found]

    first = answers_of(running.path)
    assert answers_of(running.path) == first
    for threads, seed in ((1, "1"), (3, "77")):
        with proposing(tmp_path, cache, threads, PYTHONHASHSEED=seed) as other:
            ready(other.path, version.loaded, problems[0])
            assert answers_of(other.path) == first


def test_a_killed_server_leaves_nobody_behind_and_comes_back(
    tmp_path: Path, version: PreparedVersion, rows: np.ndarray, cache: Path
) -> None:
    problem = problem_of(version.loaded, rows[0])
    with proposing(tmp_path, cache) as server:
        ready(server.path, version.loaded, problem)
        family = descendants(server.process.pid)
        server.process.kill()
        server.process.wait()
        begun = time.monotonic()
        assert asked(server.path, version.loaded, problem, "dice_random").effort.state == "unavailable"
        assert time.monotonic() - begun < 0.1
        wait_until(lambda: not any(Path(f"/proc/{one}/exe").exists() for one in family))
    with proposing(tmp_path, cache) as server:
        found = asked(server.path, version.loaded, problem, "dice_random")
        assert found.effort.state == "finished"
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(5.0) == 0
        assert not server.path.exists()
