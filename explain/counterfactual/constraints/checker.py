"""What an applicant may be told to change: one checker, used while searching and again on every answer.

A feature that is not declared mutable never changes, nor does a sensitive or protected one. Changed numbers
are whole multiples of the declared step (integers: of 1), counted from zero, so that every applicant is shown
values of the same grid. The unchanged values of an applicant need not lie on it, nor inside the range.
A missing value stays missing unless it may be filled, and none becomes missing. Of a one-hot group exactly
one member is 1. A derived feature follows from its parts: nobody chooses it, and it is no change of its own.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from copy import copy
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from explain.counterfactual.constraints.contradictions import contradictions
from explain.counterfactual.constraints.freedoms import ChangeDirection, FeatureConstraint, Freedom
from explain.counterfactual.constraints.grid import Grid
from explain.counterfactual.constraints.inequalities import Inequality
from explain.counterfactual.constraints.links import Link, chained
from explain.counterfactual.constraints.narrowing import Narrowing
from explain.counterfactual.constraints.tied import Columns, Tied
from explain.errors import ConstraintError, FieldError, InvalidFeatures, InvalidNarrowing
from explain.features import FeatureSpace, pointer_to

__all__ = ["IMMUTABLE", "ChangeDirection", "Constraints", "FeatureConstraint", "differing"]

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
Mask = NDArray[np.bool_]

IMMUTABLE = FeatureConstraint()


@dataclass(frozen=True, slots=True)
class Constraints:
    """The constraints of a model version; ConstraintError if they contradict the features or themselves.

    `protected` are features that never change: protected ones and those that stand in for them. Of the
    members of each of the `groups` exactly one is 1 and all others are 0; moving the 1 is one change.
    """

    space: FeatureSpace
    by_feature: Mapping[str, FeatureConstraint]
    max_changes: int
    protected: frozenset[str] = frozenset()
    groups: tuple[tuple[str, ...], ...] = ()
    inequalities: tuple[Inequality, ...] = ()
    links: tuple[Link, ...] = ()
    _freedoms: tuple[Freedom, ...] = field(init=False, repr=False, compare=False)
    _members: tuple[IntArray, ...] = field(init=False, repr=False, compare=False)
    _grouped: frozenset[str] = field(init=False, repr=False, compare=False)
    _alone: IntArray = field(init=False, repr=False, compare=False)
    _chain: tuple[Link, ...] = field(init=False, repr=False, compare=False)
    _tied: Tied = field(init=False, repr=False, compare=False)
    _entangled: frozenset[int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if self.max_changes < 1:
            raise ConstraintError("max_changes must be 1 or more")
        unknown = sorted(set(self.by_feature) - set(self.space.names))
        if unknown:
            raise ConstraintError(f"constrained but no feature: {', '.join(unknown)}")
        derived = {link.feature for link in self.links}
        freedoms = tuple(
            Freedom.of(feature, self.by_feature.get(feature.name, IMMUTABLE), derived=feature.name in derived)
            for feature in self.space.features
        )
        faults = contradictions(freedoms, self.protected, self.groups, self.inequalities, self.links)
        if faults:
            raise ConstraintError(errors=faults)
        members = tuple(np.array([self.space.index(name) for name in group]) for group in self.groups)
        grouped = frozenset(name for group in self.groups for name in group)
        alone = [at for at, one in enumerate(freedoms) if one.name not in grouped | derived]
        object.__setattr__(self, "_freedoms", freedoms)
        object.__setattr__(self, "_members", members)
        object.__setattr__(self, "_grouped", grouped)
        object.__setattr__(self, "_alone", np.array(alone, dtype=np.int64))
        object.__setattr__(self, "_chain", chained(self.links))
        object.__setattr__(self, "_tied", Tied.of(self.space, self._chain, self.inequalities))
        object.__setattr__(self, "_entangled", self._positions_in_relations())

    def _positions_in_relations(self) -> frozenset[int]:
        names = [name for group in self.groups for name in group]
        names += [name for inequality in self.inequalities for name, _ in inequality.terms]
        names += [name for link in self.links for name in (link.feature, *link.parts)]
        return frozenset(self.space.index(name) for name in names)

    def of(self, at: int) -> FeatureConstraint:
        """Return the constraint of the feature at this position."""
        return self._freedoms[at].constraint

    def grid(self, at: int) -> Grid | None:
        """Return the grid that changed values of this feature must lie on, if there is one."""
        return self._freedoms[at].grid

    def limits(self, at: int) -> tuple[float, float]:
        """Return the permitted range of the feature at this position."""
        return self._freedoms[at].limits

    def counted_limits(self, at: int) -> tuple[float, float]:
        """Return them with an end that is infinite cut to where the feature's steps can be counted."""
        (low, high), counted = self._freedoms[at].limits, self._freedoms[at].counted
        return max(low, -counted), min(high, counted)

    def derived(self, at: int) -> bool:
        """Tell whether the feature at this position follows from others."""
        return self._freedoms[at].derived

    def grouped(self, at: int) -> bool:
        """Tell whether the feature at this position is a member of a group."""
        return self.space.features[at].name in self._grouped

    @property
    def members(self) -> tuple[IntArray, ...]:
        """The positions of each group's members."""
        return self._members

    @property
    def chain(self) -> tuple[Link, ...]:
        """The links, each after those that it builds on."""
        return self._chain

    def changeable(self, row: FloatArray) -> list[int]:
        """Return the features that may be changed in this row; a missing one only if it may be filled."""
        return [at for at in range(len(row)) if self._freedoms[at].changeable(float(row[at]))]

    def simple(self, row: FloatArray) -> bool:
        """Tell whether each feature may be changed by itself: no group, link or inequality has a say."""
        if not self._entangled:
            return True
        if any(at in self._entangled for at in self.changeable(row)):
            return False
        return self._tied.holds(row)

    def allowed(self, at: int, before: float, after: FloatArray) -> Mask:
        """Tell which of these values the feature may change to, as far as it alone is concerned."""
        mask = np.ones(len(after), dtype=np.bool_)
        for _, broken in self._freedoms[at].broken(before, after):
            mask &= ~broken
        return mask & self.of(at).mutable

    def complete(self, before: FloatArray, rows: FloatArray) -> FloatArray:
        """Return rows (n, features) with their derived features: recomputed where one of their parts changes.

        Where none does, they are the row's own before. Missing where a part is missing; not a number, too,
        where the formula has no value, which `permitted` then refuses.
        """
        if not self._chain:
            return rows
        return self._tied.complete(before, rows, differing(before, rows))

    def changes(self, before: FloatArray, after: FloatArray) -> int:
        """Count the changes from one row to the other: the move of a group is one, a derived one is none."""
        return int(self._counted(differing(before, after[None, :]))[0])

    def permitted(self, before: FloatArray, rows: FloatArray) -> Mask:
        """Tell which of the rows (n, features) no constraint refuses: `check` of many rows at once."""
        mask = np.ones(len(rows), dtype=np.bool_)
        for _, broken in self._violations(before, rows):
            mask &= ~broken
        return mask

    def check(self, before: FloatArray, after: FloatArray) -> tuple[str, ...]:
        """Return every constraint that the step from one model-order row to the other violates."""
        if before.shape != after.shape or before.shape != (len(self.space.features),):
            raise ValueError("both rows need one value per feature")
        return tuple(message for message, broken in self._violations(before, after[None, :]) if broken[0])

    def check_factual(self, row: FloatArray) -> None:
        """Raise InvalidFeatures for a row whose groups or derived features are not what they should be."""
        faults = [fault for group in self._members if (fault := self._fault_of_group(group, row))]
        columns = Columns(self.space, row[None, :])
        for link in self._chain:
            if not link.agrees(columns[link.feature], columns)[0]:
                detail = f"is not what the manifest derives it from: {link.expression.text}"
                faults.append(FieldError(pointer_to(link.feature), detail))
        if faults:
            raise InvalidFeatures(faults)

    def admitted(self, rows: FloatArray) -> Mask:
        """Tell which of the rows (n, features) a search may start from: `check_factual` of many at once."""
        columns = Columns(self.space, rows)
        mask = np.ones(len(rows), dtype=np.bool_)
        for group in self._members:
            mask &= one_hot(rows[:, group])
        for link in self._chain:
            mask &= link.agrees(columns[link.feature], columns)
        return mask

    def check_narrowing(self, narrowing: Narrowing) -> None:
        """Raise InvalidNarrowing for a request's limits that are not tighter."""
        if faults := narrowing.faults(self._freedoms, self.max_changes):
            raise InvalidNarrowing(faults)

    def narrowed(self, narrowing: Narrowing) -> Constraints:
        """Return the constraints within a request's tighter limits; InvalidNarrowing if they are not.

        They may leave nothing possible. Only what the request names is made anew.
        """
        self.check_narrowing(narrowing)
        freedoms = narrowing.applied(self._freedoms)
        made = {
            new.name: new.constraint
            for new, old in zip(freedoms, self._freedoms, strict=True)
            if new is not old
        }
        narrower = copy(self)
        object.__setattr__(narrower, "_freedoms", freedoms)
        object.__setattr__(narrower, "by_feature", {**self.by_feature, **made})
        object.__setattr__(narrower, "max_changes", narrowing.max_changes or self.max_changes)
        return narrower

    def _violations(self, before: FloatArray, rows: FloatArray) -> Iterator[tuple[str, Mask]]:
        """Yield each rule with a mask of the rows that break it."""
        changed = differing(before, rows)
        for at in np.flatnonzero(changed.any(axis=0)).tolist():
            for message, broken in self._freedoms[at].broken(float(before[at]), rows[:, at]):
                yield f"{self._freedoms[at].name} {message}", broken & changed[:, at]
        for names, group in zip(self.groups, self._members, strict=True):
            touched = changed[:, group].any(axis=1)
            if touched.any():
                yield f"exactly one of {', '.join(names)} must be 1", touched & ~one_hot(rows[:, group])
        yield from self._tied.broken_links(before, rows, changed)
        yield from self._tied.broken_sums(before, rows, changed)
        count = self._counted(changed)
        most = int(count.max(initial=0))
        yield f"{most} features change, at most {self.max_changes} may", count > self.max_changes

    def _counted(self, changed: Mask) -> IntArray:
        """Count the changes of each row, from what differs (n, features)."""
        count = changed[:, self._alone].sum(axis=1)
        for group in self._members:
            count = count + changed[:, group].any(axis=1)
        return np.asarray(count, dtype=np.int64)

    def _fault_of_group(self, group: IntArray, row: FloatArray) -> FieldError | None:
        names = [self.space.features[at].name for at in group.tolist()]
        detail = f"exactly one of {', '.join(names)} must be 1, and all others 0"
        other = [name for name, value in zip(names, row[group], strict=True) if value not in (0.0, 1.0)]
        ones = [name for name, value in zip(names, row[group], strict=True) if value == 1.0]
        if not other and len(ones) == 1:
            return None
        return FieldError(pointer_to((other or ones[1:] or names)[0]), detail)


def differing(before: FloatArray, rows: FloatArray) -> Mask:
    """Tell where rows (n, features) differ from one row (features,); missing equals missing."""
    return np.asarray((rows != before) & ~(np.isnan(rows) & np.isnan(before)))


def one_hot(own: FloatArray) -> Mask:
    """Tell for which rows of a group's members (n, members) exactly one is 1, and all others are 0."""
    return np.asarray(((own == 1.0).sum(axis=1) == 1) & ((own == 0.0) | (own == 1.0)).all(axis=1))
