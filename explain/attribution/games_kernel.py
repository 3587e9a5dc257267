"""The compiled engine of the games that leaves play: Shapley values and pairs' interaction values of one row.

A leaf of value v on whose path k distinct features are tested is the game

    v * prod_{j in S} o_j * prod_{j not in S} r_j

with o_j = 1 where the explained row passes every test on feature j, else 0, and r_j the same of one reference
row, or the product of the cover ratios along those tests. By the multilinear extension (Owen 1972)

    phi_i  = v (o_i - r_i)             * integral over t in [0, 1] of prod_{l != i} (t o_l + (1 - t) r_l)
    Phi_ij = v (o_i - r_i) (o_j - r_j) * integral of prod_{l != i, j} (t o_l + (1 - t) r_l)

which `quadrature` integrates exactly. Products that leave factors out are made of prefixes and suffixes,
never by division. A feature with o = r is no player, and a leaf with some o = r = 0 is worth nothing.

Each tree is walked once. A reference travels down as groups of rows that share one pattern of r: where the
explained row goes one way and part of a group the other, that part visits both children, once for each of
the two to pass. So a leaf is met once per pattern, and memory is one list of row numbers and one path.

Compiled functions take positional arguments only.
"""

# ruff: noqa: PLR0913, PLR0917

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from explain.attribution.compiling import compiled
from explain.attribution.quadrature import Rules
from explain.attribution.walking import Ints, Reals, Walked, goes_right
from explain.models.ensemble import LEAF

NODE, LEVEL, FEATURE, START, STOP = range(5)
SLOT, NEW = range(2)
PASSES, REFERENCE = range(2)


class Path(NamedTuple):
    """Where the walk is: edges still to take, and the features tested on the way here.

    `pending` holds edges: the node they lead to, its depth, the feature they test, and the group
    `order[START:STOP]`; `odds` their o and r after the test. Slot s of the path belongs to
    `slot_feature[s]` with o, r = `passes[s]`; `slot_of` is the slot of each feature, -1 for none. The
    edge taken at depth L changed slot `undo[L, SLOT]`, new if `undo[L, NEW]`, from `before[L]`. The
    others are scratch of one leaf: its players' features, o, r, the factors of the product, its suffixes,
    the sums.
    """

    pending: Ints
    odds: Reals
    order: Ints
    slot_of: Ints
    slot_feature: Ints
    slots: Ints
    passes: Reals
    undo: Ints
    before: Reals
    player: Ints
    duel: Reals
    factor: Reals
    after: Reals
    gain: Reals


@compiled
def new_path(depth: int, features: int, rows: int) -> Path:
    """Make room for trees of this depth; at most three edges of each level wait at once."""
    slots = min(depth, features)
    return Path(
        np.empty((3 * depth + 1, 5), np.int64),
        np.empty((3 * depth + 1, 2)),
        np.arange(rows),
        np.full(features, -1, np.int64),
        np.empty(slots, np.int64),
        np.zeros(1, np.int64),
        np.empty((slots, 2)),
        np.empty((depth + 1, 2), np.int64),
        np.empty((depth + 1, 2)),
        np.empty(slots, np.int64),
        np.empty((slots, 2)),
        np.empty(slots),
        np.empty(slots + 1),
        np.empty(slots),
    )


@compiled
def play(
    trees: Walked,
    depth: int,
    ratios: Reals,
    row: Reals,
    columns: Reals,
    rules: Rules,
    phi: Reals,
    pairs: Reals,
) -> float:
    """Add a row's Shapley values to `phi`, its pairs' values to `pairs`; return the value of no feature.

    With `ratios` (each node's share of its parent's cover) the game is path-dependent; without (length 0) it
    is the mean over the reference, given as columns of shape (features, n). `phi` has shape (features,),
    `pairs` (features, features), or (0, 0) where none are wanted; each pair's whole value is added at one of
    its two places.
    """
    path = new_path(depth, len(row), columns.shape[1])
    empty = 0.0
    for t in range(len(trees.offsets) - 1):
        empty += play_tree(trees, trees.offsets[t], ratios, row, columns, rules, path, phi, pairs)
    return empty


@compiled
def play_tree(
    trees: Walked,
    root: int,
    ratios: Reals,
    row: Reals,
    columns: Reals,
    rules: Rules,
    path: Path,
    phi: Reals,
    pairs: Reals,
) -> float:
    """Walk one tree, depth first, and settle every leaf that is met."""
    empty, level, rows = 0.0, 0, columns.shape[1]
    top = push(path, 0, 0, root, 0, 0, rows, 1.0, 1.0)
    while top > 0:
        top -= 1
        edge = path.pending[top]
        while level > 0 and level >= edge[LEVEL]:
            step_back(path, level)
            level -= 1
        if edge[LEVEL] > 0:
            level = edge[LEVEL]
            step_down(path, level, edge[FEATURE], path.odds[top, PASSES], path.odds[top, REFERENCE])
        node = edge[NODE]
        if trees.left[node] == LEAF:
            share = (edge[STOP] - edge[START]) / rows
            empty += settle(path, share * trees.value[node], rules, phi, pairs)
        elif len(ratios) > 0:
            top = branch_by_cover(trees, node, ratios, row, path, top)
        else:
            top = branch_by_rows(trees, node, row, columns, path, top)
    while level > 0:
        step_back(path, level)
        level -= 1
    return empty


@compiled
def step_down(path: Path, level: int, feature: int, o: float, r: float) -> None:
    """Take an edge: its feature's o and r become these."""
    slot = path.slot_of[feature]
    path.undo[level, NEW] = slot < 0
    if slot < 0:
        slot = path.slots[0]
        path.slots[0] += 1
        path.slot_of[feature] = slot
        path.slot_feature[slot] = feature
    else:
        path.before[level, PASSES] = path.passes[slot, PASSES]
        path.before[level, REFERENCE] = path.passes[slot, REFERENCE]
    path.undo[level, SLOT] = slot
    path.passes[slot, PASSES] = o
    path.passes[slot, REFERENCE] = r


@compiled
def step_back(path: Path, level: int) -> None:
    """Undo the edge taken at this depth."""
    slot = path.undo[level, SLOT]
    if path.undo[level, NEW]:
        path.slots[0] -= 1
        path.slot_of[path.slot_feature[slot]] = -1
    else:
        path.passes[slot, PASSES] = path.before[level, PASSES]
        path.passes[slot, REFERENCE] = path.before[level, REFERENCE]


@compiled
def push(
    path: Path, top: int, level: int, node: int, feature: int, start: int, stop: int, o: float, r: float
) -> int:
    """Leave an edge for later; return how many now wait."""
    pending = path.pending[top]
    pending[NODE], pending[LEVEL], pending[FEATURE] = node, level, feature
    pending[START], pending[STOP] = start, stop
    path.odds[top, PASSES], path.odds[top, REFERENCE] = o, r
    return top + 1


@compiled
def odds_of(path: Path, feature: int) -> tuple[float, float]:
    """Return o and r of a feature on the path so far; 1 and 1 of one that no test has named."""
    slot = path.slot_of[feature]
    if slot < 0:
        return 1.0, 1.0
    return path.passes[slot, PASSES], path.passes[slot, REFERENCE]


@compiled
def branch_by_cover(trees: Walked, node: int, ratios: Reals, row: Reals, path: Path, top: int) -> int:
    """Leave both children for later, in the same order for every row: the base value's sum depends on it."""
    feature, level = trees.feature[node], path.pending[top, LEVEL] + 1
    o, r = odds_of(path, feature)
    right = goes_right(trees, node, row[feature])
    for side in range(2):
        child = trees.right[node] if side == 1 else trees.left[node]
        passes = o if right == (side == 1) else 0.0
        reference = r * ratios[child]
        if passes != 0.0 or reference != 0.0:  # a NaN, of an undefined mean, has to be seen
            top = push(path, top, level, child, feature, 0, 1, passes, reference)
    return top


@compiled
def branch_by_rows(trees: Walked, node: int, row: Reals, columns: Reals, path: Path, top: int) -> int:
    """Split the group into those who go with the explained row and those who part from it."""
    feature, level = trees.feature[node], path.pending[top, LEVEL] + 1
    start, stop = path.pending[top, START], path.pending[top, STOP]
    o, r = odds_of(path, feature)
    right = goes_right(trees, node, row[feature])
    near, far = trees.left[node], trees.right[node]
    if right:
        near, far = far, near
    middle = part(trees, node, columns[feature], right, path.order, start, stop)
    if middle > start:
        top = push(path, top, level, near, feature, start, middle, o, r)
    if middle < stop and o > 0.0:
        top = push(path, top, level, near, feature, middle, stop, o, 0.0)
    if middle < stop and r > 0.0:
        top = push(path, top, level, far, feature, middle, stop, 0.0, r)
    return top


@compiled
def part(trees: Walked, node: int, column: Reals, right: bool, order: Ints, start: int, stop: int) -> int:
    """Bring the rows of a group that go to the given side to its front; return where the others begin."""
    middle = start
    for position in range(start, stop):
        number = order[position]
        if goes_right(trees, node, column[number]) == right:
            order[position] = order[middle]
            order[middle] = number
            middle += 1
    return middle


@compiled
def settle(path: Path, value: float, rules: Rules, phi: Reals, pairs: Reals) -> float:
    """Add what one leaf, worth `value` to the group that meets it, gives to each player and pair of players.

    Returns its worth to the reference alone.
    """
    players, alone = 0, value
    for slot in range(path.slots[0]):
        o, r = path.passes[slot, PASSES], path.passes[slot, REFERENCE]
        alone *= r
        if o != r:
            path.player[players] = path.slot_feature[slot]
            path.duel[players, PASSES], path.duel[players, REFERENCE] = o, r
            path.gain[players] = 0.0
            players += 1
    path.after[players] = 1.0
    for q in range(rules.first[players], rules.last[players]):
        for i in range(players - 1, -1, -1):
            path.factor[i] = rules.t[q] * path.duel[i, PASSES] + rules.rest[q] * path.duel[i, REFERENCE]
            path.after[i] = path.after[i + 1] * path.factor[i]
        before = value * rules.weight[q]
        for i in range(players):
            path.gain[i] += before * path.after[i + 1]
            if len(pairs) > 0:
                add_pairs(path, i, players, before, pairs)
            before *= path.factor[i]
    for i in range(players):
        phi[path.player[i]] += path.gain[i] * (path.duel[i, PASSES] - path.duel[i, REFERENCE])
    return alone


@compiled
def add_pairs(path: Path, i: int, players: int, before: float, pairs: Reals) -> None:
    """Add one point's part of the pairs of player i with those after it, over which `before` runs on."""
    product = before * (path.duel[i, PASSES] - path.duel[i, REFERENCE])
    for j in range(i + 1, players):
        gap = path.duel[j, PASSES] - path.duel[j, REFERENCE]
        pairs[path.player[i], path.player[j]] += product * gap * path.after[j + 1]
        product *= path.factor[j]
