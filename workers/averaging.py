"""The evaluation `importance`: how far each factor, and each feature, moves the margin on average.

The rows are the version's own frozen reference. They are many people's, so nothing of a single row is told:
the result is averages alone, and stands in clear.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import orjson
from numpy.typing import NDArray

from audit.entry import Draft
from explain.attribution.base import tolerance_for
from explain.errors import ExplainError
from explain.evaluation.importance import FactorImportance, each_feature, importance
from records.evaluations import Evaluation, outcome_body, outcome_idempotency
from records.leases import Outcome
from records.reaching import reaching
from registry.errors import RegistryError
from registry.loading import LoadedVersion
from runtime.metrics import UNRECONCILED
from workers.errors import EvaluationImpossible
from workers.leasing import HeldLease
from workers.resources import ACTOR, Resources
from workers.writing import without_reals

Reals = NDArray[np.float64]
METHOD = "mean_absolute_shapley/v1"
CHUNK_ROWS = 128


def average_importance(resources: Resources, evaluation: Evaluation, lease: HeldLease) -> Outcome:
    """Explain every row of the reference and average; each row is reconciled with the native margin."""
    if evaluation.parameters != {"over": "reference"}:
        raise EvaluationImpossible("parameters-unknown")
    try:
        with reaching():
            loaded = resources.versions.get_any(evaluation.model, evaluation.version)
    except (RegistryError, ExplainError) as error:
        raise EvaluationImpossible("model-not-loadable") from error
    lease.report(0.0)
    names = loaded.manifest.outcome.classes or (None,)
    outputs = [
        {"output": name, **_output(evaluation, loaded, lease, (number, len(names)))}
        for number, name in enumerate(names)
    ]
    result = {
        "over": "reference",
        "rows": len(loaded.reference.rows),
        "model_digest": loaded.artifact_digest,
        "reference_digest": loaded.reference_digest,
        "method": METHOD,
        "outputs": outputs,
    }
    completed = Draft(
        type="evaluation.completed",
        actor=ACTOR,
        body={**outcome_body(evaluation), "result": without_reals(result)},
        idempotency=outcome_idempotency(evaluation.evaluation_id),
    )
    return Outcome("completed", None, orjson.dumps(result), (completed,))


def _output(
    evaluation: Evaluation, loaded: LoadedVersion, lease: HeldLease, place: tuple[int, int]
) -> Mapping[str, object]:
    """One output, at this place among so many: its base value, its factors and features by rank."""
    output, outputs = place
    rows, space = loaded.reference.rows, loaded.space
    phi, largest = np.empty(rows.shape), 0.0
    base_value = 0.0
    for start in range(0, len(rows), CHUNK_ROWS):
        chunk = rows[start : start + CHUNK_ROWS]
        base_value, values = loaded.shap.explain_batch(chunk, output)
        margins = loaded.model.margins(chunk).reshape(len(chunk), -1)[:, output]
        largest = max(largest, _reconciled(evaluation, loaded, base_value + values.sum(axis=1), margins))
        phi[start : start + len(chunk)] = values
        lease.report((output + (start + len(chunk)) / len(rows)) / outputs)
    positions = {name: position for position, name in enumerate(space.names)}
    factors = [(factor.name, tuple(positions[name] for name in factor.features)) for factor in loaded.factors]
    return {
        "base_value": base_value,
        "reconciliation_max_error": largest,
        "factors": [
            {**_told(one, "factor"), "features": [space.names[at] for at in one.features]}
            for one in importance(phi, factors).factors
        ],
        "features": [_told(one, "feature") for one in importance(phi, each_feature(space.names)).factors],
    }


def _told(one: FactorImportance, what: str) -> dict[str, object]:
    return {
        "rank": one.rank,
        what: one.factor,
        "mean_abs": one.mean_abs,
        "standard_error": one.standard_error,
        "mean": one.mean,
        "share": one.share,
    }


def _reconciled(
    evaluation: Evaluation, loaded: LoadedVersion, totals: Reals, margins: Sequence[float] | Reals
) -> float:
    """Return the largest error; totals that miss the native margins are an incident, and no average."""
    expected = np.asarray(margins)
    tolerances = np.array([tolerance_for(margin, loaded.model.float_width) for margin in expected.tolist()])
    errors = np.abs(totals - expected)
    if (errors <= tolerances).all():
        return float(errors.max())
    UNRECONCILED.inc()
    incident = Draft(
        type="incident.raised",
        actor=ACTOR,
        body={
            "kind": "attribution-unreconciled",
            "evaluation_id": str(evaluation.evaluation_id),
            "model": evaluation.model,
            "version": evaluation.version,
            "model_digest": loaded.artifact_digest,
            "reference_digest": loaded.reference_digest,
        },
    )
    raise EvaluationImpossible("attribution-unreconciled", incident)
