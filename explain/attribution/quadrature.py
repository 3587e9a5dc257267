"""Gauss-Legendre rules that integrate the products of Shapley games exactly.

A rule of m points on [0, 1] is exact for polynomials of degree 2 m - 1, and its weights are positive: sums of
products of numbers from 0 to 1 lose nothing by cancellation, however many factors there are.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from explain.errors import ModelUnsupported

Ints = NDArray[np.int64]
Reals = NDArray[np.float64]

PLAYERS_LIMIT = 2048  # a rule of 1,024 points still takes less than a second to make
EXACT_SIZES = 16  # beyond it a rule may have up to twice the points that it needs


class Rules(NamedTuple):
    """The rule for k players has the points `first[k]` to `last[k] - 1`.

    A point t is held as `t` and as `rest`, which is 1 - t without the rounding of a subtraction.
    """

    first: Ints
    last: Ints
    t: Reals
    rest: Reals
    weight: Reals


def rules_up_to(players: int) -> Rules:
    """Return rules for games of 0 to `players` players, whose integrands have degree players - 1 at most.

    ModelUnsupported beyond 2,048 features on one path.
    """
    if players > PLAYERS_LIMIT:
        raise ModelUnsupported(f"more than {PLAYERS_LIMIT} features on one path of a tree")
    return _rules(min(1 << players.bit_length(), PLAYERS_LIMIT))  # few sizes, kept


@lru_cache(maxsize=16)
def _rules(players: int) -> Rules:
    needed = [_size(k) for k in range(players + 1)]
    sizes = sorted(set(needed))
    starts = dict(zip(sizes, np.cumsum([0, *sizes]).tolist(), strict=False))
    points = [np.polynomial.legendre.leggauss(size) for size in sizes]
    x = np.concatenate([nodes for nodes, _ in points])
    first = np.array([starts[size] for size in needed], dtype=np.int64)
    return Rules(
        first=first,
        last=first + np.array(needed, dtype=np.int64),
        t=(1.0 + x) / 2.0,
        rest=(1.0 - x) / 2.0,
        weight=np.concatenate([weights for _, weights in points]) / 2.0,
    )


def _size(players: int) -> int:
    """How many points the rule for so many players has."""
    needed = max(1, (players + 1) // 2)
    return needed if needed <= EXACT_SIZES else 1 << (needed - 1).bit_length()
