"""A decision against another reference: the definition's values, and what agreement means."""

from __future__ import annotations

import numpy as np
import pytest

from explain.errors import AttributionUnreconciled
from explain.evaluation.decision_stability import decision_stability
from explain.evaluation.ranking import NONE, Ranking
from explain.evaluation.references import agreement, attribute_against, spearman
from tests.oracles.boosters import draw_rows, train
from tests.oracles.games import interventional, shapley_values

EACH = Ranking(tuple((at,) for at in range(4)), 1, limit=3)


@pytest.mark.parametrize("booster", ["gbtree", "gblinear"])
@pytest.mark.parametrize("outputs", [(0,), (2, 0)])
def test_values_are_those_of_the_definition(booster: str, outputs: tuple[int, ...]) -> None:
    trained = train(("q",) * 4, objective="multi:softprob", outputs=3, booster=booster, rounds=6)
    reference, row = draw_rows(6, 1100, ("q",) * 4), draw_rows(7, 1, ("q",) * 4)[0]
    heard: list[float] = []
    found = attribute_against(trained.model(), outputs, row, reference, heard.append)

    def margins(rows: np.ndarray) -> np.ndarray:
        own = trained.margins64(rows)
        return own[:, outputs[0]] - (own[:, outputs[1]] if len(outputs) == 2 else 0.0)

    truth = interventional(margins, row, reference)
    assert found.base_value == pytest.approx(truth[0], abs=1e-6)
    assert found.phi == pytest.approx(shapley_values(truth), abs=1e-6)
    assert found.expected == pytest.approx(margins(row[np.newaxis])[0], abs=1e-5)
    assert heard == ([] if booster == "gblinear" else pytest.approx([1000 / 1100, 1.0] * len(outputs)))


def test_a_total_that_misses_the_margin_is_no_comparison(monkeypatch: pytest.MonkeyPatch) -> None:
    trained = train(("q",) * 3, rounds=4)
    model = trained.model()
    monkeypatch.setattr(type(model), "margins", lambda _, rows: np.full(len(rows), 9.0))
    rows = draw_rows(6, 20, ("q",) * 3)
    with pytest.raises(AttributionUnreconciled):
        attribute_against(model, (0,), rows[0], rows, lambda _: None)


def test_identical_values_agree_and_turned_ones_do_not() -> None:
    phi = np.array([0.4, 0.3, 0.1, -0.2])
    same = agreement(EACH, phi, phi.copy())
    assert (same.same_order, same.same_set, same.same_first, same.spearman) == (True, True, True, 1.0)
    swapped = agreement(EACH, phi, phi[[0, 2, 1, 3]])
    assert (swapped.same_order, swapped.same_set, swapped.same_first) == (False, True, True)
    assert swapped.spearman == pytest.approx(1 - 6 * 2 / (4 * 15))
    turned = agreement(EACH, phi, -phi)
    assert (turned.same_order, turned.same_set, turned.same_first) == (False, False, False)
    assert turned.spearman == pytest.approx(-1.0)


def test_rank_correlation_with_ties_and_without_anything() -> None:
    left, right = np.array([1.0, 2.0, 2.0, 3.0]), np.array([5.0, 5.0, 7.0, 9.0])
    ranks = np.array([0.0, 1.5, 1.5, 3.0]), np.array([0.5, 0.5, 2.0, 3.0])
    assert spearman(left, right) == pytest.approx(np.corrcoef(*ranks)[0, 1])
    assert spearman(left, np.zeros(4)) == 0.0
    assert spearman(np.zeros(4), np.zeros(4)) == 1.0


def test_where_each_factor_ends_up_is_counted() -> None:
    drawn = np.array([[2, 0, NONE], [0, 2, NONE], [2, 1, 0], [2, 0, NONE]])
    found = decision_stability(np.array([2, 0, NONE]), drawn, rows=9)
    assert (found.same_order, found.same_set, found.same_first) == (0.5, 0.75, 0.75)
    assert found.same_order_standard_error == 0.25
    assert [(one.factor, one.at_rank, one.absent) for one in found.reasons] == [
        (2, (0.75, 0.25, 0.0), 0.0),
        (0, (0.25, 0.5, 0.25), 0.0),
    ]
    assert [(one.factor, one.at_rank, one.absent) for one in found.others] == [(1, (0.0, 0.25, 0.0), 0.75)]
