"""How one feature may change, looked at by itself: the rules that every changed value of it keeps."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from explain.counterfactual.grid import Grid
from explain.errors import ConstraintError, FieldError
from explain.features import Feature, pointer_to

FloatArray = NDArray[np.float64]
Mask = NDArray[np.bool_]
ChangeDirection = Literal["increase", "decrease"]


@dataclass(frozen=True, slots=True)
class FeatureConstraint:
    """How one feature may change; without any word it may not.

    `fill`: a missing value may be given. `transitions`: by category, those that it may become; one that is
    not named stays. `allowed`: the only categories that it may become, whatever it was.
    """

    mutable: bool = False
    direction: ChangeDirection | None = None
    minimum: float | None = None
    maximum: float | None = None
    step: float | None = None
    fill: bool = False
    transitions: Mapping[str, frozenset[str]] | None = None
    allowed: frozenset[str] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Freedom:
    """A feature's constraint together with what the feature itself says.

    `low` and `high` are the permitted range: the declared one and the constraint's, both together. `becomes`
    tells which code may become which, shape (codes + 1, codes), the last row for a missing value; None where
    nothing restricts it. A `derived` feature changes without being mutable, as its link says.
    """

    feature: Feature
    constraint: FeatureConstraint
    low: float
    high: float
    grid: Grid | None
    becomes: Mask | None
    derived: bool = False

    @classmethod
    def of(cls, feature: Feature, constraint: FeatureConstraint, *, derived: bool = False) -> Freedom:
        """Put them together; ConstraintError for a step that is none."""
        lows = [limit for limit in (feature.minimum, constraint.minimum) if limit is not None]
        highs = [limit for limit in (feature.maximum, constraint.maximum) if limit is not None]
        return cls(
            feature=feature,
            constraint=constraint,
            low=max(lows, default=-math.inf),
            high=min(highs, default=math.inf),
            grid=None if derived else _checked_grid(feature, constraint),
            becomes=_becomes(feature, constraint),
            derived=derived,
        )

    @property
    def name(self) -> str:
        """The feature's name."""
        return self.feature.name

    @property
    def mutable(self) -> bool:
        """Whether somebody may choose another value for it."""
        return self.constraint.mutable

    @property
    def numeric(self) -> bool:
        """Whether it is a number or an integer."""
        return self.feature.type in ("number", "integer")

    def reachable(self, code: int) -> bool:
        """Tell whether some value may become this category."""
        if self.becomes is None:
            return True
        rows = self.becomes if self.constraint.fill else self.becomes[:-1]
        return bool(rows[:, code].any())

    def changeable(self, before: float) -> bool:
        """Tell whether this value may change at all: a missing one only if it may be filled."""
        return self.mutable and (self.constraint.fill or not math.isnan(before))

    def broken(self, before: float, after: FloatArray) -> Iterator[tuple[str, Mask]]:
        """Yield each rule with a mask of the changed values that break it."""
        feature, constraint = self.feature, self.constraint
        if not (self.mutable or self.derived):
            yield "must not change", np.ones(len(after), dtype=np.bool_)
        if math.isnan(before) and not (constraint.fill or self.derived):
            yield "is missing and must stay so", np.ones(len(after), dtype=np.bool_)
        yield "must not become missing or infinite", ~np.isfinite(after)
        if constraint.direction == "increase":
            yield "may only increase", after < before
        if constraint.direction == "decrease":
            yield "may only decrease", after > before
        yield f"must lie in [{self.low:g}, {self.high:g}]", (after < self.low) | (after > self.high)
        if feature.type == "boolean":
            yield "must be true or false", (after != 0.0) & (after != 1.0)
        if feature.type == "category":
            known = (after == np.rint(after)) & (after >= 0) & (after < len(feature.categories))
            yield "must be one of its categories", ~known
            if self.becomes is not None:
                codes = np.where(known, after, 0.0).astype(np.int64)
                own = -1 if math.isnan(before) else int(before)
                yield "must be a category that it may become", known & ~self.becomes[own, codes]
        if self.grid is not None:
            yield f"must be a multiple of {self.grid.step:g}", ~self.grid.holds(after)


def _checked_grid(feature: Feature, constraint: FeatureConstraint) -> Grid | None:
    try:
        return _grid(feature, constraint)
    except ConstraintError as fault:
        at = f"/features{pointer_to(feature.name)}/step"
        raise ConstraintError(errors=[FieldError(at, f"{feature.name}: {fault}")]) from fault


def _grid(feature: Feature, constraint: FeatureConstraint) -> Grid | None:
    if feature.type in ("boolean", "category"):
        return None
    if feature.type == "number":
        return None if constraint.step is None else Grid.of(constraint.step)
    grid = Grid.of(1.0 if constraint.step is None else constraint.step)
    if grid.numerator % grid.denominator:
        raise ConstraintError("the step of an integer must be an integer")
    return grid


def _becomes(feature: Feature, constraint: FeatureConstraint) -> Mask | None:
    if constraint.transitions is None and constraint.allowed is None:
        return None
    names = feature.categories
    becomes = np.ones((len(names) + 1, len(names)), dtype=np.bool_)
    if constraint.transitions is not None:
        for code, name in enumerate(names):
            targets = constraint.transitions.get(name, frozenset())
            becomes[code] = [other in targets for other in names]
    if constraint.allowed is not None:
        becomes &= np.array([name in constraint.allowed for name in names], dtype=np.bool_)
    return becomes
