"""Features that can never be a reason, and declared noise that is one more often than it should be."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet

import numpy as np
from numpy.typing import NDArray

from explain.attribution.base import Attribution
from explain.attribution.deciding import attribute_decisions
from explain.attribution.preparing import Shap
from explain.evaluation.importance import importance
from explain.evaluation.warning import MOST_NAMED, MOST_TOLD, ModelWarning
from explain.models.base import Form, Model
from explain.models.ensemble import TreeEnsemble
from explain.outcome import OutcomeRule
from explain.reasons import Factor, members_of

Reals = NDArray[np.float64]

MOST_ROWS = 1_000
"""So many reference rows, evenly spread, are explained to compare noise with the real factors."""


def used_features(form: Form) -> NDArray[np.bool_]:
    """Tell for each feature whether any split tests it or any weight multiplies it."""
    if isinstance(form, TreeEnsemble):
        used = np.zeros(form.n_features, dtype=np.bool_)
        used[form.feature[form.feature >= 0]] = True
        return used
    return np.asarray(np.any(form.weights != 0.0, axis=0))


def unused_warnings(
    names: Sequence[str], factors: Sequence[Factor], used: NDArray[np.bool_], uploaded: Reals
) -> Iterator[ModelWarning]:
    """Warn of features that the model never reads, and of used ones that are the same in every row."""
    unused = [name for name, one in zip(names, used, strict=True) if not one]
    if unused:
        yield ModelWarning.of(
            "unused_feature",
            "no split or weight reads them: their values are exactly 0 and they can never be a reason",
            _factors_of(factors, unused),
            unused,
        )
    constant = [name for at, name in enumerate(names) if used[at] and _constant(uploaded[:, at])]
    if constant and len(uploaded) > 1:
        yield ModelWarning.of(
            "constant_feature",
            "the same in every uploaded row: the reference says nothing about what a difference means",
            _factors_of(factors, constant),
            constant,
        )


def noise_warnings(
    explained: tuple[Model, Shap, OutcomeRule],
    reference: Reals,
    factors: Sequence[Factor],
    noise: AbstractSet[str],
) -> Iterator[ModelWarning]:
    """Warn of factors with declared noise that move decisions more than a factor without any.

    Compared is the mean |contribution| over the reference. AttributionUnreconciled where a row cannot be
    explained.
    """
    if not noise:
        return
    model, shap, rule = explained
    phi = _attributed(model, shap, rule, reference)
    members = members_of(factors, model.space)
    named = [(factor.name, group) for factor, group in zip(factors, members, strict=True)]
    size = {one.factor: one.mean_abs for one in importance(phi, named).factors}
    noisy = [factor for factor in factors if not noise.isdisjoint(factor.features)]
    real = [factor.name for factor in factors if noise.isdisjoint(factor.features)]
    for factor in noisy[:MOST_TOLD]:
        own_size = size[factor.name]
        beaten = sorted((name for name in real if size[name] < own_size), key=size.__getitem__)
        if beaten:
            shown = ", ".join(beaten[:MOST_NAMED])
            own = [name for name in factor.features if name in noise]
            detail = f"declared noise moves decisions by {own_size:.3g} on average, more than {shown}"
            yield ModelWarning.of("noise_outranks", detail, [factor.name, *beaten], own)


def _attributed(model: Model, shap: Shap, rule: OutcomeRule, reference: Reals) -> Reals:
    """Return what each decision on the reference's rows is explained by, shape (n, features)."""
    rows = reference
    if len(rows) > MOST_ROWS:
        rows = rows[np.linspace(0, len(rows) - 1, MOST_ROWS).astype(np.int64)]
    found = []
    for _, outcome in attribute_decisions(model, shap, rule, rows):
        if not isinstance(outcome, Attribution):
            raise outcome
        found.append(outcome.phi)
    return np.array(found)


def _factors_of(factors: Sequence[Factor], features: Sequence[str]) -> list[str]:
    wanted = set(features)
    return [factor.name for factor in factors if not wanted.isdisjoint(factor.features)]


def _constant(column: Reals) -> bool:
    missing = np.isnan(column)
    return bool(missing.all()) or (not missing.any() and bool((column == column[0]).all()))
