"""How often the same reasons come back: against really drawing the rows anew and starting over."""

from __future__ import annotations

import math
from functools import lru_cache

import numpy as np
import pytest

from explain.attribution.deciding import attribute_decisions
from explain.attribution.preparing import Shap, prepare_attribution
from explain.contrast import Contrast
from explain.errors import AttributionUnreconciled
from explain.evaluation.ranking import NONE, Ranking
from explain.evaluation.stability import (
    NO_ADVERSE_ROWS,
    Draws,
    ReasonStability,
    each_value,
    most_rows,
    outputs_of,
    reason_stability,
)
from explain.models.base import Model
from explain.outcome import OutcomeRule
from explain.reasons import NEGLIGIBLE
from explain.reference import Reference
from tests.oracles.boosters import Trained, draw_rows, train

TYPES = ("q", "c", "q", "q", "q")
MEMBERS = ((0,), (1, 3), (2,), (4,))
RANKING = Ranking(MEMBERS, 1, limit=3)
ONE = OutcomeRule("probability_of_adverse", 0.5, "decline", "approve")
CLASSES = OutcomeRule(
    "margin", 0.0, "admit", "discharge", "high_is_adverse", Contrast(("home", "ward", "care"), (1, 2))
)
KINDS = ("trees", "linear", "classes")


@lru_cache(maxsize=4)
def case(kind: str) -> tuple[Trained, Model, OutcomeRule]:
    """A model of each form, and how it decides."""
    if kind == "classes":
        trained = train(TYPES, objective="multi:softprob", outputs=3, rounds=5)
    elif kind == "linear":
        trained = train(("q",) * 5, booster="gblinear", rounds=30)
    else:
        trained = train(TYPES, rounds=10)
    return trained, trained.model(), CLASSES if kind == "classes" else ONE


def rows_of(kind: str, seed: int, count: int) -> np.ndarray:
    return draw_rows(seed, count, TYPES if kind != "linear" else ("q",) * 5)


def by_definition(phi: np.ndarray) -> list[int]:
    """The factors against the applicant, the largest first, at most three; one value after the other."""
    sums = [math.fsum(phi[at] for at in group) for group in MEMBERS]
    floor = NEGLIGIBLE * max(abs(value) for value in phi)
    ranked = sorted(range(len(sums)), key=lambda at: (-sums[at], at))
    return [at for at in ranked if sums[at] > floor][:3]


def explained_anew(model: Model, rule: OutcomeRule, drawn: np.ndarray, rows: np.ndarray) -> list[np.ndarray]:
    shap = prepare_attribution(model, drawn, cache_dir=None)
    found = []
    for _, attribution in attribute_decisions(model, shap, rule, rows):
        assert not isinstance(attribution, AttributionUnreconciled)
        found.append(attribution.phi)
    return found


@pytest.mark.parametrize("kind", KINDS)
def test_every_draw_has_the_values_of_a_reference_of_really_drawn_rows(kind: str) -> None:
    _, model, rule = case(kind)
    reference, rows = rows_of(kind, 6, 30), rows_of(kind, 5, 6)
    shap: Shap = prepare_attribution(model, reference, cache_dir=None)
    draws = Draws.of(len(reference), 12, 1000, np.random.default_rng(3))
    decided = attribute_decisions(model, shap, rule, rows)
    drawn = []
    for row, (decision, attribution) in zip(rows, decided, strict=True):
        assert not isinstance(attribution, AttributionUnreconciled)
        each = each_value(shap, model.form(), outputs_of(rule, decision.contrast), row, reference[draws.rows])
        assert np.abs(each.mean(axis=0) - attribution.phi).max() < 1e-6
        drawn.append(attribution.phi + draws.weights @ each)
    for number, weights in enumerate(draws.weights):
        counts = np.rint((weights + 1 / len(reference)) * len(reference)).astype(int)
        assert counts.sum() == len(reference)
        truth = explained_anew(model, rule, np.repeat(reference, counts, axis=0), rows)
        for own, phi in zip(drawn, truth, strict=True):
            assert np.abs(own[number] - phi).max() < 1e-6
            chosen = [at for at in RANKING.principal(own)[number].tolist() if at != NONE]
            assert chosen == by_definition(phi)


@pytest.mark.parametrize("kind", KINDS)
def test_shares_are_those_of_a_bootstrap_by_hand(kind: str) -> None:
    trained, model, rule = case(kind)
    reference, uploaded = Reference.of("given", rows_of(kind, 6, 40)), rows_of(kind, 8, 60)
    shap = prepare_attribution(model, reference.rows, cache_dir=None)
    found = reason_stability((model, shap, rule), reference, uploaded, RANKING)
    native = trained.booster.predict(trained.matrix(uploaded))
    adverse = native.argmax(axis=1) > 0 if kind == "classes" else native >= 0.5
    assert found.applicants == min(50, int(adverse.sum())) > 10
    assert (found.candidates, found.draws, found.rows, found.reference_rows) == (60, 200, 40, 40)
    applicants = uploaded[adverse][:50]
    original = [by_definition(phi) for phi in explained_anew(model, rule, reference.rows, applicants)]
    generator = np.random.default_rng(99)
    same = np.zeros((3, len(applicants), 150))
    for draw in range(150):
        rows = reference.rows[generator.integers(40, size=40)]
        for at, phi in enumerate(explained_anew(model, rule, rows, applicants)):
            now, before = by_definition(phi), original[at]
            same[:, at, draw] = now == before, set(now) == set(before), now[:1] == before[:1]
    told = (
        (found.same_order, found.same_order_standard_error),
        (found.same_set, found.same_set_standard_error),
        (found.same_first, found.same_first_standard_error),
    )
    for (share, error), truth in zip(told, same, strict=True):
        assert share is not None
        assert error is not None
        assert abs(share - truth.mean()) < max(4 * error * math.sqrt(200 / 150 + 1), 0.01)
    assert 0 < found.same_order <= found.same_set <= 1  # type: ignore[operator]
    assert found.same_order <= found.same_first  # type: ignore[operator]


def test_the_same_model_and_reference_give_the_same_figures() -> None:
    _, model, rule = case("trees")
    reference, uploaded = Reference.of("given", rows_of("trees", 6, 40)), rows_of("trees", 8, 60)
    shap = prepare_attribution(model, reference.rows, cache_dir=None)
    first, second = (reason_stability((model, shap, rule), reference, uploaded, RANKING) for _ in range(2))
    assert first == second


def test_a_reference_of_one_row_repeated_is_as_stable_as_can_be() -> None:
    found = measured(np.repeat(rows_of("trees", 6, 1), 40, axis=0))
    assert (found.same_order, found.same_set, found.same_first) == (1.0, 1.0, 1.0)
    assert (found.same_order_standard_error, found.reason) == (0.0, None)


def test_without_adverse_rows_there_is_no_figure_but_a_reason() -> None:
    never = OutcomeRule("probability_of_adverse", 1.0, "decline", "approve")
    found = measured(rows_of("trees", 6, 40), never)
    assert (found.applicants, found.same_order, found.same_set, found.same_first) == (0, None, None, None)
    assert (found.same_order_standard_error, found.reason) == (None, NO_ADVERSE_ROWS)


def measured(reference: np.ndarray, rule: OutcomeRule = ONE) -> ReasonStability:
    _, model, _ = case("trees")
    shap = prepare_attribution(model, reference, cache_dir=None)
    uploaded = rows_of("trees", 8, 60)
    return reason_stability((model, shap, rule), Reference.of("given", reference), uploaded, RANKING)


def test_of_a_large_reference_some_rows_stand_for_all_and_draws_keep_its_size() -> None:
    draws = Draws.of(5000, 400, 250, np.random.default_rng(1))
    assert draws.weights.shape == (400, 250)
    assert len(set(draws.rows.tolist())) == 250
    assert np.abs(draws.weights.sum(axis=1)).max() < 1e-12
    values = np.random.default_rng(2).normal(size=5000)
    spread = (draws.weights @ values[draws.rows]).std()
    assert spread == pytest.approx(values.std() / math.sqrt(5000), rel=0.15)
    assert most_rows(50) == 2000
    assert most_rows(4096) * 4096 * 8 <= 32 << 20
