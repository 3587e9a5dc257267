"""The compiled part of the bounds: one walk through all trees for each box of positions.

A box gives each variable an interval of its positions. At a split where the interval lies on both sides the
walk goes both ways with the interval narrowed to each, so that a leaf is met only where some position of the
box leads to it; where the positions of one side are no interval, it is narrowed to the smallest around them.

A variable is *open* in a box that contains the position at which it stays and others: it may change but need
not. A leaf *needs* the open variables that must leave that position to reach it. With at most r further
changes no more than r of them do, and a tree that falls by g below its best leaf that needs none does so only
if all m variables that its leaf needs change. With g / m as the share of each, what any set of changes gains
over all trees is at most the sum of its members' shares, each the largest that some leaf gives it.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from explain.attribution.compiling import compiled, inlined

Ints = NDArray[np.int64]
Reals = NDArray[np.float64]
Mask = NDArray[np.bool_]

LEAF = -1


class Splits(NamedTuple):
    """The trees as one problem sees them: splits on variables, whose positions go left in runs.

    Node i of variable `variable[i]` sends positions `runs[k, 0]` to `runs[k, 1] - 1` left, for k from
    `run_start[i]` to `run_start[i + 1] - 1`; runs are ascending and do not touch. A leaf has LEAF as `left`.
    """

    roots: Ints
    left: Ints
    right: Ints
    variable: Ints
    run_start: Ints
    runs: Ints
    stay_left: Mask
    value: Reals
    sums: Ints  # of each tree: the sum that its leaves are added to


class Walk(NamedTuple):
    """What a walk through one tree writes down on its way."""

    low: Ints
    high: Ints
    needed: Mask
    need: Ints  # the needed variables on the path, in order
    pending: Ints  # (depth, 6): node, trail, variable, low, high, whether it becomes needed
    trail: Ints  # (depth, 4): a variable, its interval before, whether it became needed
    fall: Reals  # (leaves,) the values of the leaves that need some variable
    falls: Ints  # (leaves, 1 + variables): how many each needs, and which
    straddled: Ints  # (splits, 2): a variable that must change, and the position at which it is split
    share: Reals


class Bounded(NamedTuple):
    """What the walks found; see `bound`."""

    least: Reals
    staying: Reals
    gain: Reals
    weight: Reals
    place: Reals


def new_walk(largest: int, variables: int) -> Walk:
    """Return the room that a walk through a tree of at most so many nodes needs."""
    nodes = largest + 2
    return Walk(
        low=np.zeros(variables, np.int64),
        high=np.zeros(variables, np.int64),
        needed=np.zeros(variables, np.bool_),
        need=np.zeros(variables + 1, np.int64),
        pending=np.zeros((nodes, 6), np.int64),
        trail=np.zeros((nodes, 4), np.int64),
        fall=np.zeros(nodes),
        falls=np.zeros((nodes, 1 + variables), np.int64),
        straddled=np.zeros((nodes, 2), np.int64),
        share=np.zeros(variables),
    )


def new_bounded(boxes: int, sums: int, variables: int) -> Bounded:
    """Return zeros to add up in."""
    return Bounded(
        least=np.zeros((boxes, sums)),
        staying=np.zeros((boxes, sums)),
        gain=np.zeros((boxes, sums, variables)),
        weight=np.zeros((boxes, variables)),
        place=np.zeros((boxes, variables)),
    )


@inlined
def count_left(splits: Splits, node: int, low: int, high: int) -> int:
    """Return how many of the positions from `low` to `high` - 1 a split sends left."""
    count = 0
    for k in range(splits.run_start[node], splits.run_start[node + 1]):
        count += max(0, min(high, splits.runs[k, 1]) - max(low, splits.runs[k, 0]))
    return count


@inlined
def sides(splits: Splits, node: int, low: int, high: int) -> tuple[int, int, int, int]:
    """Return the interval around those of the positions that go left, and around those that go right."""
    left_low, left_high, right_low, right_high = high, low, low, high
    for k in range(splits.run_start[node], splits.run_start[node + 1]):
        begin, end = max(low, splits.runs[k, 0]), min(high, splits.runs[k, 1])
        if begin >= end:
            continue
        left_low, left_high = min(left_low, begin), max(left_high, end)
        if begin == low:
            right_low = end
        if end == high:
            right_high = begin
    return left_low, left_high, right_low, right_high


@inlined
def go_back(walk: Walk, trailed: int, wanted: int, needs: int) -> int:
    """Undo the last steps of the path until `wanted` are left; return how many variables it still needs."""
    for step in range(trailed - 1, wanted - 1, -1):
        v = walk.trail[step, 0]
        walk.low[v], walk.high[v] = walk.trail[step, 1], walk.trail[step, 2]
        if walk.trail[step, 3]:
            walk.needed[v] = False
            needs -= 1
    return needs


@inlined
def go_on(walk: Walk, step: int, trailed: int, needs: int) -> int:
    """Take a pending branch: narrow its variable; return how many variables the path then needs."""
    v = walk.pending[step, 2]
    walk.trail[trailed, 0], walk.trail[trailed, 1] = v, walk.low[v]
    walk.trail[trailed, 2], walk.trail[trailed, 3] = walk.high[v], walk.pending[step, 5]
    walk.low[v], walk.high[v] = walk.pending[step, 3], walk.pending[step, 4]
    if walk.pending[step, 5]:
        walk.needed[v] = True
        walk.need[needs] = v
        needs += 1
    return needs


@inlined
def put_off(walk: Walk, top: int, node: int, trailed: int, branch: tuple[int, int, int, bool]) -> int:
    """Keep a branch for later: its variable, the interval there and whether it needs the variable."""
    walk.pending[top, 0], walk.pending[top, 1] = node, trailed
    walk.pending[top, 2], walk.pending[top, 3], walk.pending[top, 4] = branch[0], branch[1], branch[2]
    walk.pending[top, 5] = int(branch[3])
    return top + 1


@inlined
def branch_off(
    splits: Splits, node: int, place: tuple[int, int, int, int], rest: tuple[Ints, Mask], walk: Walk
) -> tuple[int, int]:
    """Put off both sides of a split that the box lies across, as far as enough variables may change.

    `place` is the number of branches put off, the length of the path, how many variables it needs and how
    many it may. Returns the new number of branches, and the position of the split if its variable must change
    and the path needs no open one, else -1.
    """
    top, trailed, needs, more = place
    stay, chosen = rest
    v = splits.variable[node]
    low, high = walk.low[v], walk.high[v]
    left_low, left_high, right_low, right_high = sides(splits, node, low, high)
    is_open = chosen[v] and low <= stay[v] < high and not walk.needed[v]
    stays_left = is_open and splits.stay_left[node]
    stays_right = is_open and not splits.stay_left[node]
    if not stays_left or needs < more:
        top = put_off(walk, top, splits.right[node], trailed, (v, right_low, right_high, stays_left))
    if not stays_right or needs < more:
        top = put_off(walk, top, splits.left[node], trailed, (v, left_low, left_high, stays_right))
    if is_open or needs > 0 or not chosen[v]:
        return top, -1
    return top, left_high if left_low == low else left_low


@inlined
def undecided(splits: Splits, node: int, walk: Walk) -> int:
    """Go down from a node as long as the box lies on one side; return the leaf or the split across it."""
    while splits.left[node] != LEAF:
        v = splits.variable[node]
        low, high = walk.low[v], walk.high[v]
        count = count_left(splits, node, low, high)
        if 0 < count < high - low:
            break
        node = splits.right[node] if count == 0 else splits.left[node]
    return node


@inlined
def walk_tree(
    splits: Splits, root: int, more: int, rest: tuple[Ints, Mask], walk: Walk
) -> tuple[float, float, float, int, int]:
    """Visit the leaves of one tree that the box in `walk` can reach with at most `more` needed variables.

    `rest` is where each variable stays and which may be open. Returns the smallest leaf, the smallest and
    the largest of those that need none, and how many `falls` and `straddled` were written down.
    """
    least, best, worst = np.inf, np.inf, -np.inf
    fallen = straddles = trailed = needs = 0
    top = put_off(walk, 0, root, 0, (-1, 0, 0, False))
    while top > 0:
        top -= 1
        needs = go_back(walk, trailed, walk.pending[top, 1], needs)
        trailed = walk.pending[top, 1]
        if walk.pending[top, 2] >= 0:
            needs = go_on(walk, top, trailed, needs)
            trailed += 1
        node = undecided(splits, walk.pending[top, 0], walk)
        if splits.left[node] != LEAF:
            top, position = branch_off(splits, node, (top, trailed, needs, more), rest, walk)
            if position >= 0:
                walk.straddled[straddles, 0], walk.straddled[straddles, 1] = splits.variable[node], position
                straddles += 1
            continue
        value = splits.value[node]
        least = min(least, value)
        if needs == 0:
            best, worst = min(best, value), max(worst, value)
            continue
        walk.fall[fallen], walk.falls[fallen, 0] = value, needs
        walk.falls[fallen, 1 : 1 + needs] = walk.need[:needs]
        fallen += 1
    go_back(walk, trailed, 0, needs)
    return least, best, worst, fallen, straddles


@inlined
def add_shares(walk: Walk, fallen: int, best: float, gain: Reals) -> None:
    """Add to `gain` (variables,) the largest share of each variable in what one tree falls below `best`."""
    for k in range(fallen):
        count = walk.falls[k, 0]
        share = (best - walk.fall[k]) / count
        for i in range(count):
            v = walk.falls[k, 1 + i]
            walk.share[v] = max(walk.share[v], share)
    for k in range(fallen):
        for i in range(walk.falls[k, 0]):
            v = walk.falls[k, 1 + i]
            gain[v] += walk.share[v]
            walk.share[v] = 0.0


@compiled
def bound(
    splits: Splits, boxes: tuple[Ints, Ints, Ints], rest: tuple[Ints, Mask], walk: Walk, out: Bounded
) -> None:
    """Bound the sums over boxes: `low` and `high`, shape (boxes, variables), and how many more may change.

    `rest` (variables,) is where each variable stays and which of them may be open; one that follows from
    others never is. Adds to `out`: `least` (boxes, sums), the sum of the trees' smallest leaves; `staying`,
    the same with all open variables staying; `gain` (boxes, sums, variables), the shares of the open ones;
    `weight` (boxes, variables), how much the trees disagree about each variable that must change, and
    `place`, the sum of where they do, weighted alike.
    """
    lows, highs, more = boxes
    for b in range(len(lows)):
        for t in range(len(splits.roots)):
            walk.low[:] = lows[b]
            walk.high[:] = highs[b]
            least, best, worst, fallen, straddles = walk_tree(splits, splits.roots[t], more[b], rest, walk)
            s = splits.sums[t]
            out.least[b, s] += least
            out.staying[b, s] += best
            add_shares(walk, fallen, best, out.gain[b, s])
            if worst > best:
                for k in range(straddles):
                    v = walk.straddled[k, 0]
                    out.weight[b, v] += worst - best
                    out.place[b, v] += (worst - best) * walk.straddled[k, 1]
