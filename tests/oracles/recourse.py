"""Random small sets of constraints, and every row that they permit, listed the slow way with its cost.

Nothing here asks the engine: what may change is drawn as plain data, and its constraints are built from that.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations, product

import numpy as np
from numpy.typing import NDArray

from explain.counterfactual.constraints.checker import Constraints, FeatureConstraint
from explain.counterfactual.constraints.expressions import Expression
from explain.counterfactual.constraints.inequalities import Inequality
from explain.counterfactual.constraints.links import Link
from explain.features import Feature, FeatureSpace, FloatWidth

FloatArray = NDArray[np.float64]

RATE, YEARS, OWNER, KIND, RENT, BUY, FREE, DEBT, INCOME, RATIO, AGE = range(11)
KINDS = ("a", "b", "c", "d")
HOMES = (RENT, BUY, FREE)
GRIDS = {
    RATE: [half / 2 for half in range(-2, 9)],
    YEARS: list(range(6)),
    DEBT: [2.0 * number for number in range(6)],
    INCOME: list(range(1, 6)),
}
STEPS = {RATE: 0.5, YEARS: 1.0, DEBT: 2.0, INCOME: 1.0}
NAMES = ("rate", "years", "owner", "kind", "rent", "buy", "free", "debt", "income", "ratio", "age")


def space_of(width: FloatWidth, *, coded: bool = True) -> FeatureSpace:
    """Return the features; without `coded` the kind is a number, for models that know no categories."""
    kind = Feature("kind", "category", categories=KINDS, nullable=True)
    return FeatureSpace(
        (
            Feature("rate", "number", minimum=-1.0, maximum=4.0, nullable=True),
            Feature("years", "integer", minimum=0, maximum=5),
            Feature("owner", "boolean"),
            kind if coded else Feature("kind", "integer", minimum=0, maximum=3, nullable=True),
            Feature("rent", "boolean"),
            Feature("buy", "boolean"),
            Feature("free", "integer", minimum=0, maximum=1),
            Feature("debt", "number", minimum=0.0, maximum=10.0),
            Feature("income", "integer", minimum=1, maximum=5),
            Feature("ratio", "number"),
            Feature("age", "integer", sensitive=True),
        ),
        width,
    )


@dataclass(frozen=True)
class Terms:
    """What may change, as drawn: ways and limits by feature, transitions by code, sums with their bounds."""

    mutable: frozenset[int]
    ways: dict[int, str]
    limits: dict[int, tuple[float, float]]
    becomes: dict[int, frozenset[int]] | None
    filled: frozenset[int]
    grouped: bool
    linked: bool
    sums: tuple[tuple[dict[int, float], float], ...]
    max_changes: int
    coded: bool = True

    def constraints(self, space: FeatureSpace) -> Constraints:
        """Say the same as the engine's constraints."""
        by_feature = {}
        for at in sorted(self.mutable):
            low, high = self.limits.get(at, (None, None))
            kinds = self.becomes if at == KIND and self.coded else None
            by_feature[NAMES[at]] = FeatureConstraint(
                mutable=True,
                direction=self.ways.get(at),  # type: ignore[arg-type]
                minimum=low,
                maximum=high,
                step=STEPS.get(at) if space.features[at].type == "number" else None,
                fill=at in self.filled,
                transitions=kinds
                and {KINDS[old]: frozenset(KINDS[new] for new in news) for old, news in kinds.items()},
            )
        return Constraints(
            space,
            by_feature,
            self.max_changes,
            groups=(tuple(NAMES[at] for at in HOMES),) if self.grouped else (),
            inequalities=tuple(
                Inequality(tuple((NAMES[at], weight) for at, weight in terms.items()), bound)
                for terms, bound in self.sums
            ),
            links=(Link("ratio", Expression.parse("debt / income"), 2),) if self.linked else (),
        )


def draw_terms(rng: np.random.Generator, *, coded: bool = True) -> Terms:
    """Draw constraints, tight ones more often than not."""
    grouped = bool(rng.random() < 0.5)
    mutable = {at for at in (RATE, YEARS, OWNER, KIND, DEBT, INCOME) if rng.random() < 0.6}
    mutable |= set(HOMES) if grouped else {at for at in HOMES if rng.random() < 0.2}
    ways = {at: str(rng.choice(["increase", "decrease"])) for at in STEPS if rng.random() < 0.3}
    limits = {
        at: (float(values[int(rng.integers(0, 3))]), float(values[-1 - int(rng.integers(0, 2))]))
        for at, values in GRIDS.items()
        if rng.random() < 0.4
    }
    becomes = {old: frozenset(rng.choice(4, 2).tolist()) - {old} for old in range(3)}
    sums: list[tuple[dict[int, float], float]] = []
    if rng.random() < 0.4:
        sums.append(({RATE: 1.0, DEBT: 0.5}, float(rng.integers(2, 8))))
    if rng.random() < 0.3:
        sums.append(({YEARS: -1.0, INCOME: 1.0}, float(rng.integers(-1, 3))))
    if rng.random() < 0.2:
        sums.append(({RATIO: 1.0, RATE: 0.1}, 1.5))
    return Terms(
        mutable=frozenset(mutable),
        ways={at: way for at, way in ways.items() if at in mutable},
        limits={at: limit for at, limit in limits.items() if at in mutable},
        becomes=becomes if coded and rng.random() < 0.5 else None,
        filled=frozenset(at for at in (RATE, KIND) if at in mutable and rng.random() < 0.5),
        grouped=grouped,
        linked=bool(rng.random() < 0.5),
        sums=tuple(sums),
        max_changes=int(rng.integers(1, 5)),
        coded=coded,
    )


def draw_applicant(rng: np.random.Generator) -> FloatArray:
    """Draw a row whose ratio is what follows and of whose homes one is 1."""
    row = np.zeros(11)
    row[RATE] = np.nan if rng.random() < 0.3 else np.round(rng.uniform(-1, 4), int(rng.integers(0, 3)))
    row[YEARS], row[OWNER] = rng.integers(0, 6), rng.integers(0, 2)
    row[KIND] = np.nan if rng.random() < 0.3 else rng.integers(0, 4)
    row[int(rng.choice(HOMES))] = 1.0
    row[DEBT], row[INCOME] = rng.integers(0, 11), rng.integers(1, 6)
    row[RATIO], row[AGE] = _ratio(row), rng.integers(20, 70)
    return row


def _ratio(row: FloatArray) -> float:
    return float(np.round(row[DEBT] / row[INCOME], 2))


def _offers(terms: Terms, row: FloatArray) -> Iterator[tuple[tuple[int, ...], list[tuple[float, ...]]]]:
    """Yield what may change together, and the values it may change to."""
    if terms.grouped:
        homes = [tuple(float(at == other) for other in HOMES) for at in HOMES]
        yield HOMES, [home for home in homes if home != tuple(row[list(HOMES)])]
    for at in sorted(terms.mutable - (set(HOMES) if terms.grouped else set())):
        before = row[at]
        missing = bool(np.isnan(before))
        if missing and at not in terms.filled:
            continue
        values = [float(x) for x in GRIDS.get(at, range(4 if at == KIND else 2))]
        low, high = terms.limits.get(at, (-np.inf, np.inf))
        values = [x for x in values if low <= x <= high and x != before]
        if at in terms.ways and not missing:
            values = [x for x in values if (x > before) == (terms.ways[at] == "increase")]
        if at == KIND and terms.becomes is not None and not missing:
            values = [x for x in values if x in terms.becomes.get(int(before), frozenset())]
        yield (at,), [(x,) for x in values]


def every_permitted_row(terms: Terms, row: FloatArray) -> FloatArray:
    """List all rows that may be reached, derived ratio included; shape (n, 11)."""
    offers = list(_offers(terms, row))
    found = []
    for size in range(1, terms.max_changes + 1):
        for chosen in combinations(offers, size):
            for values in product(*(values for _, values in chosen)):
                other = row.copy()
                for (at, _), those in zip(chosen, values, strict=True):
                    other[list(at)] = those
                if terms.linked and (other[[DEBT, INCOME]] != row[[DEBT, INCOME]]).any():
                    other[RATIO] = _ratio(other)
                if all(_holds(sum_, other) for sum_ in terms.sums):
                    found.append(other)
    return np.array(found).reshape(-1, 11)


def _holds(weighted: tuple[dict[int, float], float], row: FloatArray) -> bool:
    """Tell whether a sum keeps its bound; all numbers here are short decimals, so a hair is no violation."""
    terms, bound = weighted
    total = sum(weight * row[at] for at, weight in terms.items())
    return bool(np.isnan(total) or total <= bound + 1e-9)


def costs(terms: Terms, row: FloatArray, rows: FloatArray, reference: FloatArray) -> FloatArray:
    """Return the costs of rows by their definition."""
    total = np.zeros(len(rows))
    for at in (RATE, YEARS, OWNER, KIND, DEBT, INCOME, *(() if terms.grouped else HOMES)):
        changed = (rows[:, at] != row[at]) & ~(np.isnan(rows[:, at]) & np.isnan(row[at]))
        number = at in GRIDS or at == FREE or (at == KIND and not terms.coded)
        far = np.abs(rows[:, at] - row[at]) / _spread(reference[:, at]) if number else 1.0
        total += np.where(changed, 1.0 + (1.0 if np.isnan(row[at]) else far), 0.0)
    if terms.grouped:
        total += 2.0 * (rows[:, HOMES] != row[list(HOMES)]).any(axis=1)
    return total


def _spread(column: FloatArray) -> float:
    present = column[~np.isnan(column)]
    middle = np.median(present)
    off = np.abs(present - middle)
    return float(np.median(off) or off.mean() or abs(middle) or 1.0)
