"""Bounds of the model's sums over boxes: of trees by the kernel, of a linear model by its terms."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from explain.counterfactual.cells.axes import Axes
from explain.counterfactual.exact.domains import Domains
from explain.counterfactual.exact.kernel import Bounded, Splits, Walk, bound, new_bounded, new_walk
from explain.counterfactual.exact.linked import Extent
from explain.counterfactual.exact.splits import as_seen, split_by
from explain.models.ensemble import TreeEnsemble
from explain.models.linear import LinearForm

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Boxes:
    """Boxes of positions `low` to `high` - 1, shape (boxes, variables).

    `more` (boxes,) is how many variables may change beyond those that must; `implied` holds, for each box,
    the extents of the derived features in the order of their chain.
    """

    low: IntArray
    high: IntArray
    more: IntArray
    implied: list[list[Extent]]

    def __len__(self) -> int:
        return len(self.low)


_MOST = 1e200  # what a range without an end weighs


class Bounds(Protocol):
    """Bounds of one problem's sums."""

    def over(self, boxes: Boxes) -> Bounded:
        """Bound the sums over each of the boxes."""


@dataclass(frozen=True, slots=True, eq=False)
class TreeBounds:
    """Bounds of trees; a derived feature is one more variable, with a missing value and its cells."""

    splits: Splits
    walk: Walk
    stay: IntArray
    chosen: NDArray[np.bool_]
    axes: Axes
    derived: tuple[int, ...]

    @classmethod
    def prepare(cls, trees: TreeEnsemble, axes: Axes, domains: Domains, signs: FloatArray) -> TreeBounds:
        """Read the trees over the problem's variables."""
        row, constraints = domains.problem.instance.row, domains.problem.constraints
        columns = [(-1, as_seen(trees, row[at : at + 1])) for at in range(len(row))]
        for v, variable in enumerate(domains.variables):
            for column, at in enumerate(variable.features):
                columns[at] = (v, as_seen(trees, variable.values[:, column]))
        derived = tuple(constraints.space.index(link.feature) for link in constraints.chain)
        count = len(domains.variables)
        for k, at in enumerate(derived):
            columns[at] = (count + k, np.concatenate([[np.nan], _in_cells(axes, at)]))
        stay = np.concatenate([domains.stay, np.zeros(len(derived), dtype=np.int64)])
        splits = split_by(trees, columns, stay, signs)
        walk = new_walk(int(np.diff(trees.offsets).max(initial=0)), len(stay))
        return cls(splits, walk, stay, np.arange(len(stay)) < count, axes, derived)

    def over(self, boxes: Boxes) -> Bounded:
        """Walk through all trees for each box."""
        low, high = boxes.low, boxes.high
        if self.derived:
            places = np.array(
                [
                    [self._places(*one) for one in zip(self.derived, extents, strict=True)]
                    for extents in boxes.implied
                ]
            ).reshape(len(boxes), -1, 2)
            low = np.concatenate([low, places[:, :, 0]], axis=1)
            high = np.concatenate([high, places[:, :, 1]], axis=1)
        sums = int(self.splits.sums.max(initial=0)) + 1
        out = new_bounded(len(boxes), sums, len(self.stay))
        bound(self.splits, (low, high, boxes.more), (self.stay, self.chosen), self.walk, out)
        own = boxes.low.shape[1]
        return Bounded(out.least, out.staying, out.gain[:, :, :own], out.weight[:, :own], out.place[:, :own])

    def _places(self, at: int, extent: Extent) -> tuple[int, int]:
        """Return the positions of a derived feature's extent."""
        if not extent.present:
            return 0, 1
        first, last = self.axes.place(at, np.array([extent.low, extent.high])).tolist()
        return 0 if extent.missing else first + 1, last + 2


def _in_cells(axes: Axes, at: int) -> FloatArray:
    """Return a number in each cell of a feature, as the model sees it."""
    cuts = axes.cuts[at]
    return np.concatenate([[-np.inf], cuts]) if axes.upper_side else np.concatenate([cuts, [np.inf]])


@dataclass(frozen=True, slots=True, eq=False)
class LinearBounds:
    """Bounds of a linear model: each variable's terms, added up.

    `least` holds for each variable the smallest term of each position, shape (outputs, positions).
    """

    least: tuple[FloatArray, ...]
    fixed: FloatArray
    stay: IntArray
    weights: FloatArray
    derived: tuple[int, ...]
    single: bool

    @classmethod
    def prepare(cls, form: LinearForm, domains: Domains, signs: FloatArray) -> LinearBounds:
        """Work out the terms of all positions."""
        row, constraints = domains.problem.instance.row, domains.problem.constraints
        weights = signs[:, None] * form.weights
        single = form.input_width == 32
        derived = tuple(constraints.space.index(link.feature) for link in constraints.chain)
        least, moving = [], set(derived)
        for variable in domains.variables:
            at = list(variable.features)
            moving.update(at)
            if len(at) == 1:
                ends = [_terms(weights[:, at], variable.ends[:, [side]], single) for side in (0, 1)]
                least.append(np.minimum(*ends))
            else:
                least.append(_terms(weights[:, at], variable.values, single))
        still = [at for at in range(len(row)) if at not in moving]
        fixed = _terms(weights[:, still], row[None, still], single)[:, 0]
        return cls(tuple(least), fixed, domains.stay, weights, derived, single)

    def over(self, boxes: Boxes) -> Bounded:
        """Add up the smallest terms of each box."""
        out = new_bounded(len(boxes), len(self.weights), len(self.stay))
        for b in range(len(boxes)):
            staying = self.fixed + self._derived(boxes.implied[b])
            for v, terms in enumerate(self.least):
                low, high, stay = int(boxes.low[b, v]), int(boxes.high[b, v]), int(self.stay[v])
                inside = terms[:, low:high]
                smallest = inside.min(axis=1)
                if low <= stay < high:
                    staying = staying + terms[:, stay]
                    out.gain[b, :, v] = terms[:, stay] - smallest
                    continue
                staying = staying + smallest
                if high - low > 1:
                    out.weight[b, v] = min(float((inside.max(axis=1) - smallest).max()), _MOST)
                    out.place[b, v] = out.weight[b, v] * (low + high) / 2.0
            out.staying[b] = staying
            out.least[b] = -np.inf
        return out

    def rounding(self, form: LinearForm, implied: list[Extent]) -> float:
        """Bound what the native library's own rounding may do to a margin, wherever it is known.

        `implied` are the extents of the derived features over all that is permitted.
        """
        sizes = np.abs(form.base_margins) + np.abs(self.fixed)
        for at, extent in zip(self.derived, implied, strict=True):
            if extent.present:
                ends = np.array([[extent.low], [extent.high]])
                sizes += np.abs(_terms(self.weights[:, [at]], ends, self.single)).max(axis=1)
        for terms in self.least:
            sizes += np.where(np.isfinite(terms), np.abs(terms), 0.0).max(axis=1)
        unit = 2.0**-23 if form.float_width == 32 else 2.0**-52
        return float(unit * (form.n_features + 2) * sizes.sum())

    def _derived(self, extents: list[Extent]) -> FloatArray:
        """Return the smallest terms of the derived features."""
        total = np.zeros(len(self.weights))
        for at, extent in zip(self.derived, extents, strict=True):
            ends = [end for end in (extent.low, extent.high) if extent.present]
            values = np.array(ends + [np.nan] * extent.missing)[:, None]
            total += _terms(self.weights[:, [at]], values, self.single).min(axis=1)
        return total


def _terms(weights: FloatArray, values: FloatArray, single: bool) -> FloatArray:
    """Return what values (n, features) add to each output, shape (outputs, n); a missing one adds nothing."""
    with np.errstate(over="ignore", invalid="ignore"):
        seen = values.astype(np.float32).astype(np.float64) if single else values
        terms = np.where(np.isnan(seen)[None], 0.0, seen[None] * weights[:, None, :])
    return np.asarray(np.nan_to_num(terms, nan=0.0, posinf=np.inf, neginf=-np.inf).sum(axis=2))
