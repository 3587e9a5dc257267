"""What lies within a few changes of one applicant: exact margins of all single changes at once.

Only leaves whose boxes can be met by the open options matter. From any state, a leaf that misses one
feature is entered by changing it, and a leaf that is met is left by changing a feature on its path; summing
leaf values over cells gives the margin of every single change without asking the model row by row.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from explain.counterfactual.options import Options
from explain.counterfactual.tables import Boxes, IntArray, SplitTables

FloatArray = NDArray[np.float64]


class Reach:
    """The part of an ensemble that at most `changes` of these options can touch."""

    def __init__(self, tables: SplitTables, start: IntArray, options: Options, changes: int) -> None:
        self.start = start
        self._tables = tables
        self._options = options
        boxes = tables.boxes
        met = boxes.met(start, tables.first_cell)
        leaves = len(tables.value)
        missed = np.bincount(boxes.leaf[~met], minlength=leaves)
        barred = np.bincount(boxes.leaf[~(met | self._enterable(boxes))], minlength=leaves)
        alive = (barred == 0) & (missed <= changes)
        open_features = np.zeros(len(start), dtype=np.bool_)
        open_features[options.feature] = True
        wanted = alive[boxes.leaf] & open_features[boxes.feature]
        self._boxes = boxes.picked(wanted, np.cumsum(alive) - 1)
        self._value = tables.value[alive]
        self._tree = tables.tree[alive]
        self._coded = np.zeros(len(self._boxes.leaf), dtype=np.bool_)
        self._coded[self._boxes.coded_at] = True

    def _enterable(self, boxes: Boxes) -> NDArray[np.bool_]:
        """Tell which conditions some option can meet."""
        offered = np.zeros(int(self._tables.first_cell[-1]) + 1, dtype=np.int64)
        offered[self._options.cell] = 1
        before = np.concatenate([[0], np.cumsum(offered)])
        enterable = before[boxes.high] > before[boxes.low]
        if len(boxes.coded_at):
            cells = self._tables.first_cell[boxes.feature[boxes.coded_at]][:, None]
            cells = np.minimum(cells + np.arange(boxes.codes.shape[1]), len(offered) - 1)
            enterable[boxes.coded_at] = (boxes.codes & (offered[cells] == 1)).any(axis=1)
        return np.asarray(enterable)

    def best_margin(self, adverse_sign: int) -> float:
        """Return a margin that no permitted set of changes can better: each tree's best open leaf, summed."""
        if not len(self._tree):
            return self._tables.base_margin
        starts = np.flatnonzero(np.r_[True, self._tree[1:] != self._tree[:-1]])
        best = float(np.minimum.reduceat(adverse_sign * self._value, starts).sum())
        return self._tables.base_margin + adverse_sign * best

    def margins(self, cells: IntArray) -> tuple[float, FloatArray]:
        """Return the margin of a state, and that of each option (options,) taken from there alone."""
        boxes, options = self._boxes, self._options
        met = boxes.met(cells, self._tables.first_cell)
        missed = np.bincount(boxes.leaf[~met], minlength=len(self._value))
        margin = self._tables.base_margin + float(self._value[missed == 0].sum())
        decisive = missed[boxes.leaf] == ~met  # every other condition of the leaf is met
        value = np.where(decisive, self._value[boxes.leaf], 0.0)
        held = np.bincount(boxes.feature[met], weights=value[met], minlength=len(cells))
        gained = self._gained(decisive, value)
        return margin, margin - held[options.feature] + gained[options.cell]

    def _gained(self, decisive: NDArray[np.bool_], value: FloatArray) -> FloatArray:
        """Sum the decisive leaves over the cells that meet their condition."""
        boxes = self._boxes
        total = int(self._tables.first_cell[-1])
        plain = decisive & ~self._coded
        weights = value[plain]
        steps = np.bincount(boxes.low[plain], weights=weights, minlength=total + 1)
        steps -= np.bincount(boxes.high[plain], weights=weights, minlength=total + 1)
        gained = np.asarray(np.cumsum(steps), dtype=np.float64)
        rows = np.flatnonzero(decisive[boxes.coded_at])
        if len(rows):
            at = boxes.coded_at[rows]
            hit, code = np.nonzero(boxes.codes[rows])
            cells = self._tables.first_cell[boxes.feature[at]][hit] + code
            gained += np.bincount(cells, weights=value[at][hit], minlength=total + 1)
        return gained
