"""The evaluation `reason_stability`: how often one recorded decision keeps its reasons over drawn references.

What is drawn from is the version's frozen reference. Reason codes stand in clear in the explanation's own
entry, so their frequencies may too; their factors, and which others took their place, are encrypted.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import orjson
from numpy.typing import NDArray

from audit.canonical import canonical
from audit.entry import Draft
from explain.attribution import linear, treeshap
from explain.evaluation.decision_stability import (
    DecisionStability,
    DrawnReason,
    decision_stability,
    drawn_values,
)
from explain.evaluation.ranking import NONE, Ranking
from explain.evaluation.stability import RESAMPLED, Draws, most_rows, outputs_of
from explain.seeding import canonical_row, seed_for
from records.evaluations import Evaluation, outcome_body, outcome_idempotency
from records.leases import Outcome
from records.private_parts import PrivatePart, ReasonPart
from registry.measuring import ranking_of
from workers.crosschecking import Recorded, read_recorded
from workers.errors import EvaluationImpossible
from workers.leasing import HeldLease
from workers.resources import ACTOR, Resources
from workers.writing import without_reals

METHODS = (treeshap.METHOD, linear.METHOD)
METHOD = "bootstrap_of_one_decision/v1"
DRAWS = 1_000


@dataclass(frozen=True, slots=True, eq=False)
class Ranked:
    """The model's own recorded reasons, and the ranking that gives them: its numbers in order."""

    reasons: tuple[ReasonPart, ...]
    ranking: Ranking
    principal: NDArray[np.int64]  # (limit,)


def stabilize_reasons(resources: Resources, evaluation: Evaluation, lease: HeldLease) -> Outcome:
    """Draw the reference anew, many times, and count where each recorded reason ends up."""
    recorded = read_recorded(resources, evaluation, METHODS)
    ranked = read_ranked(recorded)
    lease.report(0.0)
    loaded = recorded.loaded
    seed = seed_for(loaded.model.digest, canonical_row(recorded.row), METHOD)
    reference = loaded.reference.rows
    draws = Draws.of(
        len(reference),
        int(evaluation.parameters.get("draws", DRAWS)),
        most_rows(reference.shape[1]),
        np.random.default_rng(seed),
    )
    drawn = drawn_values(
        (loaded.model, loaded.shap, outputs_of(loaded.rule, contrast_of(recorded.private))),
        (recorded.row, recorded.phi),
        reference,
        draws,
        lease.report,
    )
    found = decision_stability(ranked.principal, ranked.ranking.principal(drawn), len(draws.rows))
    result = {
        **_summary(found, ranked),
        "reference_rows": len(reference),
        "method": METHOD,
        "seed": str(seed),
    }
    names = [factor.name for factor in loaded.factors]
    private = {"reasons": _told(found.reasons, names), "others": _told(found.others, names)}
    completed = completed_about(evaluation, recorded, result, private)
    return Outcome("completed", None, orjson.dumps(result), (completed,))


def read_ranked(recorded: Recorded) -> Ranked:
    """Rank the recorded values and find the recorded reasons; EvaluationImpossible if they are not those.

    Beside other components' reasons there may have been room for fewer of the model's.
    """
    reasons = sorted(recorded.private["reasons"], key=lambda one: one["rank"])
    own = tuple(one for one in reasons if one["contribution"] is not None)  # others' have no numbers
    if not own:
        raise EvaluationImpossible("no-reasons")
    ranking = ranking_of(recorded.loaded, len(own) if len(own) < len(reasons) else None)
    principal = ranking.principal(recorded.phi[np.newaxis])[0]
    factors = [recorded.loaded.factors[at].name for at in principal.tolist() if at != NONE]
    if factors != [one["factor"] for one in own]:
        raise EvaluationImpossible("reasons-do-not-fit-the-attribution")
    return Ranked(own, ranking, principal)


def contrast_of(private: PrivatePart) -> tuple[str, str] | None:
    """The two classes of the decision, (adverse, favourable), where the model has several."""
    between = private["decision"].get("contrast")
    return None if between is None else (between["adverse"], between["favourable"])


def completed_about(
    evaluation: Evaluation, recorded: Recorded, result: Mapping[str, object], private: Mapping[str, object]
) -> Draft:
    """The outcome entry: the summary in clear, what it says of one person's decision encrypted."""
    return Draft(
        type="evaluation.completed",
        actor=ACTOR,
        body={**outcome_body(evaluation), "result": without_reals(result)},
        private=canonical(without_reals(private)),
        beside=recorded.beside,
        retention_class=recorded.retention_class,
        about=recorded.explanation_id,
        idempotency=outcome_idempotency(evaluation.evaluation_id),
    )


def _summary(found: DecisionStability, ranked: Ranked) -> dict[str, object]:
    """What may be known without opening the entry."""
    return {
        "resampled": RESAMPLED,
        "draws": found.draws,
        "rows": found.rows,
        "same_order": found.same_order,
        "same_order_standard_error": found.same_order_standard_error,
        "same_set": found.same_set,
        "same_set_standard_error": found.same_set_standard_error,
        "same_first": found.same_first,
        "same_first_standard_error": found.same_first_standard_error,
        "reasons": [
            {"rank": rank, "code": part["code"], "at_rank": list(one.at_rank), "absent": one.absent}
            for rank, (part, one) in enumerate(zip(ranked.reasons, found.reasons, strict=True), start=1)
        ],
    }


def _told(drawn: Sequence[DrawnReason], names: Sequence[str]) -> list[dict[str, object]]:
    return [
        {"factor": names[one.factor], "at_rank": list(one.at_rank), "absent": one.absent} for one in drawn
    ]
