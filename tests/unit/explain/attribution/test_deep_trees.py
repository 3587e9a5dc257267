"""Leaves below more distinct features than a table can hold, against closed forms and brute force."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest

from explain.attribution.preparing import attribute
from explain.attribution.treeshap import TreeShap
from explain.brute_force import frozen_game
from explain.errors import ModelUnsupported
from explain.models.base import Model
from tests.oracles.boosters import chain, train

VALUE = 3.0


def conjunction(depth: int) -> Model:
    """One chain: the leaf VALUE is reached where every feature is below 0, any other leaf is worth 0."""
    return chain(0.0, [0.0] * depth + [VALUE]).model()


def closed_form(row: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """Average the values of a conjunction over the reference, in exact fractions."""
    phi = [Fraction(0)] * len(row)
    for other in reference:
        gained = [i for i in range(len(row)) if row[i] < 0 <= other[i]]
        lost = [i for i in range(len(row)) if other[i] < 0 <= row[i]]
        if any(row[i] >= 0 and other[i] >= 0 for i in range(len(row))):
            continue
        a, b = len(gained), len(lost)
        for i in gained:
            phi[i] += Fraction(math.factorial(a - 1) * math.factorial(b), math.factorial(a + b))
        for i in lost:
            phi[i] -= Fraction(math.factorial(a) * math.factorial(b - 1), math.factorial(a + b))
    return np.array([float(VALUE * one / len(reference)) for one in phi])


@pytest.mark.parametrize("depth", [11, 12, 13, 20, 63, 64, 65, 130])
def test_a_conjunction_of_many_features_has_its_closed_form(depth: int) -> None:
    generator = np.random.default_rng(depth)
    model = conjunction(depth)
    reference = np.where(generator.random((40, depth)) < 2.0 / depth, 1.0, -1.0)
    row = np.where(generator.random(depth) < 2.0 / depth, 1.0, -1.0)
    shap = TreeShap.prepare(model, reference, cache_dir=None)
    assert shap.storage.listed_leaves == sum(1 for slots in range(depth) if slots + 1 > 12) + (depth > 12)
    for one in (row, -np.ones(depth), np.ones(depth)):
        assert shap.explain(one)[1] == pytest.approx(closed_form(one, reference), abs=1e-12)
        attribute(model, shap, one)


def test_a_trained_deep_model_equals_brute_force_on_some_of_its_features() -> None:
    trained = train(
        ("q",) * 40, max_depth=0, max_leaves=200, grow_policy="lossguide", rounds=5, count=1500, eta=1.0
    )
    model, row = trained.model(), trained.rows[3]
    assert TreeShap.prepare(model, trained.rows[:50], cache_dir=None).storage.listed_leaves > 0
    players = np.array([0, 3, 7, 11, 20, 24, 30, 39])
    reference = np.repeat(row[np.newaxis], 20, axis=0)
    reference[:, players] = trained.rows[100:120][:, players]
    _, phi = TreeShap.prepare(model, reference, cache_dir=None).explain(row)
    assert phi == pytest.approx(frozen_game(trained.margins64, row, reference, players), abs=1e-9)


def test_patterns_above_the_cap_are_refused_by_name() -> None:
    reference = np.where(np.random.default_rng(0).random((200, 40)) < 0.5, 1.0, -1.0)
    with pytest.raises(ModelUnsupported, match="deep leaves above the memory cap"):
        TreeShap.prepare(conjunction(40), reference, cache_dir=None, memory_cap_bytes=1000)
