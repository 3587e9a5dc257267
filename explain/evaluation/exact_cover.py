"""Sets of 0/1 columns of which exactly one is 1 in every row (exact covers: Knuth 2000, Algorithm X)."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

MOST_STEPS = 20_000
"""So many columns are tried in all: of very many nearly empty columns not every set is found."""


def exact_covers(columns: NDArray[np.bool_]) -> Iterator[tuple[int, ...]]:
    """Yield sets of columns, each ascending, that cover every row of (n, columns) exactly once.

    Rows are taken in order of how few columns they have, which soon leaves little to try.
    """
    patterns = np.unique(columns, axis=0) if columns.size else columns
    patterns = patterns[np.argsort(patterns.sum(axis=1), kind="stable")]
    if not len(patterns) or not patterns[0].any():
        return
    masks = [_mask(column) for column in patterns.T]
    choices = [np.flatnonzero(row).tolist() for row in patterns]
    everything = (1 << len(patterns)) - 1
    steps = 0
    pending: list[tuple[int, tuple[int, ...]]] = [(0, ())]
    while pending:
        covered, chosen = pending.pop()
        if covered == everything:
            yield tuple(sorted(chosen))
            continue
        open_rows = everything & ~covered
        first = (open_rows & -open_rows).bit_length() - 1
        for column in reversed(choices[first]):  # the last to be put there is the first to be taken
            steps += 1
            if not masks[column] & covered:
                pending.append((covered | masks[column], (*chosen, column)))
        if steps > MOST_STEPS:
            return


def _mask(column: NDArray[np.bool_]) -> int:
    """Return a number whose bit r is the value in row r."""
    return int.from_bytes(np.packbits(column, bitorder="little").tobytes(), "little")
