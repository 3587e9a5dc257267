"""Shapley values by their definition, for a few players: the truth that the gate holds others to."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

Reals = NDArray[np.float64]


def frozen_game(
    predict: Callable[[Reals], Reals],
    row: Reals,
    reference: Reals,
    players: Sequence[int] | NDArray[np.int64],
) -> Reals:
    """Enumerate the interventional game of some features, all others frozen at the reference's own values.

    Equals the full game's Shapley values where the reference agrees with the row in every other feature
    (then those are dummies). Returns phi of shape (features,), or (features, outputs) where `predict` gives
    several, 0 outside `players`. Shapley (1953), eq. 12; 2^players coalitions, each the mean of `predict`
    over the reference rows with the coalition's features from `row`.
    """
    count = len(players)
    coalitions = np.arange(2**count)
    hybrids = np.repeat(reference[np.newaxis, :, :], len(coalitions), axis=0)
    for position, player in enumerate(players):
        hybrids[(coalitions >> position & 1) == 1, :, player] = row[player]
    margins = predict(hybrids.reshape(-1, reference.shape[1]))
    values = margins.reshape(len(coalitions), len(reference), *margins.shape[1:]).mean(axis=1)
    sizes = np.bitwise_count(coalitions.astype(np.uint64)).astype(np.int64)
    phi = np.zeros((reference.shape[1], *margins.shape[1:]))
    for position, player in enumerate(players):
        without = coalitions[(coalitions >> position & 1) == 0]
        weights = np.array([1.0 / (count * math.comb(count - 1, size)) for size in sizes[without].tolist()])
        phi[player] = weights @ (values[without | (1 << position)] - values[without])
    return phi
