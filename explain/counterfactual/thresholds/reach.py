"""What lies within a few changes of one applicant: exact margins of all single changes at once.

Only leaves whose boxes can be met by the open options matter. From any state, a leaf that misses one
feature is entered by changing it, and a leaf that is met is left by changing a feature on its path; summing
leaf values over cells gives the margin of every single change without asking the model row by row. The sums
of the start are kept: another state differs from them only in the leaves that its changes enter or leave.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from explain.counterfactual.cells.boxes import Boxes
from explain.counterfactual.cells.tables import IntArray, SplitTables
from explain.counterfactual.options import Options

if TYPE_CHECKING:
    from explain.counterfactual.thresholds.reach_kernel import Leaves

FloatArray = NDArray[np.float64]

_TOGETHER = 1_000_000  # codes of conditions looked at together


class Reach:
    """The part of an ensemble that at most `changes` of these options can touch."""

    def __init__(self, tables: SplitTables, start: IntArray, options: Options, changes: int) -> None:
        self.start = start
        self._base_margin = tables.base_margin
        self._first_cell = tables.axes.first_cell
        self._options = options
        offered = np.zeros(tables.axes.count + 1, dtype=np.int64)
        offered[options.cell] = 1
        self._before = np.concatenate([[0], np.cumsum(offered)])  # how many offered cells come before a cell
        boxes = tables.boxes
        met = boxes.met(start, self._first_cell)
        leaves = len(tables.value)
        missed = np.bincount(boxes.leaf[~met], minlength=leaves)
        alive = missed <= changes
        alive[boxes.leaf[~(met | self._enterable(boxes))]] = False
        open_features = np.zeros(len(start), dtype=np.bool_)
        open_features[options.feature] = True
        wanted = alive[boxes.leaf] & open_features[boxes.feature]
        self._value = tables.value[alive]
        self._tree = tables.tree[alive]
        kept = boxes.picked(wanted).renumbered(np.cumsum(alive) - 1)
        # numba takes most of a second to import: saved by a process that searches nothing.
        from explain.counterfactual.thresholds import reach_kernel  # noqa: PLC0415

        self._margins_of = reach_kernel.margins_of
        self._leaves = self._laid_out(kept)
        count = len(self._value)
        self._standing = reach_kernel.Standing(
            met=met[wanted],
            missed=missed[alive],
            marked=np.zeros(count, dtype=np.bool_),
            touched=np.empty(count, dtype=np.int64),
            flipped=np.empty(len(kept.leaf), dtype=np.int64),
        )
        self._at_start, self._scratch = np.zeros((2, 1 + len(start) + 2 * (int(self._before[-1]) + 1)))
        self._places = np.stack([options.feature, self._before[options.cell]], axis=1)
        reach_kernel.add_all(self._leaves, self._standing, self._at_start)

    def _enterable(self, boxes: Boxes) -> NDArray[np.bool_]:
        """Tell which conditions some option can meet."""
        before = self._before
        enterable = before[boxes.high] > before[boxes.low]
        if len(boxes.window):
            enterable |= before[boxes.window[:, 1]] > before[boxes.window[:, 0]]
        coded = np.flatnonzero(boxes.coded >= 0)
        for feature in np.unique(boxes.feature[coded]).tolist():
            own = coded[boxes.feature[coded] == feature]
            first, last = self._first_cell[feature : feature + 2]
            offered = np.flatnonzero(np.diff(before[first : last + 1]))
            for at in np.array_split(own, 1 + len(own) * len(offered) // _TOGETHER):
                enterable[at] = boxes.codes[boxes.coded[at][:, None], offered].any(axis=1)
        return np.asarray(enterable)

    def best_margin(self, adverse_sign: int) -> float:
        """Return a margin that no permitted set of changes can better: each tree's best open leaf, summed."""
        if not len(self._tree):
            return self._base_margin
        starts = np.flatnonzero(np.r_[True, self._tree[1:] != self._tree[:-1]])
        best = float(np.minimum.reduceat(adverse_sign * self._value, starts).sum())
        return self._base_margin + adverse_sign * best

    def margins(self, cells: IntArray) -> tuple[float, FloatArray]:
        """Return the margin of a state, and that of each option (options,) taken from there alone."""
        margins = np.empty(len(self._options))
        margin = self._margins_of(
            self._leaves,
            self._standing,
            self._at_start,
            self._scratch,
            self.start,
            cells,
            self._places,
            margins,
        )
        return self._base_margin + margin, self._base_margin + margins

    def _laid_out(self, boxes: Boxes) -> Leaves:
        """Lay the conditions out for the kernel: by leaf, and once more by feature."""
        from explain.counterfactual.thresholds.reach_kernel import Leaves  # noqa: PLC0415  as above

        before = self._before
        count = np.bincount(boxes.leaf, minlength=len(self._value))
        order = np.argsort(boxes.feature.astype(np.int16), kind="stable")  # 16 bits: a radix sort
        fields = [boxes.feature, boxes.coded, boxes.low, boxes.high, before[boxes.low], before[boxes.high]]
        if len(boxes.window):
            fields += [*boxes.window.T, *before[boxes.window].T]
        return Leaves(
            value=self._value,
            begin=np.concatenate([[0], np.cumsum(count)]),
            leaf=boxes.leaf.astype(np.int32),
            conditions=np.stack(fields, axis=1).astype(np.int32),
            missing=boxes.missing,
            codes=boxes.codes,
            feature_begin=np.searchsorted(boxes.feature[order], np.arange(len(self.start) + 1)),
            of_feature=order,
            first_cell=self._first_cell,
            offered=np.flatnonzero(np.diff(before) == 1),
            first_place=before[self._first_cell],
        )
