"""Judging counterfactuals from outside: by the manifest's words, XGBoost's own score and plain distances.

Nothing here uses the product's checker, verifier or measures.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.applicants import Case

FloatArray = NDArray[np.float64]


@dataclass(frozen=True)
class Quality:
    """What is true of some sets of counterfactuals; means over sets, of means over their items.

    `distance` is the sum of the changes in median absolute deviations of the reference file (1 for what has
    no order), `gower` the mean over all features of changes in ranges, `diversity` det 1 / (1 + distance of
    two items). The three, and `changed`, are over the sets that were compared.
    """

    sets: int
    items: int
    valid: int
    violations: Mapping[str, int]
    violating: int
    changed: float
    distance: float
    gower: float
    diversity: float


class Judge:
    """Looks at changed rows of one model's applicants."""

    def __init__(self, case: Case) -> None:
        self._case = case
        features = case.manifest["features"]
        self._named = np.array([feature["type"] in ("boolean", "category") for feature in features])
        columns = [column[~np.isnan(column)] for column in case.population.T]
        self._spreads = np.array([_spread(column) for column in columns])
        self._ranges = np.array([float(np.ptp(column)) or 1.0 for column in columns])

    def judged(
        self, rows: Sequence[FloatArray], sets: Sequence[FloatArray], compared: Sequence[bool]
    ) -> Quality:
        """Judge one set of changed rows (items, features) for each applicant's row."""
        every = np.concatenate([found for found in sets if len(found)] or [np.empty((0, len(rows[0])))])
        valid = int(self._favourable(every).sum()) if len(every) else 0
        broken = [
            set(self.broken(row, item)) for row, found in zip(rows, sets, strict=True) for item in found
        ]
        kept = [(row, found) for row, found, use in zip(rows, sets, compared, strict=True) if use]
        return Quality(
            sets=len(sets),
            items=len(every),
            valid=valid,
            violations=dict(Counter(rule for one in broken for rule in one)),
            violating=sum(bool(one) for one in broken),
            changed=_mean([np.mean([self._differing(row, item).sum() for item in f]) for row, f in kept]),
            distance=_mean([np.mean([self.distance(row, item) for item in found]) for row, found in kept]),
            gower=_mean([np.mean([self._gower(row, item) for item in found]) for row, found in kept]),
            diversity=_mean([self.diversity(found) for _, found in kept]),
        )

    def broken(self, before: FloatArray, after: FloatArray) -> Iterator[str]:
        """Yield the rules of the manifest that a changed row breaks."""
        declared = self._case.manifest["counterfactuals"]
        changed = np.flatnonzero(self._differing(before, after)).tolist()
        if not changed:
            yield "nothing changes"
        if len(changed) > declared["max_changes"]:
            yield "max_changes"
        for at in changed:
            feature = self._case.manifest["features"][at]
            freedom = declared["features"].get(feature["name"], {"mutable": False})
            yield from _broken(feature, freedom, float(before[at]), float(after[at]))

    def distance(self, one: FloatArray, other: FloatArray) -> float:
        """Return the distance of two rows in median absolute deviations, 1 for each difference in kind."""
        return float(self._apart(one, other, self._spreads).sum())

    def diversity(self, items: FloatArray) -> float:
        """Return det K with K_ij = 1 / (1 + d(i, j))."""
        kernel = [[1.0 / (1.0 + self.distance(one, other)) for other in items] for one in items]
        return max(0.0, float(np.linalg.det(kernel)))

    def _gower(self, one: FloatArray, other: FloatArray) -> float:
        return float(self._apart(one, other, self._ranges).mean())

    def _apart(self, one: FloatArray, other: FloatArray, units: FloatArray) -> FloatArray:
        apart = np.where(self._named, (one != other).astype(np.float64), np.abs(one - other) / units)
        return np.where(np.isnan(one) & np.isnan(other), 0.0, np.where(np.isnan(apart), 1.0, apart))

    def _differing(self, before: FloatArray, after: FloatArray) -> NDArray[np.bool_]:
        return np.asarray((before != after) & ~(np.isnan(before) & np.isnan(after)))

    def _favourable(self, rows: FloatArray) -> NDArray[np.bool_]:
        threshold = float(self._case.manifest["outcome"]["threshold"])
        return np.asarray(self._case.scores(rows) < threshold)


def _broken(
    feature: Mapping[str, Any], freedom: Mapping[str, Any], before: float, after: float
) -> Iterator[str]:
    if not freedom["mutable"]:
        yield "mutable"
    if math.isnan(before) or math.isnan(after):
        yield "missing"
        return
    if freedom.get("direction") == "increase" and after < before:
        yield "direction"
    if freedom.get("direction") == "decrease" and after > before:
        yield "direction"
    for low, high in (ends for ends in (feature.get("range"), freedom.get("range")) if ends is not None):
        if not low <= after <= high:
            yield "range"
    if feature["type"] == "boolean" and after not in (0.0, 1.0):
        yield "type"
    step = freedom.get("step", 1 if feature["type"] == "integer" else None)
    if step is not None and Decimal(repr(after)) % Decimal(repr(step)):
        yield "step"


def _spread(values: FloatArray) -> float:
    """Return the median absolute deviation; where it is 0 the mean one, then 1."""
    off = np.abs(values - np.median(values))
    return float(np.median(off)) or float(off.mean()) or 1.0


def _mean(values: Sequence[Any]) -> float:
    return float(np.mean(values)) if values else math.nan
