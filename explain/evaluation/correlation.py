"""Pearson correlations of many columns, block by block, each over the rows where both have a value."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

Reals = NDArray[np.float64]

BLOCK_COLUMNS = 256
"""So many columns are compared with as many others at a time: a few matrices of half a mebibyte."""

FEWEST_PAIRS = 30
"""Fewer rows with both values say nothing about a correlation."""

_RESOLVED = 1e-12  # a variance below this share of the column's own is what rounding left


def correlated_pairs(
    rows: Reals, columns: Sequence[int], threshold: float
) -> Iterator[tuple[int, int, float]]:
    """Yield (column, later column, correlation) where its absolute value exceeds `threshold`, in order.

    `rows` has shape (n, features), NaN for missing; a constant column correlates with nothing. The effort
    grows with n and with the square of the number of columns.
    """
    blocks = [columns[at : at + BLOCK_COLUMNS] for at in range(0, len(columns), BLOCK_COLUMNS)]
    for number, first in enumerate(blocks):
        left = _standardised(rows[:, first])
        found = []
        for second in blocks[number:]:
            right = left if second is first else _standardised(rows[:, second])
            correlations = _correlations(left, right)
            for one, other in np.argwhere(np.abs(correlations) > threshold).tolist():
                if first[one] < second[other]:
                    found.append((first[one], second[other], float(correlations[one, other])))
        yield from sorted(found)


def _standardised(rows: Reals) -> tuple[Reals, Reals]:
    """Return columns of mean 0 and largest size 1, 0 where missing, and 1 where there is a value."""
    present = ~np.isnan(rows)
    count = np.maximum(present.sum(axis=0), 1)
    filled = np.where(present, rows, 0.0)
    scale = np.abs(filled).max(axis=0, initial=0.0)
    filled /= np.where(scale > 0.0, scale, 1.0)  # before it is squared: it may be 1e300
    centred = np.where(present, filled - filled.sum(axis=0) / count, 0.0)
    size = np.abs(centred).max(axis=0, initial=0.0)
    return centred / np.where(size > 0.0, size, 1.0), present.astype(np.float64)


def _correlations(left: tuple[Reals, Reals], right: tuple[Reals, Reals]) -> Reals:
    """Return the matrix of correlations over pairwise complete rows; 0 where there is none."""
    (x, has_x), (y, has_y) = left, right
    count = has_x.T @ has_y
    counted = np.maximum(count, 1.0)
    sum_x, sum_y = x.T @ has_y, has_x.T @ y
    squares_x, squares_y = (x * x).T @ has_y, has_x.T @ (y * y)
    variance_x, variance_y = squares_x - sum_x**2 / counted, squares_y - sum_y**2 / counted
    known = (count >= FEWEST_PAIRS) & (variance_x > _RESOLVED) & (variance_y > _RESOLVED)
    covariance = x.T @ y - sum_x * sum_y / counted
    product = np.where(known, np.sqrt(np.maximum(variance_x * variance_y, 0.0)), 1.0)
    return np.where(known, covariance / product, 0.0)
