"""Which boxes a box is divided into.

While more has to change than surely does, the open variable that can do most is decided: it stays, or it
changes to a position below or above. Then the intervals of those that must change are cut where the trees
disagree most, until the row nearest to the applicant's stands for the whole box: a leaf.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from explain.counterfactual.exact.domains import Domains

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]
Mask = NDArray[np.bool_]


class Plan(NamedTuple):
    """What is done with a box next: a variable is opened or cut at a position, or its leaf is looked at.

    `others`: its leaf does not do, and what is left are the boxes in which some open variable changes too.
    """

    kind: Literal["open", "cut", "leaf", "others"]
    variable: int = -1
    position: int = 0


@dataclass(frozen=True, slots=True, eq=False)
class Node:
    """One box: positions `low` to `high` - 1 of each variable; `more` may change beyond those that must.

    No row in it that reaches the goal costs less than `cost`, none is nearer to it than `adversity`.
    """

    low: IntArray
    high: IntArray
    more: int
    cost: float
    adversity: float
    plan: Plan


Box = tuple[IntArray, IntArray, int]


@dataclass(frozen=True, slots=True, eq=False)
class Branching:
    """Divides the boxes of one problem."""

    stay: IntArray
    sizes: IntArray
    tied: Mask
    changes: int

    @classmethod
    def of(cls, domains: Domains) -> Branching:
        """Read what the boxes of these domains have in common."""
        tied = np.array([variable.tied for variable in domains.variables], dtype=np.bool_)
        return cls(domains.stay, domains.sizes, tied, domains.changes)

    def root(self) -> Box:
        """Return the box of everything that may be chosen."""
        return np.zeros(len(self.sizes), dtype=np.int64), self.sizes.copy(), self.changes

    def open_in(self, low: IntArray, high: IntArray) -> Mask:
        """Tell which variables may change in boxes but need not, shape as given."""
        return np.asarray((low <= self.stay) & (self.stay < high) & (high - low > 1))

    def changing_in(self, low: IntArray, high: IntArray) -> Mask:
        """Tell which variables must change in boxes."""
        return np.asarray((self.stay < low) | (self.stay >= high))

    def plan(self, box: Box, short: bool, gain: FloatArray, votes: tuple[FloatArray, FloatArray]) -> Plan:
        """Decide how to divide a box; `votes` are the weights of its variables and the weighted positions."""
        low, high, _ = box
        weight, place = votes
        if short and gain.max(initial=0.0) > 0.0:
            return Plan("open", int(gain.argmax()))
        wide = self.changing_in(low, high) & (high - low > 1)
        voted = np.where(wide, weight, 0.0)
        if voted.max(initial=0.0) > 0.0:
            v = int(voted.argmax())
            position = int(np.rint(place[v] / weight[v]))
            return Plan("cut", v, min(max(position, int(low[v]) + 1), int(high[v]) - 1))
        tied = np.where(wide & self.tied, high - low, 0)
        if tied.max(initial=0):
            v = int(tied.argmax())
            return Plan("cut", v, int(low[v] + high[v]) // 2)
        return Plan("leaf")

    def divided(self, node: Node) -> list[Box]:
        """Return the boxes that together hold all of a node's rows that are still to be looked at."""
        if node.plan.kind == "open":
            return self._opened(node.low, node.high, node.more, node.plan.variable)
        if node.plan.kind == "cut":
            v, position = node.plan.variable, node.plan.position
            first, last = node.high.copy(), node.low.copy()
            first[v] = last[v] = position
            return [(node.low, first, node.more), (last, node.high, node.more)]
        boxes = []
        low, high = node.low, node.high
        for v in np.flatnonzero(self.open_in(low, high)).tolist():
            stays, *changes = self._opened(low, high, node.more, v)
            boxes += changes
            low, high, _ = stays
        return boxes

    def _opened(self, low: IntArray, high: IntArray, more: int, v: int) -> list[Box]:
        """Return the box in which an open variable stays, then those in which it changes."""
        stay = int(self.stay[v])
        boxes = [self._with(low, high, v, (stay, stay + 1), more)]
        for begin, end in ((int(low[v]), stay), (stay + 1, int(high[v]))):
            if begin < end:
                boxes.append(self._with(low, high, v, (begin, end), more - 1))
        return boxes

    def _with(self, low: IntArray, high: IntArray, v: int, interval: tuple[int, int], more: int) -> Box:
        low, high = low.copy(), high.copy()
        low[v], high[v] = interval
        if more == 0:
            opened = self.open_in(low, high)
            low[opened], high[opened] = self.stay[opened], self.stay[opened] + 1
        return low, high, more

    def leaf(self, low: IntArray, high: IntArray) -> IntArray:
        """Return the positions of the row that stands for a box: nearest, with nothing more than needed."""
        return np.where(self.changing_in(low, high), np.where(low > self.stay, low, high - 1), self.stay)
