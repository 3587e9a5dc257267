"""Linear functions: the closed form equals the definition, also where numbers are missing."""

from __future__ import annotations

import numpy as np
import pytest

from explain.attribution.linear import METHOD, LinearShap
from explain.attribution.preparing import attribute, method_of, prepare_attribution
from explain.attribution.treeshap import TreeShap
from explain.brute_force import frozen_game
from explain.gate import examine
from explain.models.linear import LinearForm
from explain.outcome import OutcomeRule
from explain.reference import Reference
from tests.oracles.boosters import brute_force, draw_rows, train

GENERATOR = np.random.default_rng(4)
FORM = LinearForm(
    weights=GENERATOR.normal(size=(2, 5)), base_margins=np.array([0.5, -2.0]), input_width=64, float_width=64
)
ROWS = np.where(GENERATOR.random((30, 5)) < 0.2, np.nan, GENERATOR.normal(size=(30, 5)))


def margins(rows: np.ndarray, output: int) -> np.ndarray:
    return FORM.base_margins[output] + np.nansum(FORM.weights[output] * rows, axis=1)


@pytest.mark.parametrize("output", [0, 1])
def test_values_are_those_of_the_definition(output: int) -> None:
    shap = LinearShap.prepare(FORM, ROWS[:20])
    for row in ROWS[20:]:
        base_value, phi = shap.explain(row, output)
        truth = frozen_game(lambda rows: margins(rows, output), row, ROWS[:20], range(5))
        assert phi == pytest.approx(truth, abs=1e-14)
        assert base_value == pytest.approx(margins(ROWS[:20], output).mean(), abs=1e-14)
    assert shap.base_values.shape == (2,)


def test_a_row_alone_gets_what_it_gets_in_a_batch() -> None:
    shap = LinearShap.prepare(FORM, ROWS)
    _, batch = shap.explain_batch(ROWS, 1)
    assert all(
        shap.explain(row, 1)[1].tobytes() == phi.tobytes() for row, phi in zip(ROWS, batch, strict=True)
    )


def test_numbers_are_rounded_as_the_library_rounds_them() -> None:
    narrow = LinearForm(np.ones((1, 1)), np.zeros(1), input_width=32, float_width=32)
    _, phi = LinearShap.prepare(narrow, np.zeros((1, 1))).explain(np.array([0.1]))
    assert phi[0] == float(np.float32(0.1))


@pytest.mark.parametrize("shape", [(0, 5), (3, 4), (5,)])
def test_a_reference_of_another_shape_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="reference of shape"):
        LinearShap.prepare(FORM, np.zeros(shape))


def test_rows_of_another_width_are_refused() -> None:
    with pytest.raises(ValueError, match="rows of shape"):
        LinearShap.prepare(FORM, ROWS).explain_batch(np.zeros((3, 4)))


@pytest.mark.parametrize("missing", [0.0, 0.3])
def test_the_linear_booster_equals_brute_force_over_its_own_predictions(missing: float) -> None:
    trained = train(("q",) * 5, booster="gblinear", missing=missing)
    model = trained.model()
    shap = prepare_attribution(model, trained.rows[:20], cache_dir=None)
    assert isinstance(shap, LinearShap)
    for row in draw_rows(8, 6, trained.types, 0.3):
        base_value, phi = shap.explain(row)
        expected_base, expected = brute_force(trained, row, trained.rows[:20])
        assert base_value == pytest.approx(expected_base, abs=1e-12)
        assert phi == pytest.approx(expected, abs=1e-12)
        assert attribute(model, shap, row).method == METHOD


def test_the_gate_examines_a_linear_model() -> None:
    trained = train(("q",) * 7, booster="gblinear")
    reference = Reference.of("all_applicants", trained.rows[:100])
    model = trained.model()
    shap = prepare_attribution(model, reference.rows, cache_dir=None)
    report = examine(model, OutcomeRule("probability_of_adverse", 0.5, "decline", "approve"), reference, shap)
    assert (report.trees, report.nodes, report.leaves, report.features) == (0, 0, 0, 7)
    assert "booster gblinear" in report.constructs
    assert report.storage.table_bytes == 0
    assert report.storage.other_bytes == 8 * (1 + 7 + 7)
    assert report.reconciliation_max_error < 1e-5
    assert report.brute_force_max_error < 1e-5


def test_trees_get_tables() -> None:
    trained = train(("q",) * 3, rounds=3)
    shap = prepare_attribution(trained.model(), trained.rows[:10], cache_dir=None)
    assert isinstance(shap, TreeShap)
    assert method_of(shap) == "interventional_treeshap"


@pytest.mark.parametrize("output", [0, 1])
def test_values_against_each_reference_row_are_those_of_the_definition(output: int) -> None:
    shap = LinearShap.prepare(FORM, ROWS[:20])
    each = shap.explain_each(ROWS[25], ROWS[:20], output)
    for own, reference_row in zip(each, ROWS[:20], strict=True):
        truth = frozen_game(lambda rows: margins(rows, output), ROWS[25], reference_row[np.newaxis], range(5))
        assert own == pytest.approx(truth, abs=1e-14)
    assert each.mean(axis=0) == pytest.approx(shap.explain(ROWS[25], output)[1], abs=1e-14)
