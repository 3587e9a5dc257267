"""How stable principal reasons are: what they would be if the reference had been drawn otherwise.

A bootstrap draw takes as many rows as the reference has, with replacement, from its own rows (Efron 1979).
Interventional values are means of single-reference games, so the values against a drawn reference are the
same games' means under other weights: exact, and no table is prepared anew. What is drawn from are the frozen
rows that were selected; that another upload would have selected others is not in the figure.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from explain.attribution.base import Attribution
from explain.attribution.deciding import attribute_decisions
from explain.attribution.games import each_reference
from explain.attribution.linear import LinearShap
from explain.attribution.preparing import Shap
from explain.evaluation.ranking import Ints, Ranking
from explain.models.base import Form, Model
from explain.models.ensemble import TreeEnsemble
from explain.outcome import OutcomeRule
from explain.reference import Reference
from explain.seeding import seed_for

Reals = NDArray[np.float64]
Flags = NDArray[np.bool_]

METHOD = "bootstrap_of_the_reference/v1"
RESAMPLED = "the selected frozen reference rows"
DRAWS = 200
MOST_CELLS = 4 << 20  # single-reference values held at once: 32 MiB
MOST_ROWS = 2_000  # of a larger reference so many rows stand for all; the draws keep its size
MOST_CANDIDATES = 10_000  # uploaded rows that are asked for adverse decisions
MOST_APPLICANTS = 50
FEWEST_APPLICANTS = 6
EFFORT = 6e6  # of one examination, in leaves walked; some 0.2 microseconds each
NO_ADVERSE_ROWS = "no uploaded row is declined"


@dataclass(frozen=True, slots=True)
class ReasonStability:
    """The shares of (applicant, draw) pairs with the same principal factors as the whole reference gives.

    In the same order, as a set whatever their order, and the first one alone. Standard errors are over
    applicants and over draws together. Without adverse rows the shares are None and `reason` says so.
    `rows` of the `reference_rows` were drawn from, as many as the reference has in every draw.
    """

    method: str
    resampled: str
    candidates: int
    applicants: int
    draws: int
    reference_rows: int
    rows: int
    same_order: float | None
    same_order_standard_error: float | None
    same_set: float | None
    same_set_standard_error: float | None
    same_first: float | None
    same_first_standard_error: float | None
    reason: str | None


@dataclass(frozen=True, slots=True, eq=False)
class Draws:
    """Bootstrap draws of a reference: which of its rows can be drawn, and each draw's weights.

    `weights`, shape (draws, rows), is how far each weight of a row is from the weight it has without a draw.
    """

    rows: Ints
    weights: Reals

    @classmethod
    def of(cls, size: int, draws: int, most_rows: int, generator: np.random.Generator) -> Draws:
        """Draw `draws` times `size` rows from a reference of that size, or from `most_rows` of its rows."""
        rows = np.arange(size)
        if size > most_rows:
            rows = np.sort(generator.choice(size, most_rows, replace=False))
        counts = generator.multinomial(size, np.full(len(rows), 1.0 / len(rows)), size=draws)
        return cls(rows, counts / size - 1.0 / len(rows))


def reason_stability(
    explained: tuple[Model, Shap, OutcomeRule], reference: Reference, uploaded: Reals, ranking: Ranking
) -> ReasonStability:
    """Measure it over a sample of the adverse ones of uploaded rows, shape (n, features).

    Sample and draws depend on the model and the reference alone. AttributionUnreconciled where a row cannot
    be explained.
    """
    model, shap, rule = explained
    generator = np.random.default_rng(seed_for(model.digest, reference.digest.encode(), METHOD))
    candidates = _sample(np.arange(len(uploaded)), MOST_CANDIDATES, generator)
    adverse = candidates[~_favourable(model, rule, uploaded[candidates])]
    draws = Draws.of(len(reference.rows), DRAWS, most_rows(uploaded.shape[1]), generator)
    chosen = _sample(adverse, _applicants(model.form(), len(draws.rows), rule), generator)
    if not len(chosen):
        return _report(len(candidates), len(reference.rows), draws, None)
    among = reference.rows[draws.rows]
    same = np.empty((3, len(chosen), DRAWS), dtype=np.bool_)
    decided = attribute_decisions(model, shap, rule, uploaded[chosen])
    for at, (row, (decision, outcome)) in enumerate(zip(uploaded[chosen], decided, strict=True)):
        if not isinstance(outcome, Attribution):
            raise outcome
        outputs = outputs_of(rule, decision.contrast)
        drawn = outcome.phi + draws.weights @ each_value(shap, model.form(), outputs, row, among)
        same[:, at] = compare(ranking.principal(outcome.phi[np.newaxis])[0], ranking.principal(drawn))
    return _report(len(candidates), len(reference.rows), draws, same)


def each_value(shap: Shap, form: Form, outputs: tuple[int, ...], row: Reals, among: Reals) -> Reals:
    """Return one decision's values against each of these reference rows alone, shape (rows, features).

    They are of one output's margin, or of the difference of two.
    """
    values = [_each_value(shap, form, row, among, output) for output in outputs]
    return values[0] if len(values) == 1 else values[0] - values[1]


def outputs_of(rule: OutcomeRule, contrast: tuple[str, str] | None) -> tuple[int, ...]:
    """Return the output that is explained; of several classes the decision's two, (adverse, favourable)."""
    if rule.contrast is None or contrast is None:
        return (0,)
    return tuple(rule.contrast.classes.index(name) for name in contrast)


def compare(original: Ints, drawn: Ints) -> Flags:
    """Tell of each draw, shape (draws, limit), whether it is `original` (limit,): in order, as set, first."""
    order = (drawn == original).all(axis=1)
    as_set = (np.sort(drawn, axis=1) == np.sort(original)).all(axis=1)
    return np.stack([order, as_set, drawn[:, 0] == original[0]])


def most_rows(features: int) -> int:
    """Return how many reference rows' values are held at once, for so many features."""
    return max(1, min(MOST_ROWS, MOST_CELLS // features))


def _each_value(shap: Shap, form: Form, row: Reals, among: Reals, output: int) -> Reals:
    if isinstance(form, TreeEnsemble):
        return each_reference(form, row, among, output)
    assert isinstance(shap, LinearShap)  # noqa: S101  a form is one or the other
    return shap.explain_each(row, among, output)


def _favourable(model: Model, rule: OutcomeRule, rows: Reals) -> Flags:
    prediction = model.predict(rows)
    return rule.favourable_mask(rule.scores_of(prediction.margins, prediction.scores))


def _sample(rows: Ints, most: int, generator: np.random.Generator) -> Ints:
    """Return at most so many of these row numbers, ascending."""
    return rows if len(rows) <= most else np.sort(generator.choice(rows, most, replace=False))


def _applicants(form: Form, rows: int, rule: OutcomeRule) -> int:
    """Return how many applicants an examination's effort allows; what one costs grows as the root of rows."""
    if not isinstance(form, TreeEnsemble):
        return MOST_APPLICANTS
    games = 1.0 if rule.contrast is None else 2.0 / form.outputs
    allowed = EFFORT / (form.leaf_count * games * math.sqrt(rows))
    return max(FEWEST_APPLICANTS, min(MOST_APPLICANTS, int(allowed)))


def _report(candidates: int, size: int, draws: Draws, same: Flags | None) -> ReasonStability:
    shares = [(None, None)] * 3 if same is None else [_share(one) for one in same]
    (order, order_error), (as_set, set_error), (first, first_error) = shares
    return ReasonStability(
        method=METHOD,
        resampled=RESAMPLED,
        candidates=candidates,
        applicants=0 if same is None else same.shape[1],
        draws=len(draws.weights),
        reference_rows=size,
        rows=len(draws.rows),
        same_order=order,
        same_order_standard_error=order_error,
        same_set=as_set,
        same_set_standard_error=set_error,
        same_first=first,
        same_first_standard_error=first_error,
        reason=NO_ADVERSE_ROWS if same is None else None,
    )


def _share(same: Flags) -> tuple[float, float | None]:
    """Return the mean over applicants and draws, and its standard error; None where one row alone says it.

    Every applicant meets the same draws, so that the variances of both margins' means add up.
    """
    share = float(same.mean())
    if min(same.shape) < 2:
        return share, None
    variance = sum(float(np.var(same.mean(axis=1 - axis), ddof=1)) / same.shape[axis] for axis in (0, 1))
    return share, math.sqrt(variance)
