"""The importance of factors and features over a version's reference, by a worker."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from records.evaluations import cancel_evaluation
from registry.loading import LoadedVersion, VersionCache
from runtime.clock import SystemClock
from runtime.settings import Settings
from workers.averaging import CHUNK_ROWS
from workers.evaluating import evaluate
from workers.policy import Policy
from workers.resources import Resources, open_resources


@pytest.fixture
def resources(settings: Settings) -> Iterator[Resources]:
    with open_resources(settings, Policy(heartbeat_seconds=0.02)) as opened:
        yield opened


def _enumerated(margins: Any, rows: NDArray[np.float64], feature: int) -> NDArray[np.float64]:
    """One feature's Shapley value of each row, by its definition, over those rows as the reference.

    Every coalition of the others, once without the feature and once with it.
    """
    width = rows.shape[1]
    codes = np.arange(1 << width)
    present = (codes[:, None] >> np.arange(width)) & 1 == 1
    sizes = present.sum(axis=1)
    orders = np.array([1.0 / (width * _choose(width - 1, size)) for size in range(width)])
    values = np.empty((len(rows), len(codes)))
    for number, row in enumerate(rows):
        hybrids = np.where(present[:, None, :], row, rows[None, :, :]).reshape(-1, width)
        values[number] = margins(hybrids).reshape(len(codes), len(rows)).mean(axis=1)
    without = codes[~present[:, feature]]
    return (values[:, without | 1 << feature] - values[:, without]) @ orders[sizes[without]]


def _choose(n: int, k: int) -> int:
    return int(np.prod([(n - i) / (i + 1) for i in range(k)]).round()) if k else 1


def test_it_is_the_mean_of_what_the_definition_gives(world: Any, resources: Resources) -> None:
    evaluation_id = world.request_importance()
    evaluate(resources, evaluation_id)
    found = world.read(evaluation_id)
    assert (found.state, found.progress, found.failure) == ("completed", 1.0, None)
    (output,) = found.result["outputs"]
    prepared = world.versions["quick"]
    rows = prepared.reference.rows
    assert (found.result["rows"], output["output"]) == (len(rows), None)
    assert output["base_value"] == pytest.approx(prepared.model.margins(rows).mean(), abs=1e-5)
    truth = _enumerated(prepared.model.margins, rows, 0)
    (told,) = [one for one in output["features"] if one["feature"] == "f0"]
    assert told["mean_abs"] == pytest.approx(np.abs(truth).mean(), abs=1e-5)
    assert told["mean"] == pytest.approx(truth.mean(), abs=1e-5)
    assert [one["rank"] for one in output["features"]] == list(range(1, rows.shape[1] + 1))
    assert sum(one["share"] for one in output["factors"]) == pytest.approx(1.0)
    # The reference explained against itself: what moves margins up and down cancels out.
    assert sum(one["mean"] for one in output["factors"]) == pytest.approx(0.0, abs=1e-5)
    assert {one["factor"]: one["features"] for one in output["factors"]}["f3"] == ["f3"]


def test_its_outcome_stands_in_clear_and_once(world: Any, resources: Resources) -> None:
    evaluation_id = world.request_importance("slow")
    evaluate(resources, evaluation_id)
    evaluate(resources, evaluation_id)  # delivered twice
    found = world.read(evaluation_id)
    assert found.attempts == 1
    stored = world.log.read(found.outcome_entry_id)
    assert stored.entry.type == "evaluation.completed"
    assert stored.ciphertext is None
    told = stored.entry.body["result"]
    assert told["reference_digest"] == world.versions["slow"].content.reference_digest
    strongest = told["outputs"][0]["factors"][0]
    assert float(strongest["mean_abs"]) == found.result["outputs"][0]["factors"][0]["mean_abs"]
    assert found.result["rows"] == len(world.versions["slow"].reference.rows) > CHUNK_ROWS


def test_it_stops_between_two_chunks_when_it_is_cancelled(
    world: Any, resources: Resources, monkeypatch: pytest.MonkeyPatch
) -> None:
    evaluation_id = world.request_importance("slow")
    get_any = VersionCache.get_any
    chunks = []

    def get(cache: VersionCache, model: str, version: str) -> LoadedVersion:
        loaded = get_any(cache, model, version)
        return replace(loaded, shap=_Watched(loaded.shap))

    class _Watched:
        def __init__(self, shap: Any) -> None:
            self._shap = shap

        def explain_batch(self, rows: Any, output: int) -> Any:
            chunks.append(len(rows))
            if len(chunks) == 3:
                with world.pool.connection() as conn:
                    now = SystemClock().now()
                    cancel_evaluation(conn, world.log, evaluation_id, "token:test", now)
            time.sleep(0.1)  # time for a heartbeat, which carries progress there and a cancellation back
            return self._shap.explain_batch(rows, output)

    monkeypatch.setattr(VersionCache, "get_any", get)
    evaluate(resources, evaluation_id)
    found = world.read(evaluation_id)
    assert (found.state, found.result) == ("cancelled", None)
    assert len(chunks) < 900 // CHUNK_ROWS
    assert 0 < found.progress < 1
    assert world.log.read(found.outcome_entry_id).entry.type == "evaluation.cancelled"


def test_values_that_miss_the_native_margins_are_an_incident_and_no_average(
    world: Any, resources: Resources, monkeypatch: pytest.MonkeyPatch
) -> None:
    evaluation_id = world.request_importance()
    loaded = resources.versions.get_any("m", "quick")
    monkeypatch.setattr(type(loaded.model), "margins", _shifted(type(loaded.model)))
    evaluate(resources, evaluation_id)
    found = world.read(evaluation_id)
    assert (found.state, found.failure, found.result) == ("failed", "attribution-unreconciled", None)
    assert world.log.read(found.outcome_entry_id).entry.type == "evaluation.failed"
    with world.pool.connection() as conn:
        raised = conn.execute("select count(*) from audit.entry where type = 'incident.raised'").fetchone()
    assert raised == (1,)


def _shifted(model: type[Any]) -> Any:
    given = model.margins
    return lambda self, rows: given(self, rows) + 0.01


def test_what_it_cannot_be_asked_fails_by_name(world: Any, resources: Resources) -> None:
    evaluation_id = world.request_importance("unknown")
    evaluate(resources, evaluation_id)
    assert world.read(evaluation_id).failure == "model-not-loadable"
