"""The counterfactual server loads a version whose reference its own constraints do not admit."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import yaml

from explain.reference import Reference
from registry.digests import digest_of
from registry.disk_cache import DiskCache
from registry.manifests import parse_manifest
from registry.preparing import PreparedVersion, prepare_version
from registry.proposals import AskedSearch, Job, VersionName
from runtime.forking.asking import ask_now
from runtime.forking.frames import Answer, Question
from tests.oracles.proposers import Running, problem_of, proposing, store

DERIVED = {"feature": "debt_ratio", "equals": "60 - 3 * income", "decimals": 1}


@pytest.fixture(scope="module")
def linked(
    example_manifest: bytes, example_upload: tuple[bytes, bytes], cache_folder: Path
) -> PreparedVersion:
    """A version with a derived feature; its reference holds to the formula."""
    given = yaml.safe_load(example_manifest)
    given["counterfactuals"]["links"] = [DERIVED]
    artifact, reference = example_upload
    header, *lines = reference.decode().splitlines()
    cells = [dict(zip(header.split(","), line.split(","), strict=True)) for line in lines]
    kept = [{**one, "debt_ratio": str(round(60 - 3 * float(one["income"]), 1))} for one in cells]
    table = "\n".join([header, *(",".join(one.values()) for one in kept)]).encode()
    parsed = parse_manifest(yaml.safe_dump(given).encode(), "application/yaml")
    return prepare_version(parsed, artifact, table, "text/csv", cache_dir=cache_folder)


@pytest.fixture(scope="module")
def server(linked: PreparedVersion, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    folder = tmp_path_factory.mktemp("contradicted")
    store(linked, folder / "cache")
    with proposing(folder, folder / "cache") as running:
        yield running


def _asked(server: Running, linked: PreparedVersion, contradicting: int) -> Answer:
    """Ask for the same version with so many first rows of its reference made to contradict the link."""
    loaded = linked.loaded
    rows = loaded.reference.rows.copy()
    rows[:contradicting, loaded.space.index("debt_ratio")] += 7.0
    assert loaded.constraints.admitted(rows).sum() == len(rows) - contradicting
    reference = Reference.of(loaded.reference.kind, rows, loaded.reference.band)
    blob = reference.to_bytes()
    DiskCache(server.path.parent / "cache").get(digest_of(blob), {digest_of(blob): blob}.__getitem__)
    key = replace(VersionName.of(loaded), reference_digest=reference.digest).to_bytes()
    problem = problem_of(loaded, _declined(linked))
    job = Job.of(problem, AskedSearch("dice_random", max_evaluations=200)).to_bytes()
    return ask_now(server.path, Question("job", key, job, 60.0))


def _declined(linked: PreparedVersion) -> np.ndarray:
    space = linked.loaded.space
    given = {"income": 2.0, "debt_ratio": 54.0, "property_type": "two_to_four", "age": 33}
    row: np.ndarray = space.read(given).row
    return row


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_it_answers_and_says_nothing_of_an_error(
    server: Running, linked: PreparedVersion, share: float
) -> None:
    answer = _asked(server, linked, round(share * len(linked.loaded.reference.rows)))
    assert answer.state == "finished", server.log.read_text()
    told = server.log.read_text()
    assert "error" not in told.lower()
    assert "InvalidFeatures" not in told
    assert ("not warmed" in told) == (share == 1.0)
