"""What lies within a few changes of one applicant: exact margins of all single changes at once.

Only leaves whose boxes can be met by the open options matter. From any state, a leaf that misses one
feature is entered by changing it, and a leaf that is met is left by changing a feature on its path; summing
leaf values over cells gives the margin of every single change without asking the model row by row.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from explain.counterfactual.boxes import Boxes
from explain.counterfactual.options import Options
from explain.counterfactual.tables import IntArray, SplitTables

FloatArray = NDArray[np.float64]


class Reach:
    """The part of an ensemble that at most `changes` of these options can touch."""

    def __init__(self, tables: SplitTables, start: IntArray, options: Options, changes: int) -> None:
        self.start = start
        self._base_margin = tables.base_margin
        self._first_cell = tables.axes.first_cell
        self._cell_count = tables.axes.count
        self._options = options
        boxes = tables.boxes
        met = boxes.met(start, self._first_cell)
        leaves = len(tables.value)
        missed = np.bincount(boxes.leaf[~met], minlength=leaves)
        alive = missed <= changes
        alive[boxes.leaf[~(met | self._enterable(boxes))]] = False
        open_features = np.zeros(len(start), dtype=np.bool_)
        open_features[options.feature] = True
        wanted = alive[boxes.leaf] & open_features[boxes.feature]
        self._boxes = boxes.picked(wanted).renumbered(np.cumsum(alive) - 1)
        self._value = tables.value[alive]
        self._tree = tables.tree[alive]
        self._met = met[wanted]
        self._missed = missed[alive]
        count = np.bincount(self._boxes.leaf, minlength=len(self._value))
        self._count = count
        self._begin = np.cumsum(count) - count
        order = np.argsort(self._boxes.feature.astype(np.int16), kind="stable")  # 16 bits: a radix sort
        ends = np.searchsorted(self._boxes.feature[order], np.arange(len(start) + 1))
        self._of_feature = [order[ends[at] : ends[at + 1]] for at in range(len(start))]

    def _enterable(self, boxes: Boxes) -> NDArray[np.bool_]:
        """Tell which conditions some option can meet."""
        offered = np.zeros(self._cell_count + 1, dtype=np.int64)
        offered[self._options.cell] = 1
        before = np.concatenate([[0], np.cumsum(offered)])
        enterable = before[boxes.high] > before[boxes.low]
        if len(boxes.window):
            enterable |= before[boxes.window[:, 1]] > before[boxes.window[:, 0]]
        at = np.flatnonzero(boxes.coded >= 0)
        if len(at):
            cells = self._first_cell[boxes.feature[at]][:, None] + np.arange(boxes.codes.shape[1])
            cells = np.minimum(cells, len(offered) - 1)
            enterable[at] = (boxes.codes[boxes.coded[at]] & (offered[cells] == 1)).any(axis=1)
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
        options = self._options
        missed = self._missed_by(cells)
        near = np.flatnonzero(missed <= 1)
        margin = self._base_margin + float(self._value[near[missed[near] == 0]].sum())
        boxes = self._boxes.picked(self._conditions_of(near))
        met = boxes.met(cells, self._first_cell)
        decisive = missed[boxes.leaf] == ~met  # every other condition of the leaf is met
        value = np.where(decisive, self._value[boxes.leaf], 0.0)
        held = np.bincount(boxes.feature, weights=np.where(met, value, 0.0), minlength=len(cells))
        return margin, margin - held[options.feature] + self._gained(boxes, value)[options.cell]

    def _missed_by(self, cells: IntArray) -> IntArray:
        """Count each leaf's unmet conditions in a state; only those on changed features can differ."""
        missed = self._missed.copy()
        for feature in np.flatnonzero(cells != self.start).tolist():
            at = self._of_feature[feature]
            now = self._boxes.picked(at).met(cells, self._first_cell)
            missed[self._boxes.leaf[at]] += self._met[at].astype(np.int64) - now
        return missed

    def _conditions_of(self, leaves: IntArray) -> IntArray:
        """Return the positions of all conditions of these leaves."""
        count = self._count[leaves]
        ends = np.cumsum(count)
        shift = np.repeat(self._begin[leaves] - (ends - count), count)
        return np.asarray(np.arange(len(shift)) + shift)

    def _gained(self, boxes: Boxes, value: FloatArray) -> FloatArray:
        """Sum the leaves' values over the cells that meet each condition."""
        total = self._cell_count
        at = np.flatnonzero(boxes.coded >= 0)
        plain = value
        if len(at):
            plain = value.copy()
            plain[at] = 0.0
        steps = np.bincount(boxes.low, weights=plain, minlength=total + 1)
        steps -= np.bincount(boxes.high, weights=plain, minlength=total + 1)
        if len(boxes.window):
            steps += np.bincount(boxes.window[:, 0], weights=plain, minlength=total + 1)
            steps -= np.bincount(boxes.window[:, 1], weights=plain, minlength=total + 1)
        gained = np.asarray(np.cumsum(steps), dtype=np.float64)
        if len(at):
            hit, code = np.nonzero(boxes.codes[boxes.coded[at]])
            cells = self._first_cell[boxes.feature[at]][hit] + code
            gained += np.bincount(cells, weights=value[at][hit], minlength=total + 1)
        return gained
