"""The manifest's further searches, asked of a real counterfactual server in what is left of the budget."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import yaml

from registry.proposing import Proposer
from service.pacing import ENOUGH, Pace
from tests.oracles.proposers import problem_of, proposing, ready

METHODS = ["direct", "dice_random", "dice_genetic", "dice_kdtree"]


@pytest.fixture(scope="module")
def served(running: Any, upload: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Any, Any]]:
    """The service with a counterfactual server beside it, and that server."""
    freedom = yaml.safe_load(upload.manifest)["counterfactuals"]
    given = upload.with_manifest(model="proposed", counterfactuals={**freedom, "methods": METHODS})
    assert running.register(given).status_code == 201
    assert running.approve("proposed").status_code == 200
    services = running.services
    loaded = services.versions.get("proposed")
    with proposing(tmp_path_factory.mktemp("propose"), services.settings.cache_dir) as server:
        row = loaded.space.read(running.features).row
        ready(server.path, loaded, problem_of(loaded, row))
        running.app.state.services = replace(services, proposer=Proposer(server.path))
        try:
            yield running, server
        finally:
            running.app.state.services = services


def test_what_is_named_is_asked_and_the_best_of_all_is_answered(served: tuple[Any, Any]) -> None:
    running, _ = served
    asked = {"count": 4, "methods": ["direct", "dice_random"]}
    answer = running.explain(running.request(counterfactuals=asked, budget_ms=20_000), "proposed").json()
    told = answer["counterfactuals"]
    assert [(one["method"], one["state"]) for one in told["searches"]] == [
        ("threshold_search", "finished"),
        ("dice_random", "finished"),
    ]
    assert all(one["evaluations"] > 0 for one in told["searches"])
    assert (told["status"], told["complete"]) == ("found", True)
    assert {item["method"] for item in told["items"]} <= {"threshold_search", "dice_random"}
    assert answer["timings_ms"]["counterfactuals"] <= answer["timings_ms"]["total"]


def test_it_alone_finds_what_the_model_itself_confirms(served: tuple[Any, Any]) -> None:
    running, _ = served
    asked = {"count": 2, "methods": ["dice_random"], "features_to_vary": ["income", "debt_ratio"]}
    answer = running.explain(running.request(counterfactuals=asked, budget_ms=20_000), "proposed").json()
    told = answer["counterfactuals"]
    assert [one["method"] for one in told["searches"]] == ["dice_random"]
    assert told["items"], told
    for item in told["items"]:
        assert item["method"] == "dice_random"
        changed = {change["feature"]: change["to"] for change in item["changes"]}
        assert set(changed) <= {"income", "debt_ratio"}
        sent = running.request(features={**running.features, **changed}, counterfactuals={"count": 0})
        again = running.explain(sent, "proposed").json()["decision"]
        assert (again["outcome"], again["score"]) == ("approve", item["score"])


def test_enough_from_the_direct_search_asks_nobody_else(served: tuple[Any, Any]) -> None:
    running, _ = served
    answer = running.explain(running.request(counterfactuals={"count": 1}), "proposed").json()
    assert [one["method"] for one in answer["counterfactuals"]["searches"]] == ["threshold_search"]


def test_one_that_takes_longer_than_the_budget_is_stopped(served: tuple[Any, Any]) -> None:
    running, _ = served
    asked = {"count": 10, "methods": ["dice_genetic"]}
    answer = running.explain(running.request(counterfactuals=asked, budget_ms=60), "proposed").json()
    told = answer["counterfactuals"]
    assert [(one["method"], one["state"]) for one in told["searches"]] == [("dice_genetic", "stopped")]
    assert told["status"] == "deferred"
    assert told["evaluation_id"] is not None


def test_one_that_never_ended_in_so_little_is_not_begun(served: tuple[Any, Any]) -> None:
    running, _ = served
    services, pace = running.app.state.services, Pace()
    digest = services.versions.get("proposed").manifest_digest
    for _ in range(ENOUGH):
        pace.observe((digest, "dice_random"), 100.0, finished=False)
    running.app.state.services = replace(services, pace=pace)
    asked = {"count": 10, "methods": ["dice_random", "dice_kdtree"]}
    try:
        found = running.explain(running.request(counterfactuals=asked, budget_ms=20_000), "proposed").json()
    finally:
        running.app.state.services = services
    passed, begun = found["counterfactuals"]["searches"]
    assert (passed["method"], passed["state"], passed["evaluations"]) == ("dice_random", "stopped", 0)
    assert (begun["method"], begun["state"]) == ("dice_kdtree", "finished")
    assert begun["evaluations"] > 0


def test_a_server_that_has_gone_is_unavailable_and_nothing_waits_for_it(
    served: tuple[Any, Any], tmp_path: Path
) -> None:
    running, _ = served
    beside = running.services
    running.app.state.services = replace(beside, proposer=Proposer(tmp_path / "gone.sock"))
    try:
        asked = {"count": 4, "methods": ["direct", "dice_random"]}
        answer = running.explain(running.request(counterfactuals=asked), "proposed").json()
    finally:
        running.app.state.services = beside
    told = answer["counterfactuals"]
    assert [one["state"] for one in told["searches"]] == ["finished", "unavailable"]
    assert (told["status"], told["complete"]) == ("found", False)
