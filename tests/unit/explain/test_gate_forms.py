"""The gate stops a form that is read wrong in whatever way a family can be read wrong."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from explain.attribution.preparing import prepare_attribution
from explain.errors import AttributionUnreconciled
from explain.gate import examine
from explain.models.base import Form, Model
from explain.models.ensemble import MISSING_NAN, TreeEnsemble
from explain.models.linear import LinearForm
from explain.outcome import OutcomeRule
from explain.reference import Reference
from tests.oracles.families import CONSTRUCTS, Case, case_of

RULE = OutcomeRule("margin", 0.0, "decline", "approve", "high_is_adverse")


class Misread:
    """A model whose form is not what its native library computes."""

    def __init__(self, model: Model, form: Form) -> None:
        self._model, self._form = model, form

    def __getattr__(self, name: str) -> object:
        return getattr(self._model, name)

    def form(self) -> Form:
        return self._form


def case_named(family: str, name: str) -> Case:
    (found,) = [one for one in CONSTRUCTS if (one.family, one.name) == (family, name)]
    return case_of(found)


def last_output(form: TreeEnsemble) -> TreeEnsemble:
    last = np.repeat(form.tree_output == form.outputs - 1, np.diff(form.offsets))
    return replace(form, value=np.where(last, form.value * 1.01, form.value))


def nan_alone_is_missing(form: TreeEnsemble) -> TreeEnsemble:
    return replace(form, missing=np.full_like(form.missing, MISSING_NAN))


def narrow_thresholds(form: TreeEnsemble) -> TreeEnsemble:
    return replace(form, threshold=form.threshold.astype(np.float32).astype(np.float64))


def strictly_below(form: TreeEnsemble) -> TreeEnsemble:
    return replace(form, comparison="<")


def rounded_inputs(form: TreeEnsemble) -> TreeEnsemble:
    return replace(form, input_width=32)


def one_weight_less(form: LinearForm) -> LinearForm:
    weights = form.weights.copy()
    weights[0, int(np.abs(weights[0]).argmax())] = 0.0
    return replace(form, weights=weights)


MISREADINGS = [
    ("xgboost", "multi:softprob, one base score", last_output),
    ("xgboost", "gblinear", one_weight_less),
    ("lightgbm", "missing_type Zero (zero_as_missing)", nan_alone_is_missing),
    ("lightgbm", "missing_type None (use_missing=false)", nan_alone_is_missing),
    ("lightgbm", "stumps", strictly_below),
    ("sklearn", "forest, numbers that 32 bits round together", narrow_thresholds),
    ("sklearn", "HistGradientBoostingRegressor, squared_error", rounded_inputs),
]


@pytest.mark.parametrize(("family", "name", "misread"), MISREADINGS)
def test_a_misreading_is_stopped(family: str, name: str, misread: object) -> None:
    case = case_named(family, name)
    reference = Reference.of("given", case.example.reference)
    examine(case.model, RULE, reference, case.shap)
    wrong = Misread(case.model, misread(case.form))
    shap = prepare_attribution(wrong, reference.rows, cache_dir=None)
    with pytest.raises(AttributionUnreconciled):
        examine(wrong, RULE, reference, shap)
