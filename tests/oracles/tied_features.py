"""Decisions whose features are tied to each other, and every permitted row of them, listed the slow way.

A ratio follows from two numbers, a weighted sum has a bound, three features are one-hot, a category has
transitions, and a missing number may be filled.
"""

from __future__ import annotations

from itertools import product

import numpy as np
from numpy.typing import NDArray

from explain.counterfactual.constraints.checker import Constraints, FeatureConstraint
from explain.counterfactual.constraints.expressions import Expression
from explain.counterfactual.constraints.inequalities import Inequality
from explain.counterfactual.constraints.links import Link
from explain.features import Feature, FeatureSpace

FloatArray = NDArray[np.float64]
Mask = NDArray[np.bool_]

RATIO, LOAN, VALUE, POINTS, OWN, RENT, OTHER, JOB, SCORE, AGE = range(10)
BECOMES = {0: {1, 2}, 1: {2}, 2: set()}
HOMES = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))


def space_of(most: int, *, plain: bool = False) -> FeatureSpace:
    """Return the features, with loans and values from 1 to `most`.

    `plain`: the job is a number that only rises, which amounts to the same, and no score is missing.
    """
    job = Feature("job", "category", categories=("a", "b", "c"))
    if plain:
        job = Feature("job", "integer", minimum=0, maximum=2)
    homes = [Feature(f"home_{name}", "integer", minimum=0, maximum=1) for name in ("own", "rent", "other")]
    return FeatureSpace(
        (
            Feature("ratio", "number"),
            Feature("loan", "integer", minimum=1, maximum=most),
            Feature("value", "integer", minimum=1, maximum=most),
            Feature("points", "number", minimum=0.0, maximum=3.0),
            *homes,
            job,
            Feature("score", "number", minimum=0.0, maximum=2.0, nullable=not plain),
            Feature("age", "integer", minimum=18, maximum=90, sensitive=True),
        )
    )


def constraints_of(space: FeatureSpace, max_changes: int, bound: float) -> Constraints:
    """Return the constraints: loan + 2 points is at most `bound`."""
    plain = space.features[JOB].type == "integer"
    job = FeatureConstraint(mutable=True, transitions={"a": frozenset({"b", "c"}), "b": frozenset({"c"})})
    return Constraints(
        space,
        {
            "loan": FeatureConstraint(mutable=True, direction="decrease"),
            "value": FeatureConstraint(mutable=True),
            "points": FeatureConstraint(mutable=True, step=0.5),
            "home_own": FeatureConstraint(mutable=True),
            "home_rent": FeatureConstraint(mutable=True),
            "home_other": FeatureConstraint(mutable=True),
            "job": FeatureConstraint(mutable=True, direction="increase") if plain else job,
            "score": FeatureConstraint(mutable=True, step=0.5, fill=not plain),
        },
        max_changes,
        protected=frozenset({"age"}),
        groups=(("home_own", "home_rent", "home_other"),),
        inequalities=(Inequality((("loan", 1.0), ("points", 2.0)), bound),),
        links=(Link("ratio", Expression.parse("loan / value"), 2),),
    )


def applicants(rng: np.random.Generator, count: int, most: int, missing: float = 0.2) -> FloatArray:
    """Draw applicants who keep a bound of `most`; of a share of them the score is missing."""
    bound = float(most)
    rows = np.zeros((count, 10))
    rows[:, LOAN] = rng.integers(1, most + 1, count)
    rows[:, VALUE] = rng.integers(1, most + 1, count)
    rows[:, RATIO] = np.round(rows[:, LOAN] / rows[:, VALUE], 2)
    rows[:, POINTS] = np.minimum(rng.integers(0, 7, count) / 2, np.floor(bound - rows[:, LOAN]) / 2)
    rows[np.arange(count), OWN + rng.integers(0, 3, count)] = 1.0
    rows[:, JOB] = rng.integers(0, 3, count)
    rows[:, SCORE] = np.where(rng.random(count) < missing, np.nan, rng.integers(0, 5, count) / 2)
    rows[:, AGE] = rng.integers(18, 91, count)
    return rows


def every_permitted_row(row: FloatArray, most: int, max_changes: int, bound: float) -> FloatArray:
    """List all rows that the constraints permit, apart from the row itself."""
    loans = [number for number in range(1, most + 1) if number <= row[LOAN]]
    points = [half / 2 for half in range(7)]
    jobs = [int(row[JOB]), *BECOMES[int(row[JOB])]]
    scores = [half / 2 for half in range(5)] + ([np.nan] if np.isnan(row[SCORE]) else [])
    found = []
    for loan, point in product(loans, points):
        if loan + 2 * point > bound:
            continue
        moved = [loan != row[LOAN], point != row[POINTS]]
        for value, home, job, score in product(range(1, most + 1), HOMES, jobs, scores):
            same = score == row[SCORE] or (np.isnan(score) and np.isnan(row[SCORE]))
            moved_too = [value != row[VALUE], home != tuple(row[OWN : OTHER + 1]), job != row[JOB], not same]
            if not 0 < sum(map(int, moved + moved_too)) <= max_changes:
                continue
            touched = loan != row[LOAN] or value != row[VALUE]
            ratio = np.round(loan / value, 2) if touched else row[RATIO]
            found.append((ratio, loan, value, point, *home, job, score, row[AGE]))
    return np.array(found, dtype=np.float64).reshape(-1, 10)


def costs(row: FloatArray, rows: FloatArray, reference: FloatArray, *, plain: bool = False) -> FloatArray:
    """Return the costs of rows by their definition, written a second time."""
    total = np.zeros(len(rows))
    for at in (LOAN, VALUE, POINTS, SCORE, JOB)[: 5 if plain else 4]:
        present = reference[~np.isnan(reference[:, at]), at]
        spread = np.median(np.abs(present - np.median(present)))
        spread = spread or np.abs(present - np.median(present)).mean()
        changed = (rows[:, at] != row[at]) & ~(np.isnan(rows[:, at]) & np.isnan(row[at]))
        far = 1.0 if np.isnan(row[at]) else np.abs(rows[:, at] - row[at]) / spread
        total += np.where(changed, 1.0 + far, 0.0)
    total += 2.0 * (rows[:, OWN : OTHER + 1] != row[OWN : OTHER + 1]).any(axis=1)
    return np.asarray(total if plain else total + 2.0 * (rows[:, JOB] != row[JOB]))
