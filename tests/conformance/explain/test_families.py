"""Every construct of every family against its own library: the whole capability matrix, line by line."""

from __future__ import annotations

import numpy as np
import pytest

from explain.attribution.base import tolerance_for
from explain.models.ensemble import TreeEnsemble
from tests.oracles.capabilities import refusal_of
from tests.oracles.cases import Construct, Refused
from tests.oracles.families import CONSTRUCTS, ORACLE, REFUSED, Case, case_of, games_of, name_of, walked
from tests.oracles.games import shapley_values

ROWS = 12


@pytest.fixture
def case(request: pytest.FixtureRequest) -> Case:
    construct: Construct = request.param
    return case_of(construct)


every_construct = pytest.mark.parametrize("case", CONSTRUCTS, ids=name_of, indirect=True)


@every_construct
def test_margins_are_the_packages_own(case: Case) -> None:
    for rows in (case.example.rows, case.probes):
        margins = case.model.margins(rows)
        assert margins.shape == ((len(rows),) if case.form.outputs == 1 else (len(rows), case.form.outputs))
        errors = np.abs(margins.reshape(len(rows), -1) - case.native(rows))
        assert errors.max() <= case.example.native_error
        assert case.model.predict(rows).margins.tolist() == margins.tolist()


@every_construct
def test_the_form_is_the_librarys_function(case: Case) -> None:
    assert case.model.space.float_width == case.form.input_width
    assert case.model.space.names == case.example.space.names
    assert case.model.float_width == case.form.float_width
    for rows in (case.example.rows, case.probes):
        truth = case.margins64(rows)
        assert walked(case.form, rows) == pytest.approx(
            truth, rel=1e-12, abs=1e-12 * max(1.0, np.abs(truth).max())
        )


@every_construct
def test_values_equal_the_enumeration_of_all_coalitions(case: Case) -> None:
    chosen = case.example.rows[:ROWS]
    games = games_of(case, chosen)
    bound = ORACLE[case.form.float_width]
    for output in range(case.form.outputs):
        base_value, phi = case.shap.explain_batch(chosen, output)
        for game, values in zip(games[:, :, output], phi, strict=True):
            size = max(1.0, float(np.abs(game).max()))
            assert base_value == pytest.approx(game[0], abs=bound * size)
            assert values == pytest.approx(shapley_values(game), abs=bound * size)


@every_construct
def test_totals_reconcile_with_the_native_margin(case: Case) -> None:
    """Also at every kind of threshold and one unit beside it, at zeros, in gaps and in every category."""
    trees = case.form.tree_count if isinstance(case.form, TreeEnsemble) else 1
    for rows in (case.example.rows, case.example.reference, case.probes):
        native = case.model.margins(rows).reshape(len(rows), -1)
        for output in range(case.form.outputs):
            base_value, phi = case.shap.explain_batch(rows, output)
            errors = np.abs(base_value + phi.sum(axis=1) - native[:, output])
            size = np.maximum(1.0, np.abs(native[:, output]))
            assert (errors <= ORACLE[case.form.float_width] * size * max(1.0, trees / 100)).all()
            assert all(
                error <= tolerance_for(margin, case.model.float_width)
                for error, margin in zip(errors.tolist(), native[:, output].tolist(), strict=True)
            )


@every_construct
def test_a_row_alone_gets_what_it_gets_in_a_batch(case: Case) -> None:
    rows = case.probes[:: max(1, len(case.probes) // 16)]
    margins = case.model.margins(rows)
    for number, row in enumerate(rows):
        assert case.model.margins(row[None])[0].tolist() == margins[number].tolist()
    for output in range(case.form.outputs):
        base_value, phi = case.shap.explain_batch(rows, output)
        for number, row in enumerate(rows):
            alone, values = case.shap.explain(row, output)
            assert (alone, values.tolist()) == (base_value, phi[number].tolist())


@pytest.mark.parametrize("refused", REFUSED, ids=name_of)
def test_what_is_not_exact_is_refused_by_name(refused: Refused) -> None:
    assert refusal_of(refused)


def test_names_are_told_apart() -> None:
    names = [name_of(one) for one in (*CONSTRUCTS, *REFUSED)]
    assert len(set(names)) == len(names)
