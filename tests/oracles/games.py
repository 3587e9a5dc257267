"""The games that explanations are about, and their Shapley quantities, by enumeration of all 2^d coalitions.

Slow, and as close to the definitions as possible: nothing here knows of leaves' closed forms, of tables or of
quadrature. Coalition S is the number whose bit j is set where feature j is in S; a game is the array of its
coalitions' values, shape (2^d,), or (2^d, outputs) where margins have several outputs.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from explain.models.ensemble import LEAF, TreeEnsemble
from tests.oracles.trees import goes_left, rounded

Reals = NDArray[np.float64]
Margins = Callable[[Reals], Reals]


def interventional(margins: Margins, row: Reals, reference: Reals) -> Reals:
    """v(S): the mean margin of the reference rows, each with the features of S from the explained row."""
    values = []
    for coalition in range(1 << len(row)):
        inside = np.array([coalition >> feature & 1 == 1 for feature in range(len(row))])
        values.append(margins(np.where(inside, row, reference)).mean(axis=0))
    return np.array(values)


def single_reference(margins: Margins, row: Reals, reference_row: Reals) -> Reals:
    """v(S): the margin of one reference row with the features of S from the explained row."""
    return interventional(margins, row, reference_row[np.newaxis])


def path_dependent(trees: TreeEnsemble, row: Reals, output: int = 0) -> Reals:
    """v(S): the covers' mean over each tree, following the row at splits on features of S."""
    given = rounded(trees, row)
    values = []
    for coalition in range(1 << len(row)):
        total = float(trees.base_margins[output])
        for tree in np.flatnonzero(trees.tree_output == output).tolist():
            total += _expected(trees, int(trees.offsets[tree]), given, coalition)
        values.append(total)
    return np.array(values)


def _expected(trees: TreeEnsemble, node: int, row: Reals, coalition: int) -> float:
    """EXPVALUE of Lundberg et al. 2020, Algorithm 1."""
    left, right = int(trees.left[node]), int(trees.right[node])
    if left == LEAF:
        return float(trees.value[node])
    feature = int(trees.feature[node])
    if coalition >> feature & 1:
        return _expected(
            trees, left if goes_left(trees, node, float(row[feature])) else right, row, coalition
        )
    weighed = [float(trees.cover[child]) * _expected(trees, child, row, coalition) for child in (left, right)]
    return sum(weighed) / float(trees.cover[node])


def shapley_values(game: Reals) -> Reals:
    """phi_i = sum over S without i of |S|! (d - |S| - 1)! / d! (v(S + i) - v(S)); Shapley 1953."""
    d = _players(game)
    phi = np.zeros((d, *game.shape[1:]))
    for i in range(d):
        for coalition in range(1 << d):
            if coalition >> i & 1:
                continue
            size = coalition.bit_count()
            weight = math.factorial(size) * math.factorial(d - size - 1) / math.factorial(d)
            phi[i] += weight * (game[coalition | 1 << i] - game[coalition])
    return phi


def interaction_values(game: Reals) -> Reals:
    """The matrix of Lundberg et al. 2020, eq. 7 to 9, from the index of Fujimoto et al. 2006.

    Phi_ij = sum over S without i, j of |S|! (d - |S| - 2)! / (2 (d - 1)!) (v(S + i + j) - v(S + i) - v(S + j)
    + v(S)), and Phi_ii = phi_i - the sum of the other Phi_ij.
    """
    d = _players(game)
    matrix = np.zeros((d, d, *game.shape[1:]))
    for i in range(d):
        for j in range(d):
            if i != j:
                matrix[i, j] = _pair(game, d, 1 << i, 1 << j)
    phi = shapley_values(game)
    for i in range(d):
        matrix[i, i] = phi[i] - matrix[i].sum(axis=0)
    return matrix


def _pair(game: Reals, d: int, one: int, other: int) -> Reals:
    total = np.zeros(game.shape[1:])
    for coalition in range(1 << d):
        if coalition & (one | other):
            continue
        size = coalition.bit_count()
        weight = math.factorial(size) * math.factorial(d - size - 2) / (2 * math.factorial(d - 1))
        gain = game[coalition | one | other] - game[coalition | one] - game[coalition | other]
        total = total + weight * (gain + game[coalition])
    return total


def _players(game: Reals) -> int:
    d = len(game).bit_length() - 1
    assert len(game) == 1 << d
    return d
