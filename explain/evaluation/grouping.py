"""Columns that say the same and stand in different factors: their reasons split or trade places.

Regulation B counts factors, not columns: one-hot, binned, missing-indicator and derived columns belong into
one factor before anything is ranked. What is found here is found in the uploaded rows, and only among
features that the model uses: the others never have a value.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from explain.evaluation.correlation import correlated_pairs
from explain.evaluation.exact_cover import exact_covers
from explain.evaluation.warning import MOST_TOLD, ModelWarning
from explain.features import FeatureSpace

Reals = NDArray[np.float64]
Flags = NDArray[np.bool_]

CORRELATED = 0.95
"""Two columns with a larger |Pearson correlation| are nearly the same column."""

SAMPLED_CELLS = 1 << 20
FEWEST_SAMPLED, MOST_SAMPLED = 256, 10_000
"""So many uploaded rows, evenly spread, are compared pair by pair: 256 of them for 4,096 features."""

NUMERIC = ("number", "integer")


@dataclass(frozen=True, slots=True, eq=False)
class Grouped:
    """The columns that the model uses, and the factor of each.

    `rows` are the uploaded rows (n, features); `factor_of` names each feature's factor; `used` tells which
    features any split or weight names.
    """

    space: FeatureSpace
    rows: Reals
    factor_of: Sequence[str]
    used: Flags

    def apart(self, columns: Sequence[int]) -> bool:
        """Tell whether these columns stand in more than one factor."""
        return len({self.factor_of[at] for at in columns}) > 1

    def sampled(self) -> Reals:
        """Return as many rows as are compared pair by pair, evenly spread."""
        most = min(MOST_SAMPLED, max(FEWEST_SAMPLED, SAMPLED_CELLS // max(1, self.rows.shape[1])))
        if len(self.rows) <= most:
            return self.rows
        return self.rows[np.linspace(0, len(self.rows) - 1, most).astype(np.int64)]


def grouping_warnings(grouped: Grouped) -> list[ModelWarning]:
    """Return what should be one factor and is not: at most so many of each kind, the first in model order."""
    return [*_correlated(grouped), *_indicators(grouped), *_one_hot(grouped)]


def _correlated(grouped: Grouped) -> Iterator[ModelWarning]:
    """Two numeric features, correlated, in different factors."""
    numeric = [at for at in np.flatnonzero(grouped.used).tolist() if _type(grouped, at) in NUMERIC]
    told = 0
    for one, other, correlation in correlated_pairs(grouped.sampled(), numeric, CORRELATED):
        if not grouped.apart((one, other)):
            continue
        told += 1
        if told > MOST_TOLD:
            return
        yield _warn(
            grouped,
            "correlated_apart",
            (one, other),
            f"correlate with {correlation:.3f} in the uploaded rows: their reasons may trade places",
        )


def _indicators(grouped: Grouped) -> Iterator[ModelWarning]:
    """A 0/1 column that says, in every row, whether another column is missing or not."""
    gaps: dict[bytes, list[int]] = {}
    for at in np.flatnonzero(grouped.used).tolist():
        missing = np.isnan(grouped.rows[:, at])
        if missing.any():
            gaps.setdefault(_digest(missing), []).append(at)
    told = 0
    for at in _binary(grouped):
        ones = grouped.rows[:, at] == 1.0
        for mask, says in ((ones, "missing"), (~ones, "present")):
            for other in gaps.get(_digest(mask), ()):
                if grouped.apart((at, other)) and (told := told + 1) <= MOST_TOLD:
                    detail = f"belong together: the first says whether the second is {says}"
                    yield _warn(grouped, "indicator_apart", (at, other), detail)


def _one_hot(grouped: Grouped) -> Iterator[ModelWarning]:
    """0/1 columns of which exactly one is 1 in every row."""
    binary = _binary(grouped)
    columns = grouped.sampled()[:, binary] == 1.0
    told = 0
    for cover in exact_covers(columns):
        group = [binary[at] for at in cover]
        if not grouped.apart(group) or not (grouped.rows[:, group].sum(axis=1) == 1.0).all():
            continue
        told += 1
        if told > MOST_TOLD:
            return
        detail = "are one category spread over columns: exactly one of them is 1 in every uploaded row"
        yield _warn(grouped, "one_hot_apart", group, detail)


def _binary(grouped: Grouped) -> list[int]:
    """Return the used columns whose values are 0 and 1, both, and nothing else."""
    found = []
    for at in np.flatnonzero(grouped.used).tolist():
        if _type(grouped, at) == "category":
            continue
        column = grouped.rows[:, at]
        ones = column == 1.0
        if ones.any() and not ones.all() and (ones | (column == 0.0)).all():
            found.append(at)
    return found


def _warn(grouped: Grouped, code: str, columns: Sequence[int], detail: str) -> ModelWarning:
    names = tuple(grouped.space.names[at] for at in columns)
    factors = tuple(dict.fromkeys(grouped.factor_of[at] for at in columns))
    return ModelWarning.of(code, f"features in {len(factors)} factors {detail}", factors, names)


def _type(grouped: Grouped, at: int) -> str:
    return grouped.space.features[at].type


def _digest(mask: Flags) -> bytes:
    return hashlib.sha256(np.packbits(mask).tobytes()).digest()
