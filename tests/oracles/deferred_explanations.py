"""Explanations whose counterfactuals a worker still owes, beside the enumeration of everything permitted."""

from __future__ import annotations

from itertools import product
from typing import Any, cast
from uuid import UUID, uuid4

import numpy as np

from audit.entry import Draft
from explain.counterfactual.options import scales_of
from records.private import build_private
from records.private_parts import PrivatePart
from records.promises import promise_counterfactuals, promise_of
from records.subjects import subject_named
from runtime.clock import SystemClock
from tests.oracles.enumerated_versions import FEATURES, Prepared, private_part
from tests.oracles.records import asked_part

STEP, REACH = 0.5, 2.0
FREE = ("f0", "f1", "f3")
"""What an applicant may change, each over the same grid."""

GRID = np.arange(-REACH, REACH + STEP / 2, STEP)


def freedoms(names: tuple[str, ...]) -> dict[str, Any]:
    freedom = {"mutable": True, "range": [-REACH, REACH], "step": STEP}
    return {"features": dict.fromkeys(names, freedom), "max_changes": 2}


def declined(prepared: Prepared) -> np.ndarray[Any, Any]:
    """A row that the model finds clearly adverse."""
    rows = np.round(np.random.default_rng(2).normal(size=(500, FEATURES)), 1)
    scores = prepared.model.predict(rows).scores
    found: np.ndarray[Any, Any] = rows[int(np.argsort(scores)[-25])]
    return found


def explain(world: Any, version: str = "open", *, evaluation_id: UUID | None = None, **members: Any) -> UUID:
    """Put an explanation on record whose counterfactuals are still owed, or are those given."""
    prepared: Prepared = world.versions[version]
    row = declined(prepared)
    given = private_part(prepared, prepared.phi)
    part = {
        "status": "deferred",
        "complete": False,
        "items": [],
        "evaluation_id": None if evaluation_id is None else str(evaluation_id),
        "seed": "7",
        "asked": asked_part(),
        **members,
    }
    features = [{**one, "value": float(row[at])} for at, one in enumerate(given["features"])]
    private = {**given, "subject_ref": None, "features": features, "counterfactuals": part}
    body = {
        "model": "m",
        "version": version,
        "model_digest": prepared.content.identity.artifact_digest,
        "reference_digest": prepared.content.reference_digest,
        "method": "interventional_treeshap",
        "counterfactual_status": part["status"],
        "counterfactual_evaluation_id": part["evaluation_id"],
    }
    subject = subject_named("m", given["decision_id"], None)
    draft = Draft(
        "explanation.created", "token:test", body, build_private(cast("PrivatePart", private)), subject
    )
    found: UUID = world.log.append_one(draft, SystemClock().now()).entry_id
    return found


def defer(world: Any, version: str = "open", **members: Any) -> tuple[UUID, UUID]:
    """The same with its promise kept, as the service keeps it: the explanation and the evaluation."""
    evaluation_id = uuid4()
    explanation_id = explain(world, version, evaluation_id=evaluation_id, **members)
    promise = promise_of(world.log.read(explanation_id).entry)
    assert promise is not None
    with world.pool.connection() as conn:
        assert promise_counterfactuals(conn, [promise]) == [evaluation_id]
    return explanation_id, evaluation_id


def enumerated_rows(prepared: Prepared, row: Any, free: tuple[str, ...] = FREE) -> tuple[float, Any]:
    """The least cost of all permitted changes that the native model approves, by looking at every one."""
    scales = scales_of(prepared.reference)
    at = [int(name[1:]) for name in free]
    choices = np.array(list(product(*[[np.nan, *GRID] for _ in at])))
    rows = np.tile(row, (len(choices), 1))
    rows[:, at] = np.where(np.isnan(choices), row[at], choices)
    changed = rows != row
    rows, changed = rows[changed.sum(axis=1) <= 2], changed[changed.sum(axis=1) <= 2]
    good = prepared.model.predict(rows).scores < 0.5
    costs = (np.abs(rows - row) / scales).sum(axis=1) + changed.sum(axis=1)
    return float(costs[good].min(initial=np.inf)), rows[good]


def item_of(prepared: Prepared, row: Any, changed: Any) -> dict[str, Any]:
    """One item as an answer would have it."""
    at = np.flatnonzero(changed != row).tolist()
    prediction = prepared.model.predict(changed[None, :])
    return {
        "changes": [
            {"feature": f"f{n}", "from": float(row[n]), "to": float(changed[n]), "derived": False} for n in at
        ],
        "score": float(prediction.scores[0]),
        "margin": float(prediction.margins[0]),
        "outcome": "approve",
        "verified": True,
        "cost": float((np.abs(changed - row) / scales_of(prepared.reference)).sum() + len(at)),
        "method": "threshold_search",
    }
