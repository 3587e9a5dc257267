"""Constraints on counterfactuals beside the uploaded rows: what contradicts is told while it can be mended.

A person whose values contradict a group or a link gets no counterfactual: the request for one is refused.
Here that is found for all uploaded rows at once, before the version serves.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from explain.counterfactual.constraints.checker import Constraints
from explain.counterfactual.constraints.observed import Observed, observe
from explain.evaluation.warning import MOST_TOLD, ModelWarning
from explain.reasons import Factor
from registry.cells import FloatArray
from registry.errors import ReferenceContradiction
from registry.manifests import SECTION
from schemas.problem import PointedError

_CODES = {"group": "group_contradicted", "link": "link_contradicted", "inequality": "inequality_broken"}
_REFUSED = (
    "Such a person's request is refused where a counterfactual is looked for (422 invalid-input, the feature "
    "named); with `count: 0`, or a favourable decision and no target, it is explained"
)
_KEPT = (
    "Such a person's request is answered, but every counterfactual has to bring the sum within its bound, so "
    "that there may be none"
)


@dataclass(frozen=True, slots=True)
class Observation:
    """What the report says about constraints: every one with its counts, and the warnings."""

    checks: tuple[dict[str, object], ...]
    warnings: tuple[ModelWarning, ...]


def observed(constraints: Constraints, rows: FloatArray, factors: Sequence[Factor]) -> Observation:
    """Compare the constraints with the uploaded rows (n, features).

    Raises ReferenceContradiction where no row that can be compared keeps a group or a link, and they are
    enough to tell that it is the manifest, or the column, that is wrong.
    """
    found = observe(constraints, rows)
    hopeless = [one for one in found if one.hopeless and one.kind != "inequality"]
    if hopeless:
        raise ReferenceContradiction(
            PointedError(pointer=SECTION + one.pointer, detail=_refusal(one)) for one in hopeless
        )
    owner = {feature: factor.name for factor in factors for feature in factor.features}
    return Observation(tuple(_check(one) for one in found), _warnings(found, owner))


def _warnings(found: Sequence[Observed], owner: dict[str, str]) -> tuple[ModelWarning, ...]:
    """Warn of those that most rows contradict, of so many of each kind."""
    told = []
    for kind, code in _CODES.items():
        broken = [one for one in found if one.kind == kind and one.contradicted]
        broken.sort(key=lambda one: -one.contradicted)
        for one in broken[:MOST_TOLD]:
            factors = tuple(dict.fromkeys(owner[name] for name in one.features))
            told.append(ModelWarning.of(code, _warning(one), factors, one.features))
    return tuple(told)


def _check(one: Observed) -> dict[str, object]:
    return {
        "pointer": SECTION + one.pointer,
        "rows": one.rows,
        "compared": one.compared,
        "contradicted": one.contradicted,
        "share": one.contradicted / one.rows,
        "largest_difference": one.difference,
    }


def _refusal(one: Observed) -> str:
    what = f"all {one.compared} uploaded rows in which it can be compared contradict it"
    if one.contradicted == one.rows != one.compared:
        what = "every uploaded row contradicts it"
    return f"{_capped(one.rule)}: {what}{_evidence(one)}"


def _warning(one: Observed) -> str:
    verb = "break" if one.kind == "inequality" else "contradict"
    share = f"{one.contradicted} of {one.rows} uploaded rows ({100 * one.contradicted / one.rows:.3g} %)"
    none = (
        f". It can be compared in {_rows(one.compared)}, and none keeps it"
        if one.compared and not one.agreeing
        else ""
    )
    after = _KEPT if one.kind == "inequality" else _REFUSED
    return f"{SECTION}{one.pointer}: {share} {verb} {_capped(one.rule)}{_evidence(one)}{none}. {after}."


def _rows(count: int) -> str:
    return f"{count} row{'' if count == 1 else 's'}"


def _evidence(one: Observed) -> str:
    """Say how far and in which way: no value of a row."""
    said = [] if one.difference is None else [f"largest difference {one.difference:g}"]
    said += [one.remark] if one.remark else []
    return f" ({'; '.join(said)})" if said else ""


def _capped(rule: str, most: int = 200) -> str:
    return rule if len(rule) <= most else rule[: most - 1] + "…"
