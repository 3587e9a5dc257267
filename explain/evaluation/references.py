"""One decision against another reference: the values anew, and how far the two rankings agree."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from explain.attribution.base import Attribution, reconcile
from explain.attribution.deciding import difference
from explain.attribution.games import interventional
from explain.attribution.linear import METHOD as LINEAR
from explain.attribution.linear import LinearShap
from explain.attribution.treeshap import METHOD as TREES
from explain.evaluation.ranking import Ranking
from explain.evaluation.stability import compare
from explain.models.base import Form, Model
from explain.models.ensemble import TreeEnsemble

Reals = NDArray[np.float64]

CHUNK_ROWS = 1_000


@dataclass(frozen=True, slots=True)
class Agreement:
    """Whether two rankings have the same principal factors, and how far all factors rank alike.

    `spearman` is the rank correlation of all factors' contributions, -1 to 1, equal ones with their mean rank
    (Spearman 1904): 1 for identical values, 0 where one side tells nothing apart.
    """

    same_order: bool
    same_set: bool
    same_first: bool
    spearman: float


def attribute_against(
    model: Model,
    outputs: tuple[int, ...],
    row: Reals,
    reference: Reals,
    progress: Callable[[float], None],
) -> Attribution:
    """Explain one row's margin, or the difference of two, against a reference (n, features).

    No tables are prepared; each output is reconciled with the native margin, AttributionUnreconciled if it
    misses it. `progress` hears the share done of each output.
    """
    form = model.form()
    margins = np.ravel(model.margins(row[np.newaxis]))
    made = []
    for output in outputs:
        values = _values(form, row, reference, output, progress)
        method = TREES if isinstance(form, TreeEnsemble) else LINEAR
        made.append(reconcile(*values, float(margins[output]), model.float_width, method=method))
    if len(made) == 1:
        return made[0]
    both = difference(*made)
    assert isinstance(both, Attribution)  # noqa: S101  both are
    return both


def agreement(ranking: Ranking, recorded: Reals, other: Reals) -> Agreement:
    """Compare two attributions of one decision, each of shape (features,)."""
    both = np.stack([recorded, other])
    first, second = ranking.principal(both)
    order, as_set, top = (bool(one[0]) for one in compare(first, second[np.newaxis]))
    return Agreement(order, as_set, top, spearman(*ranking.adverse(both)))


def spearman(left: Reals, right: Reals) -> float:
    """Return the rank correlation of two lists of numbers; see `Agreement`."""
    if np.array_equal(left, right):
        return 1.0
    one, other = _ranks(left), _ranks(right)
    one, other = one - one.mean(), other - other.mean()
    scale = math.sqrt(float(one @ one) * float(other @ other))
    return float(one @ other) / scale if scale > 0.0 else 0.0


def _ranks(values: Reals) -> Reals:
    """Return each value's rank from 0, equal values sharing the mean of theirs."""
    _, place, count = np.unique(values, return_inverse=True, return_counts=True)
    first = np.cumsum(count) - count
    return np.asarray((first + (count - 1) / 2.0)[place])


def _values(
    form: Form, row: Reals, reference: Reals, output: int, progress: Callable[[float], None]
) -> tuple[float, Reals]:
    """Return base value and values of one output; trees take the reference in pieces, each by its size."""
    if not isinstance(form, TreeEnsemble):
        return LinearShap.prepare(form, reference).explain(row, output)
    base, phi = 0.0, np.zeros(len(row))
    for start in range(0, len(reference), CHUNK_ROWS):
        piece = reference[start : start + CHUNK_ROWS]
        share = len(piece) / len(reference)
        base_value, values = interventional(form, row, piece, output)
        base, phi = base + share * base_value, phi + share * values
        progress(min(1.0, (start + CHUNK_ROWS) / len(reference)))
    return base, phi
