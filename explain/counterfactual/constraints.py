"""What an applicant may be told to change: one checker, used while searching and again on every answer.

A feature that is not declared mutable never changes, nor does a sensitive or protected one. Changed numbers
are whole multiples of the declared step (integers: of 1), counted from zero, so that every applicant is shown
values of the same grid. The unchanged values of an applicant need not lie on it, nor inside the range.
A missing value stays missing, and none becomes missing.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from explain.counterfactual.grid import Grid
from explain.errors import ConstraintError
from explain.features import Feature, FeatureSpace

FloatArray = NDArray[np.float64]
Mask = NDArray[np.bool_]
ChangeDirection = Literal["increase", "decrease"]


@dataclass(frozen=True, slots=True)
class FeatureConstraint:
    """How one feature may change; without any word it may not."""

    mutable: bool = False
    direction: ChangeDirection | None = None
    minimum: float | None = None
    maximum: float | None = None
    step: float | None = None


IMMUTABLE = FeatureConstraint()


@dataclass(frozen=True, slots=True)
class Constraints:
    """The constraints of a model version; ConstraintError if they contradict the features or themselves.

    The permitted range of a feature is its declared range and the constraint's, both together.
    """

    space: FeatureSpace
    by_feature: Mapping[str, FeatureConstraint]
    max_changes: int
    protected: frozenset[str] = frozenset()
    _grids: tuple[Grid | None, ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.max_changes < 1:
            raise ConstraintError("max_changes must be 1 or more")
        unknown = sorted(set(self.by_feature) - set(self.space.names))
        if unknown:
            raise ConstraintError(f"constrained but no feature: {', '.join(unknown)}")
        grids = []
        for at, feature in enumerate(self.space.features):
            constraint = self.of(at)
            if constraint.mutable:
                _require_sense(feature, constraint, feature.name in self.protected)
            grids.append(_grid(feature, constraint))
            low, high = self.limits(at)
            if constraint.mutable and low > high:
                raise ConstraintError(f"{feature.name}: the permitted range is empty")
        object.__setattr__(self, "_grids", tuple(grids))

    def of(self, at: int) -> FeatureConstraint:
        """Return the constraint of the feature at this position."""
        return self.by_feature.get(self.space.features[at].name, IMMUTABLE)

    def grid(self, at: int) -> Grid | None:
        """Return the grid that changed values of this feature must lie on, if there is one."""
        return self._grids[at]

    def limits(self, at: int) -> tuple[float, float]:
        """Return the permitted range of the feature at this position."""
        feature, constraint = self.space.features[at], self.of(at)
        lows = [limit for limit in (feature.minimum, constraint.minimum) if limit is not None]
        highs = [limit for limit in (feature.maximum, constraint.maximum) if limit is not None]
        return max(lows, default=-math.inf), min(highs, default=math.inf)

    def changeable(self, row: FloatArray) -> list[int]:
        """Return the features that may change in this row: the mutable ones that are not missing."""
        return [at for at in range(len(row)) if self.of(at).mutable and not math.isnan(row[at])]

    def allowed(self, at: int, before: float, after: FloatArray) -> Mask:
        """Tell which of these values the feature may change to."""
        mask = np.ones(len(after), dtype=np.bool_)
        for _, broken in self._broken(at, before, after):
            mask &= ~broken
        return mask

    def check(self, before: FloatArray, after: FloatArray) -> tuple[str, ...]:
        """Return every constraint that the step from one model-order row to the other violates."""
        if before.shape != after.shape or before.shape != (len(self.space.features),):
            raise ValueError("both rows need one value per feature")
        changed = np.flatnonzero((before != after) & ~(np.isnan(before) & np.isnan(after)))
        violations = [
            f"{self.space.features[at].name} {message}"
            for at in changed.tolist()
            for message, broken in self._broken(at, float(before[at]), after[at : at + 1])
            if broken[0]
        ]
        if len(changed) > self.max_changes:
            violations.append(f"{len(changed)} features change, at most {self.max_changes} may")
        return tuple(violations)

    def _broken(self, at: int, before: float, after: FloatArray) -> Iterator[tuple[str, Mask]]:
        """Yield each rule of this feature with a mask of the changed values that break it."""
        feature, constraint = self.space.features[at], self.of(at)
        every = np.ones(len(after), dtype=np.bool_)
        if not constraint.mutable:
            yield "must not change", every
        if math.isnan(before):
            yield "is missing and must stay so", every
        yield "must not become missing or infinite", ~np.isfinite(after)
        if constraint.direction == "increase":
            yield "may only increase", after < before
        if constraint.direction == "decrease":
            yield "may only decrease", after > before
        low, high = self.limits(at)
        yield f"must lie in [{low:g}, {high:g}]", (after < low) | (after > high)
        if feature.type == "boolean":
            yield "must be true or false", (after != 0.0) & (after != 1.0)
        if feature.type == "category":
            known = (after == np.rint(after)) & (after >= 0) & (after < len(feature.categories))
            yield "must be one of its categories", ~known
        grid = self._grids[at]
        if grid is not None:
            yield f"must be a multiple of {grid.step:g}", ~grid.holds(after)


def _require_sense(feature: Feature, constraint: FeatureConstraint, protected: bool) -> None:
    """Refuse a mutable feature that must never be, or a constraint that its type cannot have."""
    if protected or feature.sensitive:
        raise ConstraintError(f"{feature.name}: a sensitive or protected feature cannot be mutable")
    if feature.type in ("boolean", "category"):
        if constraint.step is not None or constraint.minimum is not None or constraint.maximum is not None:
            raise ConstraintError(f"{feature.name}: a {feature.type} has neither range nor step")
        if feature.type == "category" and constraint.direction is not None:
            raise ConstraintError(f"{feature.name}: a category has no direction")


def _grid(feature: Feature, constraint: FeatureConstraint) -> Grid | None:
    if feature.type in ("boolean", "category"):
        return None
    if feature.type == "number":
        return None if constraint.step is None else Grid.of(constraint.step)
    grid = Grid.of(1.0 if constraint.step is None else constraint.step)
    if grid.numerator % grid.denominator:
        raise ConstraintError(f"{feature.name}: the step of an integer must be an integer")
    return grid
