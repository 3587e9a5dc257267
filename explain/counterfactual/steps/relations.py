"""What a change of one feature drags along: the derived features that follow, and what it must agree with."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from explain.counterfactual.cells.axes import Axes
from explain.counterfactual.constraints.checker import Constraints
from explain.counterfactual.constraints.inequalities import Inequality
from explain.counterfactual.constraints.links import Link
from explain.features import FeatureSpace

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
Mask = NDArray[np.bool_]

_MANY = 2**62  # tuples of cells that one 64-bit number can tell apart


@dataclass(frozen=True, slots=True, eq=False)
class Relation:
    """One feature's links, in the order in which they follow, and inequalities.

    `partners` are the other features that these speak of: what the feature may become, and what follows,
    depends on them.
    """

    space: FeatureSpace
    at: int
    links: tuple[Link, ...]
    inequalities: tuple[Inequality, ...]
    partners: IntArray

    @classmethod
    def of(cls, constraints: Constraints, at: int) -> Relation | None:
        """Return the relation of the feature at this position, if it has any."""
        space = constraints.space
        moved = {space.features[at].name}
        links = []
        for link in constraints.chain:
            if moved.intersection(link.parts):
                links.append(link)
                moved.add(link.feature)
        inequalities = [one for one in constraints.inequalities if moved.intersection(dict(one.terms))]
        if not links and not inequalities:
            return None
        followed = {space.index(name) for name in moved}
        named = [name for link in links for name in link.parts]
        named += [name for one in inequalities for name, _ in one.terms]
        partners = np.array(sorted({space.index(name) for name in named} - followed), dtype=np.int64)
        return cls(space, at, tuple(links), tuple(inequalities), partners)

    def kinds(self, axes: Axes, row: FloatArray, values: FloatArray) -> tuple[IntArray, Mask]:
        """Number values of the feature so that those the model and the inequalities cannot tell apart agree.

        Also tells which values keep the inequalities. The feature's partners are as in `row`.
        """
        partners = self.partners.tolist()
        columns = {self.space.features[at].name: row[at] for at in partners}
        columns[self.space.features[self.at].name] = values
        marks = [axes.place(self.at, values)]
        for link in self.links:
            followed = np.broadcast_to(link.values(columns), values.shape)
            columns[link.feature] = followed
            places = axes.place(self.space.index(link.feature), followed)
            marks.append(np.where(np.isnan(followed), 0, places + 1))
        kept = np.ones(len(values), dtype=np.bool_)
        for one in self.inequalities:
            holds = np.broadcast_to(one.holds(columns), values.shape)
            kept &= holds
            marks.append(holds.astype(np.int64))
        return _numbered(marks), kept


def _numbered(marks: list[IntArray]) -> IntArray:
    """Give each distinct tuple of marks a number of its own."""
    kinds, count = np.zeros(len(marks[0]), dtype=np.int64), 1
    for mark in marks:
        width = int(mark.max(initial=0)) + 1
        if count * width >= _MANY:
            kinds = np.unique(kinds, return_inverse=True)[1]
            count = int(kinds.max(initial=0)) + 1
        kinds = kinds * width + mark
        count *= width
    return kinds
