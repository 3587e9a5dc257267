"""What a counterfactual may change, said once more, slowly: one row, one feature and one rule at a time.

Sums, steps and roundings are exact fractions of the decimals as they are written; formulas are Python's own.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from typing import Any

Values = Mapping[str, float]


class TooClose(Exception):
    """The exact answer is so close to a tie that float64 may see it otherwise."""


@dataclass(frozen=True)
class Declared:
    """Constraints as plain data: freedoms by feature, groups, sums (terms, at most), links by feature."""

    features: Mapping[str, Mapping[str, Any]]
    freedoms: Mapping[str, Mapping[str, Any]]
    max_changes: int
    groups: Sequence[Sequence[str]] = ()
    sums: Sequence[tuple[Mapping[str, float], float]] = ()
    links: Mapping[str, tuple[str, int | None]] = field(default_factory=dict)
    parts: Mapping[str, Sequence[str]] = field(default_factory=dict)


def exact(number: float) -> Fraction:
    return Fraction(Decimal(repr(float(number))))


def same(one: float, other: float) -> bool:
    return one == other or (math.isnan(one) and math.isnan(other))


def changed_names(declared: Declared, before: Values, after: Values) -> list[str]:
    return [name for name in declared.features if not same(before[name], after[name])]


def count_changes(declared: Declared, before: Values, after: Values) -> int:
    changed = [name for name in changed_names(declared, before, after) if name not in declared.links]
    moved = [group for group in declared.groups if any(name in group for name in changed)]
    return len(moved) + sum(not any(name in group for group in declared.groups) for name in changed)


def permitted(declared: Declared, before: Values, after: Values) -> bool:
    """Tell whether every rule holds for the step from one row to the other."""
    changed = changed_names(declared, before, after)
    return (
        all(_may_become(declared, name, before[name], after[name]) for name in changed)
        and all(_one_hot(group, after) for group in declared.groups if set(group) & set(changed))
        and all(_follows(declared, name, before, after) for name in declared.links)
        and all(_sum_holds(terms, bound, after) for terms, bound in declared.sums)
        and count_changes(declared, before, after) <= declared.max_changes
    )


def _may_become(declared: Declared, name: str, before: float, after: float) -> bool:
    feature, freedom = declared.features[name], declared.freedoms[name]
    derived = name in declared.links
    free = derived or freedom.get("mutable", False)
    known = derived or not math.isnan(before) or freedom.get("fill", False)
    within = all(low <= after <= high for low, high in (feature["range"], freedom["range"]))
    if not (free and known and math.isfinite(after) and within):
        return False
    moves = freedom.get("direction") and not math.isnan(before)
    if moves and (after > before) != (freedom["direction"] == "increase"):
        return False
    if feature["type"] == "category":
        return _may_turn(feature["categories"], freedom, before, after)
    if feature["type"] == "boolean":
        return after in (0.0, 1.0)
    step = freedom.get("step") or (1.0 if feature["type"] == "integer" else None)
    return derived or step is None or (exact(after) / exact(step)).denominator == 1


def _may_turn(labels: Sequence[str], freedom: Mapping[str, Any], before: float, after: float) -> bool:
    if after not in range(len(labels)):
        return False
    transitions = freedom.get("transitions")
    if transitions is None or math.isnan(before):
        return True
    return labels[int(after)] in transitions.get(labels[int(before)], ())


def _one_hot(group: Sequence[str], after: Values) -> bool:
    return sorted(after[name] for name in group) == [0.0] * (len(group) - 1) + [1.0]


def _sum_holds(terms: Mapping[str, float], bound: float, after: Values) -> bool:
    if any(math.isnan(after[name]) for name in terms):
        return True
    excess = sum((exact(weight) * exact(after[name]) for name, weight in terms.items()), -exact(bound))
    if 0 < excess < Fraction(1, 10**9):
        raise TooClose
    return excess <= 0


def derive(declared: Declared, name: str, values: Values) -> float:
    """Return the value of a link's formula, rounded to its decimals; NaN where there is none."""
    formula, decimals = declared.links[name]
    parts = {part: values[part] for part in declared.parts[name]}
    if any(math.isnan(value) for value in parts.values()):
        return math.nan
    try:
        result = float(eval(formula, {"__builtins__": {}}, parts))  # noqa: S307  a formula of these tests
    except (ZeroDivisionError, OverflowError):
        return math.nan
    if not math.isfinite(result):
        return math.nan
    if decimals is None:
        return result
    units = Fraction(result) * 10**decimals
    if abs(units - math.floor(units) - Fraction(1, 2)) < Fraction(1, 10**6):
        raise TooClose
    return float(Fraction(round(units), 10**decimals))


def _follows(declared: Declared, name: str, before: Values, after: Values) -> bool:
    parts = declared.parts[name]
    if all(same(before[part], after[part]) for part in parts):
        return same(before[name], after[name])
    expected = derive(declared, name, after)
    if math.isnan(expected) and not any(math.isnan(after[part]) for part in parts):
        return False
    return same(after[name], expected)


def cost(declared: Declared, scales: Mapping[str, float], before: Values, after: Values) -> float:
    """Return 1 per change and its distance: in scales for numbers, 1 for all else."""
    total = 0.0
    for name in changed_names(declared, before, after):
        if name in declared.links or any(name in group for group in declared.groups):
            continue
        number = declared.features[name]["type"] in ("number", "integer") and not math.isnan(before[name])
        total += 1.0 + (abs(after[name] - before[name]) / scales[name] if number else 1.0)
    changed = set(changed_names(declared, before, after))
    return total + 2.0 * sum(bool(changed & set(group)) for group in declared.groups)
