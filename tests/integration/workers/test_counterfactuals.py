"""Counterfactuals that a worker finishes: true, the cheapest there are, and appended once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from uuid import UUID

import numpy as np
import orjson
import psycopg
import pytest

from explain.counterfactual.options import scales_of
from records.private import parse_supplement
from runtime.settings import Settings
from tests.oracles.deferred_explanations import (
    FREE,
    declined,
    defer,
    enumerated_rows,
    explain,
    freedoms,
    item_of,
)
from tests.oracles.enumerated_versions import FEATURES, Prepared, prepare
from tests.oracles.records import asked_part
from workers.evaluating import evaluate
from workers.policy import Policy
from workers.resources import Resources, open_resources


@pytest.fixture(scope="module")
def versions(versions: dict[str, Prepared]) -> dict[str, Prepared]:
    """Two versions of the one model: in one something may change, in the other nothing may that helps."""
    quick = versions["quick"]
    artifact, rows = quick.content.blobs[1], quick.reference.rows
    names = [f"f{n}" for n in range(FEATURES)]
    return {
        "open": prepare("open", names, artifact, rows, counterfactuals=freedoms(FREE)),
        "shut": prepare("shut", names, artifact, rows, counterfactuals=freedoms(("f10",))),
    }


@pytest.fixture
def resources(settings: Settings) -> Iterator[Resources]:
    with open_resources(settings, Policy(heartbeat_seconds=0.05)) as opened:
        yield opened


def _supplement(world: Any, explanation_id: UUID) -> Any:
    (stored,) = [s for s in world.log.about(explanation_id) if s.entry.type == "explanation.supplemented"]
    return stored


def test_a_deferred_search_ends_with_the_cheapest_change_there_is(world: Any, resources: Resources) -> None:
    prepared = world.versions["open"]
    row = declined(prepared)
    assert prepared.model.predict(row[None, :]).scores[0] >= 0.5
    explanation_id, evaluation_id = defer(world)
    evaluate(resources, evaluation_id)
    done = world.read(evaluation_id)
    assert (done.state, done.progress, done.failure) == ("completed", 1.0, None)
    assert done.result["status"] == "found"
    assert (done.result["complete"], done.result["proof"], done.result["optimality_gap"]) == (
        True,
        None,
        None,
    )
    assert [one["method"] for one in done.result["searches"]] == ["threshold_search", "exact_search"]
    stored = _supplement(world, explanation_id)
    assert (stored.entry.entry_id, stored.entry.about) == (done.outcome_entry_id, explanation_id)
    part = parse_supplement(world.log.open(stored))
    items = part["counterfactuals"]["items"]
    assert len(items) == done.result["count"] > 1
    least, _ = enumerated_rows(prepared, row)
    assert items[0]["cost"] == pytest.approx(least)
    assert part["counterfactuals"]["least_cost"] == pytest.approx(least)
    for item in items:
        changed = row.copy()
        for change in item["changes"]:
            at = int(change["feature"][1:])
            assert (change["from"], change["feature"] in FREE) == (row[at], True)
            changed[at] = change["to"]
        assert prepared.model.predict(changed[None, :]).scores[0] == item["score"] < 0.5


def test_what_is_on_record_in_clear_says_nothing_of_the_person(world: Any, resources: Resources) -> None:
    explanation_id, evaluation_id = defer(world)
    evaluate(resources, evaluation_id)
    body = _supplement(world, explanation_id).entry.body
    assert set(body) == {
        *("evaluation_id", "kind", "model", "version", "parameters", "counterfactual_status", "proof"),
        *("model_digest", "manifest_digest", "reference_digest", "method", "code_version", "result"),
    }
    assert body["evaluation_id"] == str(evaluation_id)
    assert set(body["result"]) == {
        *("status", "proof", "count", "complete", "evaluations", "searches", "seed", "optimality_gap"),
    }


def test_a_supplement_hangs_on_the_key_of_its_explanation(
    world: Any, resources: Resources, database: Any
) -> None:
    explanation_id, evaluation_id = defer(world)
    measured = world.request(explanation_id, "open", "kernelshap")
    for one in (evaluation_id, measured):
        evaluate(resources, one)
    outcomes = [world.read(one).outcome_entry_id for one in (evaluation_id, measured)]
    keys = [world.log.read(one).entry.private.key_id for one in (explanation_id, *outcomes)]
    with psycopg.connect(database.keys_admin_url) as conn:
        found = conn.execute(
            "select distinct subject_key_id from keys.entry_key where key_id = any(%s)", (keys,)
        ).fetchall()
    assert len(found) == 1
    assert found[0][0] is not None


def test_delivered_twice_it_is_appended_once(world: Any, resources: Resources) -> None:
    explanation_id, evaluation_id = defer(world)
    for _ in range(2):
        evaluate(resources, evaluation_id)
    assert world.outcomes(explanation_id) == ["explanation.supplemented"]


def test_where_nothing_helps_that_is_proved(world: Any, resources: Resources) -> None:
    prepared = world.versions["shut"]
    assert enumerated_rows(prepared, declined(prepared), ("f10",))[0] == np.inf
    explanation_id, evaluation_id = defer(world, "shut")
    evaluate(resources, evaluation_id)
    result = world.read(evaluation_id).result
    assert (result["status"], result["count"], result["complete"]) == ("no_recourse", 0, True)
    assert result["proof"] in ("exhaustive", "bounded")
    part = parse_supplement(world.log.open(_supplement(world, explanation_id)))
    assert (part["features"], part["counterfactuals"]["status"]) == ([], "no_recourse")


def test_the_question_on_record_is_the_one_that_is_answered(world: Any, resources: Resources) -> None:
    ranges = [{"feature": "f0", "least": -2.0, "greatest": 0.0, "categories": None}]
    asked = asked_part(count=2, features_to_vary=["f0", "f3"], permitted_range=ranges, max_changes=1)
    explanation_id, evaluation_id = defer(world, asked=asked)
    evaluate(resources, evaluation_id)
    part = parse_supplement(world.log.open(_supplement(world, explanation_id)))["counterfactuals"]
    assert part["asked"] == asked
    assert 1 <= len(part["items"]) <= 2
    for item in part["items"]:
        (change,) = item["changes"]
        assert change["feature"] in ("f0", "f3")
        assert change["feature"] != "f0" or -2.0 <= change["to"] <= 0.0
    target = {"score": 0.2, "direction": "below", "wanted_class": None}
    explanation_id, evaluation_id = defer(world, asked=asked_part(target=target))
    evaluate(resources, evaluation_id)
    part = parse_supplement(world.log.open(_supplement(world, explanation_id)))["counterfactuals"]
    assert part["items"]
    assert all(item["score"] < 0.2 for item in part["items"])


def test_a_dear_answer_is_measured_against_the_cheapest(world: Any, resources: Resources) -> None:
    prepared = world.versions["open"]
    row = declined(prepared)
    least, good = enumerated_rows(prepared, row)
    scales = scales_of(prepared.reference)
    far = good[int(np.abs((good - row) / scales).sum(axis=1).argmax())]
    item = item_of(prepared, row, far)
    explanation_id = explain(world, status="found", complete=True, items=[item])
    evaluation_id = world.request(explanation_id, "open", "counterfactual")
    evaluate(resources, evaluation_id)
    gap = world.read(evaluation_id).result["optimality_gap"]
    assert gap == pytest.approx(item["cost"] / least - 1.0)
    assert gap > 0.0
    assert world.outcomes(explanation_id) == ["explanation.supplemented"]


def test_what_cannot_be_searched_has_a_name(world: Any, resources: Resources) -> None:
    strange = asked_part(features_to_vary=["f9"])
    for members, reason in (
        ({"status": "not_needed", "complete": True}, "counterfactuals-not-sought"),
        ({"asked": strange}, "question-does-not-fit-the-model"),
    ):
        explanation_id = explain(world, **members)
        evaluation_id = world.request(explanation_id, "open", "counterfactual")
        evaluate(resources, evaluation_id)
        assert world.read(evaluation_id).failure == reason


def test_the_measures_of_a_set_are_those_of_its_rows(world: Any, resources: Resources) -> None:
    prepared = world.versions["open"]
    row = declined(prepared)
    _, good = enumerated_rows(prepared, row)
    items = [item_of(prepared, row, good[at]) for at in (0, len(good) // 2, len(good) - 1)]
    explanation_id = explain(world, status="found", complete=True, items=items)
    evaluation_id = world.request(explanation_id, "open", "counterfactual_metrics")
    evaluate(resources, evaluation_id)
    result = world.read(evaluation_id).result
    scales = scales_of(prepared.reference)
    rows = good[[0, len(good) // 2, len(good) - 1]]
    assert (result["of"], result["count"], result["validity"]) == ("answer", 3, 1.0)
    assert result["numeric"] == pytest.approx((np.abs(rows - row) / scales).sum(axis=1).mean())
    assert result["changed"] == pytest.approx((rows != row).sum(axis=1).mean())
    apart = (np.abs(rows[:, None] - rows[None]) / scales).sum(axis=2)
    assert result["diversity"] == pytest.approx(np.linalg.det(1.0 / (1.0 + apart)))
    reference = prepared.reference.rows
    approved = reference[prepared.model.predict(reference).scores < 0.5]
    nearest = (np.abs(rows[:, None] - approved[None]) / scales).sum(axis=2).min(axis=1)
    assert result["nearest"] == pytest.approx(nearest.mean())
    assert 0.0 <= result["stays"] <= 1.0
    stored = world.log.read(world.read(evaluation_id).outcome_entry_id)
    private = orjson.loads(world.log.open(stored))
    assert [float(one["nearest"]) for one in private["items"]] == pytest.approx(nearest.tolist())
    assert b'"items"' not in stored.canonical


def test_a_supplement_is_measured_where_nothing_was_answered(world: Any, resources: Resources) -> None:
    explanation_id, evaluation_id = defer(world)
    nothing = world.request(explanation_id, "open", "counterfactual_metrics")
    evaluate(resources, nothing)
    assert world.read(nothing).failure == "no-counterfactuals"
    evaluate(resources, evaluation_id)
    measured = world.request(explanation_id, "open", "counterfactual_metrics", reference="all_applicants")
    evaluate(resources, measured)
    result = world.read(measured).result
    assert (result["of"], result["validity"]) == ("supplement", 1.0)
    assert result["other"]["kind"] == "all_applicants"
    assert (result["other"]["same_order"], result["other"]["cost"]) == (True, pytest.approx(result["cost"]))
    unknown = world.request(explanation_id, "open", "counterfactual_metrics", of="answer")
    evaluate(resources, unknown)
    assert world.read(unknown).failure == "no-counterfactuals"
