"""The evaluation `counterfactual_metrics`: how good the counterfactuals of one explanation are.

The measures and their definitions are those of `explain.evaluation.counterfactual_metrics`. They are taken of
the answered set, or of what a worker found later where nothing had been answered.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

import numpy as np
import orjson
from numpy.typing import NDArray

from audit.errors import IntegrityHalt, KeyMissing, PayloadErased
from explain.errors import InvalidFeatures
from explain.evaluation.counterfactual_metrics import DRAWS, NOISE, Population, SetMetrics, measure
from explain.reference import Reference
from explain.seeding import canonical_row, seed_for
from records.counterfactual_parts import CounterfactualItem
from records.evaluations import Evaluation
from records.leases import Outcome
from records.private import PrivatePartMalformed, parse_supplement
from records.searched import changed_values
from workers.comparing_references import select_other
from workers.crosschecking import Recorded, read_recorded
from workers.errors import EvaluationImpossible
from workers.leasing import HeldLease
from workers.resources import Resources
from workers.stabilizing import completed_about
from workers.supplementing import SUPPLEMENTED, Sought, sought_of

FloatArray = NDArray[np.float64]

METHOD = "counterfactual_metrics/v1"
MEANS = ("cost", "numeric", "named", "changed", "nearest", "stays", "beyond")


def measure_counterfactuals(resources: Resources, evaluation: Evaluation, lease: HeldLease) -> Outcome:
    """Score and measure every item anew; nothing of it is taken from the record but what would change."""
    recorded = read_recorded(resources, evaluation, None)
    sought = sought_of(recorded)
    of, items = _items(resources, recorded, evaluation.parameters.get("of"))
    rows = _rows(recorded, items)
    lease.report(0.1)
    own = Population.of(sought.problem, recorded.loaded.reference)
    other = _other(resources, recorded, evaluation.parameters.get("reference"))
    lease.report(0.4)
    seed = seed_for(recorded.loaded.model.digest, canonical_row(recorded.row), METHOD)
    elsewhere = None if other is None else Population.of(sought.problem, other)
    found = measure(sought.problem, rows, own, elsewhere, seed=seed)
    result = {
        "of": of,
        **_summary(found, recorded.loaded.reference, sought),
        "other": None if other is None else _elsewhere(found, other),
        "noise": NOISE,
        "draws": DRAWS,
        "method": METHOD,
        "seed": str(seed),
    }
    private = {"items": [asdict(item) for item in found.items]}
    completed = completed_about(evaluation, recorded, result, private)
    return Outcome("completed", None, orjson.dumps(result), (completed,))


def _items(
    resources: Resources, recorded: Recorded, wanted: str | None
) -> tuple[str, Sequence[CounterfactualItem]]:
    """Whose items are measured: the answer's, or the newest supplement's that has any."""
    answered = recorded.private["counterfactuals"]["items"]
    if answered and wanted != "supplement":
        return "answer", answered
    if wanted != "answer":
        for stored in reversed(resources.log.about(recorded.explanation_id, SUPPLEMENTED)):
            try:
                supplemented = parse_supplement(resources.log.open(stored))
            except (PayloadErased, KeyMissing, IntegrityHalt, PrivatePartMalformed) as error:
                raise EvaluationImpossible("supplement-unreadable") from error
            if supplemented["counterfactuals"]["items"]:
                return "supplement", supplemented["counterfactuals"]["items"]
    raise EvaluationImpossible("no-counterfactuals")


def _rows(recorded: Recorded, items: Sequence[CounterfactualItem]) -> FloatArray:
    """The rows (items, features) that somebody would have after the changes, read as a caller's."""
    space = recorded.loaded.space
    try:
        return np.stack([space.read(changed_values(recorded.private, item)).row for item in items])
    except InvalidFeatures as error:
        raise EvaluationImpossible("explanation-does-not-fit-the-model") from error


def _other(resources: Resources, recorded: Recorded, wanted: str | None) -> Reference | None:
    """The other choice of reference; None where none was named and the usual one is not to be had."""
    own = recorded.loaded.reference.kind
    usual = "all_applicants" if own == "near_cutoff_approved" else "near_cutoff_approved"
    try:
        return select_other(resources, recorded, wanted or usual)
    except EvaluationImpossible:
        if wanted is not None:
            raise
        return None


def _summary(found: SetMetrics, reference: Reference, sought: Sought) -> dict[str, object]:
    """What is true of the whole set: shares, means and counts, and in units of which reference."""
    return {
        "count": len(found.items),
        "asked": sought.problem.count,
        "validity": found.mean("valid"),
        **{name: found.mean(name) for name in MEANS},
        "diversity": found.diversity,
        "pairwise": found.pairwise,
        "own_nearest": found.own_nearest,
        "reference": {"kind": reference.kind, "rows": len(reference.rows), "digest": reference.digest},
    }


def _elsewhere(found: SetMetrics, other: Reference) -> dict[str, object]:
    return {
        "kind": other.kind,
        "rows": len(other.rows),
        "digest": other.digest,
        "cost": found.mean("cost_elsewhere"),
        "nearest": found.mean("nearest_elsewhere"),
        "own_nearest": found.own_nearest_elsewhere,
        "same_order": found.same_order,
        "same_first": found.same_first,
    }
