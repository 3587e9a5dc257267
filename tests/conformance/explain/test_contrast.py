"""Decisions among several classes: what is attributed is a difference of native margins, by enumeration."""

from __future__ import annotations

import numpy as np
import pytest

from explain.attribution.deciding import attribute_decisions
from explain.attribution.preparing import prepare_attribution
from explain.contrast import Contrast
from explain.errors import AttributionUnreconciled
from explain.outcome import OutcomeRule
from tests.oracles.boosters import draw_rows, train
from tests.oracles.games import interventional, shapley_values

TYPES = ("q", "c", "q", "q")
CONTRAST = Contrast(("home", "ward", "intensive"), (1, 2))
RULE = OutcomeRule("margin", 0.0, "admit", "discharge", "high_is_adverse", CONTRAST)


@pytest.mark.parametrize("booster", ["gbtree", "dart", "gblinear"])
def test_the_difference_of_two_classes_is_attributed_exactly(booster: str) -> None:
    types = TYPES if booster != "gblinear" else ("q",) * 4
    trained = train(types, objective="multi:softprob", outputs=3, booster=booster, rounds=6)
    model = trained.model()
    rows, reference = draw_rows(5, 40, types), draw_rows(6, 9, types)
    shap = prepare_attribution(model, reference, cache_dir=None)
    margins = trained.booster.predict(trained.matrix(rows), output_margin=True)
    found = attribute_decisions(model, shap, RULE, rows)
    sides = set()
    for row, own, (decision, attribution) in zip(rows, margins.astype(np.float64), found, strict=True):
        assert not isinstance(attribution, AttributionUnreconciled)
        assert decision.contrast is not None
        adverse, favourable = (CONTRAST.classes.index(name) for name in decision.contrast)
        assert (own.argmax() == 0) == decision.favourable
        assert own[adverse] == own[1:].max()
        assert decision.margin == own[adverse] - own[favourable] == attribution.expected
        assert attribution.error <= 1e-5

        def difference(given: np.ndarray, adverse: int = adverse, favourable: int = favourable) -> np.ndarray:
            native = trained.booster.predict(trained.matrix(given), output_margin=True).astype(np.float64)
            return native[:, adverse] - native[:, favourable]

        truth = shapley_values(interventional(difference, row, reference))
        assert np.abs(attribution.phi - truth).max() <= 2e-6  # the native margins are of 32 bits
        sides.add(decision.favourable)
    assert sides == {True, False}


def test_a_class_that_does_not_reconcile_is_no_explanation() -> None:
    trained = train(("q",) * 3, objective="multi:softprob", outputs=3, rounds=4)
    other = train(("q",) * 3, objective="multi:softprob", outputs=3, rounds=5, seed=9)
    rows = draw_rows(5, 5, ("q",) * 3)
    shap = prepare_attribution(other.model(), rows, cache_dir=None)
    for _, attribution in attribute_decisions(trained.model(), shap, RULE, rows):
        assert isinstance(attribution, AttributionUnreconciled)
