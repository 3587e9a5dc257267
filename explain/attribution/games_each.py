"""The compiled engine of single-reference games, one for each reference row, all at once.

The walk is that of `games_kernel`: reference rows travel in groups that share one pattern of who passes which
test. What a leaf gives to a player is the same for every row of its group, and is added to each of them.

Compiled functions take positional arguments only.
"""

# ruff: noqa: PLR0917

from __future__ import annotations

import numpy as np

from explain.attribution.compiling import compiled
from explain.attribution.games_kernel import (
    FEATURE,
    LEVEL,
    NODE,
    PASSES,
    REFERENCE,
    START,
    STOP,
    Path,
    branch_by_rows,
    new_path,
    push,
    settle,
    step_back,
    step_down,
)
from explain.attribution.quadrature import Rules
from explain.attribution.walking import Reals, Walked
from explain.models.ensemble import LEAF


@compiled
def play_each(trees: Walked, depth: int, row: Reals, columns: Reals, rules: Rules, phi: Reals) -> None:
    """Add a row's Shapley values against each reference row to `phi`, shape (n, features).

    The reference comes as columns of shape (features, n).
    """
    path = new_path(depth, len(row), columns.shape[1])
    together = np.zeros(len(row))
    for t in range(len(trees.offsets) - 1):
        play_tree_each(trees, trees.offsets[t], row, columns, rules, path, together, phi)


@compiled
def play_tree_each(
    trees: Walked,
    root: int,
    row: Reals,
    columns: Reals,
    rules: Rules,
    path: Path,
    together: Reals,
    phi: Reals,
) -> None:
    """Walk one tree, depth first, and settle every leaf with each row that meets it."""
    level = 0
    top = push(path, 0, 0, root, 0, 0, columns.shape[1], 1.0, 1.0)
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
            settle_each(path, trees.value[node], edge[START], edge[STOP], rules, together, phi)
        else:
            top = branch_by_rows(trees, node, row, columns, path, top)
    while level > 0:
        step_back(path, level)
        level -= 1


@compiled
def settle_each(
    path: Path, value: float, start: int, stop: int, rules: Rules, together: Reals, phi: Reals
) -> None:
    """Give each row of the group `order[start:stop]` what the leaf's players get from one row alone."""
    settle(path, value, rules, together, np.zeros((0, 0)))
    players = 0
    for slot in range(path.slots[0]):
        if path.passes[slot, PASSES] != path.passes[slot, REFERENCE]:
            path.factor[players] = path.gain[players] * (
                path.duel[players, PASSES] - path.duel[players, REFERENCE]
            )
            players += 1
    for position in range(start, stop):
        own = phi[path.order[position]]
        for i in range(players):
            own[path.player[i]] += path.factor[i]
