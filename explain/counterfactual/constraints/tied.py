"""The links and inequalities of a model version, laid out once so that rows cost only what they touch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from explain.counterfactual.constraints.inequalities import Inequality
from explain.counterfactual.constraints.links import Link
from explain.features import FeatureSpace

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
Mask = NDArray[np.bool_]

_FEW = 256  # rows up to which an inequality's terms are summed as one table instead of one by one


class Columns(Mapping[str, FloatArray]):
    """The columns of rows (n, features) by name, as views: what is written to the rows is seen here."""

    def __init__(self, space: FeatureSpace, rows: FloatArray) -> None:
        self._space = space
        self._rows = rows

    def __getitem__(self, name: str) -> FloatArray:
        return self._rows[:, self._space.index(name)]

    def __iter__(self) -> Iterator[str]:
        return iter(self._space.names)

    def __len__(self) -> int:
        return len(self._space.features)


@dataclass(frozen=True, slots=True, eq=False)
class Followed:
    """A link with its own position and those of its parts."""

    link: Link
    at: int
    parts: IntArray


@dataclass(frozen=True, slots=True, eq=False)
class Bounded:
    """An inequality with the positions and weights of its terms, and how a reader would write it."""

    inequality: Inequality
    positions: IntArray
    weights: FloatArray
    text: str

    def holds(self, space: FeatureSpace, rows: FloatArray) -> Mask:
        """Tell for each of the rows (n, features) whether it holds, as `Inequality.holds` does."""
        if len(rows) > _FEW or not len(self.positions):
            return np.broadcast_to(self.inequality.holds(Columns(space, rows)), (len(rows),))
        bound = abs(self.inequality.at_most)
        with np.errstate(over="ignore", invalid="ignore"):
            products = rows[:, self.positions] * self.weights
            total = np.add.accumulate(products, axis=1)[:, -1]  # in the terms' order, as one by one
            sizes = np.concatenate([np.full((len(rows), 1), bound), np.abs(products)], axis=1)
            size = np.add.accumulate(sizes, axis=1)[:, -1]
            excess = total - self.inequality.at_most
            return np.asarray(np.isnan(excess) | (excess <= self.inequality.slack(size)))


@dataclass(frozen=True, slots=True, eq=False)
class Tied:
    """What ties the features of a space together: links in the order of their chain, and inequalities."""

    space: FeatureSpace
    followed: tuple[Followed, ...]
    bounded: tuple[Bounded, ...]

    @classmethod
    def of(cls, space: FeatureSpace, chain: Sequence[Link], inequalities: Sequence[Inequality]) -> Tied:
        """Look up every position."""
        followed = [
            Followed(link, space.index(link.feature), _positions(space, link.parts)) for link in chain
        ]
        bounded = []
        for one in inequalities:
            positions = _positions(space, [name for name, _ in one.terms])
            weights = np.array([weight for _, weight in one.terms], dtype=np.float64)
            bounded.append(Bounded(one, positions, weights, str(one)))
        return cls(space, tuple(followed), tuple(bounded))

    def complete(self, before: FloatArray, rows: FloatArray, changed: Mask) -> FloatArray:
        """Return rows (n, features) with their derived features; `changed` is how they differ from before."""
        rows, changed = rows.copy(), changed.copy()
        columns = Columns(self.space, rows)
        for one in self.followed:
            own = float(before[one.at])
            touched = changed[:, one.parts].any(axis=1)
            if not touched.any():
                rows[:, one.at], changed[:, one.at] = own, False
                continue
            found = np.where(touched, one.link.values(columns), own)
            rows[:, one.at] = found
            changed[:, one.at] = (found != own) & ~(np.isnan(found) & np.isnan(own))
        return rows

    def broken_links(self, before: FloatArray, rows: FloatArray, changed: Mask) -> Iterator[tuple[str, Mask]]:
        """Yield each link with a mask of the rows that break it."""
        if not self.followed:
            return
        expected = self.complete(before, rows, changed)
        for one in self.followed:
            given, wanted = rows[:, one.at], expected[:, one.at]
            wrong = (given != wanted) & ~(np.isnan(given) & np.isnan(wanted))
            if wrong.any():
                yield f"{one.link.feature} must be {one.link.expression.text}", wrong
            undefined = np.isnan(wanted)
            if undefined.any():
                undefined &= ~np.isnan(rows[:, one.parts]).any(axis=1) & changed[:, one.parts].any(axis=1)
                yield f"{one.link.feature} cannot be computed", undefined

    def broken_sums(self, before: FloatArray, rows: FloatArray, changed: Mask) -> Iterator[tuple[str, Mask]]:
        """Yield each inequality that some row breaks with a mask of those rows."""
        touched = np.asarray(changed.any(axis=0))
        for one in self.bounded:
            if touched[one.positions].any():
                holds = one.holds(self.space, rows)
            else:
                holds = np.broadcast_to(one.holds(self.space, before[None, :]), (len(rows),))
            if not holds.all():
                yield f"{one.text} must hold", ~holds

    def holds(self, row: FloatArray) -> bool:
        """Tell whether one row (features,) keeps every inequality."""
        return all(bool(one.holds(self.space, row[None, :])[0]) for one in self.bounded)


def _positions(space: FeatureSpace, names: Sequence[str]) -> IntArray:
    return np.array([space.index(name) for name in names], dtype=np.int64)
