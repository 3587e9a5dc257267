"""The evaluation `kernelshap`: recompute one recorded attribution by another method, and compare.

The recorded values come from an exact algorithm over the trees; the second opinion asks only the native
library for margins. Both explain the same row against the same frozen reference.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from uuid import UUID

import numpy as np
import orjson
from numpy.typing import NDArray

from audit.canonical import JsonValue, canonical, decimal
from audit.entry import Draft
from audit.errors import EntryNotFound, IntegrityHalt, KeyMissing, PayloadErased
from explain.attribution.kernelshap import METHOD, EffortTooSmall, KernelShapEstimate, kernelshap
from explain.errors import ExplainError, InvalidFeatures
from explain.evaluation.crosscheck import CrossCheck, cross_check
from explain.seeding import canonical_row, seed_for
from records.evaluations import Evaluation, outcome_body, outcome_idempotency
from records.leases import Outcome
from records.private import PrivatePart, PrivatePartMalformed, parse_private
from records.reaching import reaching
from records.subjects import key_beside
from registry.errors import RegistryError
from registry.loading import LoadedVersion
from workers.errors import EvaluationImpossible
from workers.leasing import HeldLease
from workers.resources import ACTOR, Resources
from workers.writing import without_reals

FloatArray = NDArray[np.float64]
COMPARABLE = ("interventional_treeshap",)


@dataclass(frozen=True, slots=True, eq=False)
class Recorded:
    """One explanation as the log holds it, with the model and reference it was made with."""

    explanation_id: UUID
    beside: UUID | None  # the key beside which everything is kept that is said about it
    retention_class: str
    body: Mapping[str, JsonValue]
    private: PrivatePart
    loaded: LoadedVersion
    row: FloatArray  # (features,) in model order
    phi: FloatArray  # (features,) in model order


def cross_check_explanation(resources: Resources, evaluation: Evaluation, lease: HeldLease) -> Outcome:
    """Estimate the Shapley values anew by KernelSHAP and say whether they agree with the record."""
    recorded = read_recorded(resources, evaluation)
    lease.report(0.0)
    seed = seed_for(recorded.loaded.model.digest, canonical_row(recorded.row), METHOD)
    estimate = _estimate(resources, recorded, lease, seed)
    attribution = recorded.private["attribution"]
    check = cross_check(
        attribution["base_value"],
        recorded.phi,
        estimate,
        tolerance=attribution["reconciliation"]["tolerance"],
    )
    result = _summary(check, estimate, seed)
    drafts = [_completed(evaluation, recorded, estimate, result)]
    if not check.agrees:
        drafts.append(_incident(evaluation, recorded))
    return Outcome("completed", None, orjson.dumps(result), tuple(drafts))


def read_recorded(
    resources: Resources, evaluation: Evaluation, methods: tuple[str, ...] | None = COMPARABLE
) -> Recorded:
    """Open the explanation and load what it was made with; EvaluationImpossible names what is not there.

    It must be by one of these methods; None: by any.
    """
    explanation_id = _explanation_id(evaluation.parameters)
    try:
        stored = resources.log.read(explanation_id)
        if stored.entry.type != "explanation.created":
            raise EvaluationImpossible("not-an-explanation")
        private = parse_private(resources.log.open(stored))
    except EntryNotFound as error:
        raise EvaluationImpossible("explanation-unknown") from error
    except PayloadErased as error:
        raise EvaluationImpossible("explanation-erased") from error
    except KeyMissing as error:
        raise EvaluationImpossible("key-missing") from error
    except IntegrityHalt as error:
        raise EvaluationImpossible("entry-damaged") from error
    except PrivatePartMalformed as error:
        raise EvaluationImpossible("explanation-unreadable") from error
    loaded = _load(resources, evaluation, stored.entry.body, methods)
    values = {row["name"]: row["value"] for row in private["features"]}
    phi = {row["feature"]: row["phi"] for row in private["attribution"]["values"]}
    try:
        row = loaded.space.read(values).row
        in_order = np.array([phi[name] for name in loaded.space.names], dtype=np.float64)
    except (InvalidFeatures, KeyError) as error:
        raise EvaluationImpossible("explanation-does-not-fit-the-model") from error
    entry = stored.entry
    return Recorded(
        explanation_id,
        key_beside(entry),
        entry.retention_class,
        entry.body,
        private,
        loaded,
        row,
        in_order,
    )


def _explanation_id(parameters: Mapping[str, str]) -> UUID:
    try:
        return UUID(parameters["explanation_id"])
    except (KeyError, ValueError) as error:
        raise EvaluationImpossible("explanation-unknown") from error


def _load(
    resources: Resources,
    evaluation: Evaluation,
    body: Mapping[str, JsonValue],
    methods: tuple[str, ...] | None,
) -> LoadedVersion:
    """The very version the explanation was made with, checked by digest."""
    if (body.get("model"), body.get("version")) != (evaluation.model, evaluation.version):
        raise EvaluationImpossible("explanation-of-another-version")
    if methods is not None and body.get("method") not in methods:
        raise EvaluationImpossible("method-not-comparable")
    try:
        with reaching():
            loaded = resources.versions.get_any(evaluation.model, evaluation.version)
    except (RegistryError, ExplainError) as error:
        raise EvaluationImpossible("model-not-loadable") from error
    digests = (loaded.artifact_digest, loaded.reference_digest)
    if (body.get("model_digest"), body.get("reference_digest")) != digests:
        raise EvaluationImpossible("digests-differ")
    return loaded


def _estimate(resources: Resources, recorded: Recorded, lease: HeldLease, seed: int) -> KernelShapEstimate:
    """Run KernelSHAP over the whole reference; every chunk reports progress and may be told to stop."""
    reference = recorded.loaded.reference.rows
    margins_of = _margins_of(recorded)
    policy = resources.policy
    effort = max(policy.effort, policy.fewest_coalitions * len(reference))
    expected = min(effort, len(reference) * 2 ** min(len(recorded.row), 40))
    scored = 0

    def margins(rows: FloatArray) -> FloatArray:
        nonlocal scored
        values = margins_of(rows)
        scored += len(rows)
        lease.report(scored / expected)
        return values

    try:
        return kernelshap(margins, recorded.row, reference, seed=seed, max_evaluations=effort)
    except EffortTooSmall as error:
        raise EvaluationImpossible("effort-too-small") from error


def _margins_of(recorded: Recorded) -> Callable[[FloatArray], FloatArray]:
    """What was attributed, as a function of rows: the margin, or the difference of two classes' margins."""
    model, contrast = recorded.loaded.model, recorded.loaded.rule.contrast
    between = recorded.private["decision"].get("contrast")
    if contrast is None or between is None:
        return model.margins
    adverse, favourable = (contrast.classes.index(between[side]) for side in ("adverse", "favourable"))

    def difference(rows: FloatArray) -> FloatArray:
        margins = model.margins(rows)
        return np.asarray(margins[:, adverse] - margins[:, favourable])

    return difference


def _summary(check: CrossCheck, estimate: KernelShapEstimate, seed: int) -> dict[str, object]:
    """What may be known without opening the entry: how well the numbers agree, not the numbers."""
    return {
        "agrees": check.agrees,
        "max_abs_difference": check.max_abs_difference,
        "base_value_difference": check.base_value_difference,
        "max_standard_error": check.max_standard_error,
        "tolerance": check.tolerance,
        "critical_value": check.critical_value,
        "top_4_agreement": check.top_agreement,
        "sign_agreement": check.sign_agreement,
        "evaluations": estimate.evaluations,
        "converged": estimate.converged,
        "exact": estimate.exact,
        "method": METHOD,
        "seed": str(seed),
    }


def _completed(
    evaluation: Evaluation, recorded: Recorded, estimate: KernelShapEstimate, result: Mapping[str, object]
) -> Draft:
    """The outcome entry: the summary in clear, the values of one person's decision encrypted."""
    names = recorded.loaded.space.names
    columns = zip(names, recorded.phi, estimate.phi, estimate.standard_error, strict=True)
    values = [
        {
            "feature": name,
            "recorded": decimal(float(phi)),
            "estimated": decimal(float(estimated)),
            "standard_error": decimal(float(error)),
        }
        for name, phi, estimated, error in columns
    ]
    private = canonical({"base_value": decimal(estimate.base_value), "values": values})
    return Draft(
        type="evaluation.completed",
        actor=ACTOR,
        body={**outcome_body(evaluation), "result": without_reals(result)},
        private=private,
        beside=recorded.beside,
        retention_class=recorded.retention_class,
        about=recorded.explanation_id,
        idempotency=outcome_idempotency(evaluation.evaluation_id),
    )


def _incident(evaluation: Evaluation, recorded: Recorded) -> Draft:
    """Two methods disagree about a recorded explanation: somebody has to look."""
    return Draft(
        type="incident.raised",
        actor=ACTOR,
        body={
            "kind": "cross-check-disagreement",
            "evaluation_id": str(evaluation.evaluation_id),
            "explanation_id": str(recorded.explanation_id),
            "model": evaluation.model,
            "version": evaluation.version,
        },
        private=canonical({"decision_id": recorded.private["decision_id"]}),
        beside=recorded.beside,
        retention_class=recorded.retention_class,
        about=recorded.explanation_id,
    )
