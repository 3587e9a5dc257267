"""How one feature may change, looked at by itself: the rules that every changed value of it keeps."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from explain.counterfactual.constraints.grid import Grid
from explain.errors import ConstraintError, FieldError
from explain.features import Feature, pointer_to

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
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

    `low` and `high` are the permitted range: the declared one and the constraint's, both together.
    `transitions` are the codes, ascending, that a code may become, and `allowed` (codes,) tells which any may
    become; None where nothing restricts it. A `derived` feature changes without being mutable, as its link
    says.
    """

    feature: Feature
    constraint: FeatureConstraint
    low: float
    high: float
    grid: Grid | None
    transitions: Mapping[int, IntArray] | None
    allowed: Mask | None
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
            transitions=_transitions(feature, constraint),
            allowed=_allowed(feature, constraint.allowed),
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

    @property
    def counted(self) -> float:
        """How large a value may be for its steps to be counted exactly; infinite without steps."""
        return math.inf if self.grid is None else self.grid.counted

    @property
    def limits(self) -> tuple[float, float]:
        """The permitted range without what lies beyond `counted`; an end that is infinite stays so."""
        low = self.low if math.isinf(self.low) else max(self.low, -self.counted)
        high = self.high if math.isinf(self.high) else min(self.high, self.counted)
        return low, high

    def narrowed(self, constraint: FeatureConstraint) -> Freedom:
        """Return it under a constraint that is narrower in who may change it, range, or `allowed`."""
        own = self.constraint
        lows = [limit for limit in (self.feature.minimum, constraint.minimum) if limit is not None]
        highs = [limit for limit in (self.feature.maximum, constraint.maximum) if limit is not None]
        same = constraint.allowed is own.allowed
        return replace(
            self,
            constraint=constraint,
            low=max(lows, default=-math.inf),
            high=min(highs, default=math.inf),
            allowed=self.allowed if same else _allowed(self.feature, constraint.allowed),
        )

    def reachable_codes(self) -> frozenset[int]:
        """Return the categories that some value may become."""
        codes = np.arange(len(self.feature.categories))
        if self.transitions is not None and not self.constraint.fill:
            codes = np.unique(np.concatenate([codes[:0], *self.transitions.values()]))
        return frozenset(codes[self._open(codes)].tolist())

    def changeable(self, before: float) -> bool:
        """Tell whether this value may change at all.

        A missing one may only if it can be filled, one whose steps cannot be counted exactly never.
        """
        if not self.mutable:
            return False
        return self.constraint.fill if math.isnan(before) else not self._uncounted(before)

    def _uncounted(self, before: float) -> bool:
        """Tell whether it lies so far out, where the range has no end, that float64 has no single steps."""
        return (before > self.counted and math.isinf(self.high)) or (
            before < -self.counted and math.isinf(self.low)
        )

    def _open(self, codes: IntArray) -> Mask:
        return np.ones(len(codes), dtype=np.bool_) if self.allowed is None else self.allowed[codes]

    def _may_become(self, before: float, codes: IntArray) -> Mask:
        """Tell which categories this one, or a missing value, may become."""
        mask = self._open(codes)
        if self.transitions is None or math.isnan(before):
            return mask
        return mask & np.isin(codes, self.transitions.get(int(before), codes[:0]))

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
            if self.transitions is not None or self.allowed is not None:
                codes = np.where(known, after, 0.0).astype(np.int64)
                yield "must be a category that it may become", known & ~self._may_become(before, codes)
        if self.grid is not None:
            beyond = np.abs(after) > self.grid.counted
            yield "is too large for its steps to be counted", beyond | self._uncounted(before)
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


def _transitions(feature: Feature, constraint: FeatureConstraint) -> Mapping[int, IntArray] | None:
    """Return them by code; unknown names, which registration refuses, are left out."""
    if constraint.transitions is None:
        return None
    codes = {name: code for code, name in enumerate(feature.categories)}
    return {
        codes[name]: np.array(sorted(codes[other] for other in targets if other in codes), dtype=np.int64)
        for name, targets in constraint.transitions.items()
        if name in codes
    }


def _allowed(feature: Feature, allowed: frozenset[str] | None) -> Mask | None:
    if allowed is None:
        return None
    return np.array([name in allowed for name in feature.categories], dtype=np.bool_)
