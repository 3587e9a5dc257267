"""Whether one recorded decision keeps its reasons: over drawn references, and against another reference."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import numpy as np
import pytest

from runtime.settings import Settings
from tests.oracles.enumerated_versions import FEATURES, FloatArray, enumerated, private_part
from workers.evaluating import evaluate
from workers.policy import Policy
from workers.resources import Resources, open_resources


@pytest.fixture
def resources(settings: Settings) -> Iterator[Resources]:
    with open_resources(settings, Policy(heartbeat_seconds=0.02)) as opened:
        yield opened


def done(world: Any, resources: Resources, evaluation_id: UUID) -> Any:
    evaluate(resources, evaluation_id)
    found = world.read(evaluation_id)
    assert (found.state, found.failure, found.progress) == ("completed", None, 1.0)
    return found


def ranked(phi: FloatArray) -> list[int]:
    """The four largest contributions against the applicant, by definition."""
    return [at for at in np.argsort(-phi).tolist() if phi[at] > 0][:4]


def values_by_row(margins: Any, row: FloatArray, reference: FloatArray) -> FloatArray:
    return np.array([enumerated(margins, row, one[np.newaxis])[1] for one in reference])


def opened(world: Any, found: Any, explanation_id: UUID) -> dict[str, Any]:
    stored = world.log.read(found.outcome_entry_id)
    assert (stored.entry.type, stored.entry.about) == ("evaluation.completed", explanation_id)
    assert stored.entry.retention_class == "consumer_credit"
    for name in (f"f{at}" for at in range(FEATURES)):
        assert f'"{name}"' not in json.dumps(stored.entry.body)
    private: dict[str, Any] = json.loads(world.log.open(stored))
    return private


def test_frequencies_are_those_of_drawing_by_hand(world: Any, resources: Resources) -> None:
    prepared = world.versions["quick"]
    explanation_id = world.explain()
    found = done(world, resources, world.request(explanation_id, kind="reason_stability", draws="2000"))
    result = found.result
    each = values_by_row(prepared.model.margins, prepared.row, prepared.reference.rows)
    assert each.mean(axis=0) == pytest.approx(prepared.phi, abs=1e-5)
    generator, size = np.random.default_rng(8), len(each)
    drawn = [ranked(each[generator.integers(size, size=size)].mean(axis=0)) for _ in range(4000)]
    original = ranked(prepared.phi)
    truth = {
        "same_order": np.mean([one == original for one in drawn]),
        "same_set": np.mean([set(one) == set(original) for one in drawn]),
        "same_first": np.mean([one[0] == original[0] for one in drawn]),
    }
    for name, share in truth.items():
        error = result[f"{name}_standard_error"]
        assert error == pytest.approx(math.sqrt(result[name] * (1 - result[name]) / 2000), abs=1e-12)
        assert abs(result[name] - share) < max(4 * math.sqrt(1.5) * error, 0.005)
    assert 0 < result["same_order"] < 1
    assert (result["draws"], result["rows"], result["reference_rows"]) == (2000, size, size)
    assert [one["code"] for one in result["reasons"]] == [f"R{at:02}" for at in original]
    for rank, (told, at) in enumerate(zip(result["reasons"], original, strict=True)):
        share = np.mean([len(one) > rank and one[rank] == at for one in drawn])
        assert told["rank"] == rank + 1
        assert told["at_rank"][rank] == pytest.approx(share, abs=0.05)
        assert sum(told["at_rank"]) + told["absent"] == pytest.approx(1.0)
    private = opened(world, found, explanation_id)
    assert [one["factor"] for one in private["reasons"]] == [f"f{at}" for at in original]
    others = {one["factor"]: 1 - float(one["absent"]) for one in private["others"]}
    for at in set(range(FEATURES)) - set(original):
        assert others.get(f"f{at}", 0.0) == pytest.approx(np.mean([at in one for one in drawn]), abs=0.05)
    assert others
    again = done(world, resources, world.request(explanation_id, kind="reason_stability", draws="2000"))
    assert again.result == result


def test_another_reference_gives_what_the_definition_gives(world: Any, resources: Resources) -> None:
    prepared = world.versions["slow"]
    explanation_id = world.explain("slow")
    rows, model = prepared.reference.rows, prepared.model
    scores = model.predict(rows).scores
    near = rows[(scores < 0.5) & (scores >= 0.45)]
    assert len(near) < 100
    approved = np.flatnonzero(scores < 0.5)
    nearest = approved[np.argsort(0.5 - scores[approved], kind="stable")[:100]]
    near = rows[np.sort(nearest)]
    request = world.request(
        explanation_id, "slow", kind="reference_comparison", reference="near_cutoff_approved"
    )
    found = done(world, resources, request)
    result = found.result
    _, phi = enumerated(model.margins, prepared.row, near)
    assert result["recorded"]["reasons"] == [f"R{at:02}" for at in ranked(prepared.phi)]
    assert result["other"]["reasons"] == [f"R{at:02}" for at in ranked(phi)]
    assert result["same_order"] == (ranked(phi) == ranked(prepared.phi))
    assert result["same_set"] == (set(ranked(phi)) == set(ranked(prepared.phi)))
    assert result["same_first"] == (ranked(phi)[0] == ranked(prepared.phi)[0])
    ranks = [np.argsort(np.argsort(values)) for values in (phi, prepared.phi)]
    assert result["spearman"] == pytest.approx(np.corrcoef(*ranks)[0, 1], abs=1e-9)
    assert (result["other"]["kind"], result["other"]["rows"]) == ("near_cutoff_approved", 100)
    assert result["other"]["band"] == pytest.approx(0.5 - scores[nearest].min())
    assert result["recorded"]["digest"] == prepared.reference.digest != result["other"]["digest"]
    private = opened(world, found, explanation_id)
    told = {one["factor"]: (float(one["recorded"]), float(one["other"])) for one in private["factors"]}
    for at in range(FEATURES):
        assert told[f"f{at}"] == pytest.approx((prepared.phi[at], phi[at]), abs=1e-5)


def test_the_same_rows_are_the_same_reference(world: Any, resources: Resources) -> None:
    for kind in ("given", "all_applicants"):
        request = world.request(world.explain(), kind="reference_comparison", reference=kind)
        result = done(world, resources, request).result
        assert (result["same_order"], result["same_set"], result["same_first"]) == (True, True, True)
        assert result["spearman"] == pytest.approx(1.0)
        assert result["other"]["digest"] == result["recorded"]["digest"]


def test_beside_another_components_reasons_the_model_has_room_for_fewer(
    world: Any, resources: Resources
) -> None:
    reasons = private_part(world.versions["quick"], world.versions["quick"].phi)["reasons"]
    knocked = {**reasons[0], "rank": 1, "code": "K1", "factor": "K1", "component": "rules"}
    knocked |= {"contribution": None, "share": None}
    own = [{**one, "rank": one["rank"] + 1, "component": "score"} for one in reasons[:2]]
    request = world.request(world.explain(reasons=[knocked, *own]), kind="reason_stability")
    result = done(world, resources, request).result
    assert [one["code"] for one in result["reasons"]] == [one["code"] for one in reasons[:2]]
    assert [len(one["at_rank"]) for one in result["reasons"]] == [2, 2]
    assert (result["draws"], result["resampled"]) == (1000, "the selected frozen reference rows")


def test_what_cannot_be_done_fails_by_name(world: Any, resources: Resources) -> None:
    small = world.request(world.explain(), kind="reference_comparison", reference="near_cutoff_approved")
    odd = world.request(world.explain(), kind="reference_comparison", reference="training")
    reasons = private_part(world.versions["quick"], world.versions["quick"].phi)["reasons"]
    swapped = [{**reasons[1], "rank": 1}, {**reasons[0], "rank": 2}, *reasons[2:]]
    none = world.request(world.explain(reasons=[]), kind="reason_stability")
    others = world.request(world.explain(reasons=swapped), kind="reason_stability")
    for evaluation_id, reason in (
        (small, "reference-too-small"),
        (odd, "parameters-unknown"),
        (none, "no-reasons"),
        (others, "reasons-do-not-fit-the-attribution"),
    ):
        evaluate(resources, evaluation_id)
        assert world.read(evaluation_id).failure == reason
