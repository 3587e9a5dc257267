"""How far a box is from the goal at best, and what reaching it costs at least.

Each output of the model is one sum, with the sign by which it counts as adverse. With one output the
adversity is that sum less the threshold. With several classes it is the largest adverse margin less the
largest favourable one: below zero if, for some favourable class, the difference is below zero for every
adverse class. So the bound of each difference gives that of the whole: the least over the favourable classes
of the largest over the adverse ones.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from explain.counterfactual.exact.kernel import Bounded
from explain.counterfactual.target import Target

FloatArray = NDArray[np.float64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Difference:
    """One difference to bring down: the sums it adds up, and its constant."""

    sums: tuple[int, ...]
    constant: float


@dataclass(frozen=True, slots=True, eq=False)
class Goal:
    """The ways to the goal: for one of them every difference must be brought down to `possible`.

    `signs` (outputs,) is how each output's margin counts.
    """

    ways: tuple[tuple[Difference, ...], ...]
    signs: FloatArray
    possible: float

    @classmethod
    def of(cls, target: Target, base_margins: FloatArray, possible: float) -> Goal:
        """Read the goal of a target whose threshold is a known margin."""
        assert target.threshold is not None  # noqa: S101  without it there is nothing to bound
        contrast = target.rule.contrast
        if contrast is None:
            sign = target.rule.adverse_sign()
            constant = sign * (float(base_margins[0]) - target.threshold)
            return cls(((Difference((0,), constant),),), np.array([float(sign)]), possible)
        signs = np.ones(len(base_margins))
        signs[list(contrast.favourable)] = -1.0
        ways = tuple(
            tuple(Difference((a, f), float(base_margins[a] - base_margins[f])) for a in contrast.adverse)
            for f in contrast.favourable
        )
        return cls(ways, signs, possible)


@dataclass(frozen=True, slots=True, eq=False)
class Estimate:
    """What is known of each box: nothing in it is nearer to the goal, nothing that may reach it costs less.

    `cost` is infinite if nothing reaches it. `short` tells whether more variables than those that must change
    have to; `gain` (boxes, variables) is how much each open one can do for that.
    """

    adversity: FloatArray
    cost: FloatArray
    short: Mask
    gain: FloatArray


def estimate(goal: Goal, bounded: Bounded, more: NDArray[np.int64], prices: FloatArray) -> Estimate:
    """Estimate boxes from the bounds of their sums.

    `more` (boxes,) is how many open variables may change, `prices` (boxes, variables) the least that each
    costs if it does, infinite for what is not open.
    """
    boxes = len(more)
    best = Estimate(
        np.full(boxes, np.inf),
        np.full(boxes, np.inf),
        np.ones(boxes, dtype=np.bool_),
        np.zeros(prices.shape),
    )
    for way in goal.ways:
        adversity, cost = np.full(boxes, -np.inf), np.zeros(boxes)
        short, gain = np.zeros(boxes, dtype=np.bool_), np.zeros(prices.shape)
        for difference in way:
            least, staying, own = _added(difference, bounded, prices)
            most = np.sort(own, axis=1)[:, ::-1]
            reach = np.concatenate([np.zeros((boxes, 1)), np.cumsum(most, axis=1)], axis=1)
            bound = np.maximum(least, staying - reach[np.arange(boxes), np.minimum(more, own.shape[1])])
            lacking = staying - goal.possible
            cost = np.maximum(cost, cover(own, prices, lacking, more))
            worse = bound > adversity
            adversity = np.where(worse, bound, adversity)
            gain = np.where(worse[:, None], own, gain)
            short |= lacking > 0.0
        cost = np.where(adversity > goal.possible, np.inf, cost)
        better = adversity < best.adversity
        best = Estimate(
            np.minimum(adversity, best.adversity),
            np.minimum(cost, best.cost),
            np.where(better, short, best.short),
            np.where(better[:, None], gain, best.gain),
        )
    return best


def _added(
    difference: Difference, bounded: Bounded, prices: FloatArray
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """Return the bound of a difference, the same with nothing more changing, and the gains of the open."""
    at = list(difference.sums)
    least = difference.constant + bounded.least[:, at].sum(axis=1)
    staying = difference.constant + bounded.staying[:, at].sum(axis=1)
    gain = bounded.gain[:, at].sum(axis=1)
    return least, staying, np.where(np.isfinite(prices), gain, 0.0)


def cover(gain: FloatArray, prices: FloatArray, lacking: FloatArray, more: NDArray[np.int64]) -> FloatArray:
    """Return the least that enough open variables cost to make up for what is lacking, each shape (boxes,).

    A lower bound of the knapsack cover: the better of its linear relaxation, filled in the order of price
    for gain, and of the cheapest prices of as many variables as are needed at least.
    """
    boxes = len(lacking)
    capped = np.minimum(gain, np.maximum(lacking, 0.0)[:, None])
    rate = np.where(capped > 0.0, prices / np.where(capped > 0.0, capped, 1.0), np.inf)
    order = np.argsort(rate, axis=1, kind="stable")
    sizes, rates = np.take_along_axis(capped, order, 1), np.take_along_axis(rate, order, 1)
    before = np.cumsum(sizes, axis=1) - sizes
    taken = np.clip(lacking[:, None] - before, 0.0, sizes)
    relaxed = (taken * np.where(np.isfinite(rates), rates, 0.0)).sum(axis=1)
    most = np.cumsum(np.sort(gain, axis=1)[:, ::-1], axis=1)
    slack = 1e-12 * np.maximum(1.0, np.where(np.isfinite(lacking), np.abs(lacking), 0.0))
    needed = (most < (lacking - slack)[:, None]).sum(axis=1) + (lacking > 0.0)
    cheapest = np.concatenate([np.zeros((boxes, 1)), np.cumsum(np.sort(prices, axis=1), axis=1)], axis=1)
    hopeless = (needed > more) | (needed > gain.shape[1])
    counted = cheapest[np.arange(boxes), np.minimum(needed, gain.shape[1])]
    return np.where(hopeless, np.inf, np.maximum(relaxed, counted) * (1.0 - 1e-12))
