"""How stable the principal reasons of one decision are over bootstrap draws of its reference."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from explain.attribution.preparing import Shap
from explain.evaluation.ranking import NONE, Ints
from explain.evaluation.stability import Draws, compare, each_value
from explain.models.base import Model

Reals = NDArray[np.float64]

CHUNK_ROWS = 256


@dataclass(frozen=True, slots=True)
class DrawnReason:
    """One factor over all draws: the share of draws in which it stood at each rank, from 1, and at none."""

    factor: int
    at_rank: tuple[float, ...]
    absent: float


@dataclass(frozen=True, slots=True)
class DecisionStability:
    """Shares of draws; `reasons` are the recorded principal factors in order, `others` what took their place.

    Standard errors are those of a share of independent draws.
    """

    draws: int
    rows: int
    same_order: float
    same_order_standard_error: float
    same_set: float
    same_set_standard_error: float
    same_first: float
    same_first_standard_error: float
    reasons: tuple[DrawnReason, ...]
    others: tuple[DrawnReason, ...]


def drawn_values(
    explained: tuple[Model, Shap, tuple[int, ...]],
    attributed: tuple[Reals, Reals],
    reference: Reals,
    draws: Draws,
    progress: Callable[[float], None],
) -> Reals:
    """Return one decision's values under every draw, shape (draws, features).

    `explained` is the model, its prepared values and the outputs that the decision is explained by;
    `attributed` the row and its values against the whole reference. `progress` hears the share done.
    """
    model, shap, outputs = explained
    row, phi = attributed
    form, drawn = model.form(), np.repeat(phi[np.newaxis], len(draws.weights), axis=0)
    for start in range(0, len(draws.rows), CHUNK_ROWS):
        part = slice(start, start + CHUNK_ROWS)
        each = each_value(shap, form, outputs, row, reference[draws.rows[part]])
        drawn += draws.weights[:, part] @ each
        progress(min(1.0, part.stop / len(draws.rows)))
    return drawn


def decision_stability(original: Ints, drawn: Ints, rows: int) -> DecisionStability:
    """Compare the principal factors of every draw, shape (draws, limit), with `original`, shape (limit,)."""
    order, as_set, first = (float(one.mean()) for one in compare(original, drawn))
    recorded = [at for at in original.tolist() if at != NONE]
    others = sorted(set(np.unique(drawn).tolist()) - {NONE, *recorded})
    ranked = sorted((_drawn(at, drawn) for at in others), key=lambda one: one.absent)
    return DecisionStability(
        draws=len(drawn),
        rows=rows,
        same_order=order,
        same_order_standard_error=_error(order, len(drawn)),
        same_set=as_set,
        same_set_standard_error=_error(as_set, len(drawn)),
        same_first=first,
        same_first_standard_error=_error(first, len(drawn)),
        reasons=tuple(_drawn(at, drawn) for at in recorded),
        others=tuple(ranked),
    )


def _drawn(factor: int, drawn: Ints) -> DrawnReason:
    at_rank = (drawn == factor).mean(axis=0)
    return DrawnReason(factor, tuple(at_rank.tolist()), 1.0 - float((drawn == factor).any(axis=1).mean()))


def _error(share: float, draws: int) -> float:
    return math.sqrt(share * (1.0 - share) / draws)
