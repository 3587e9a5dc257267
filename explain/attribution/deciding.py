"""Decisions of a model with their attributions, each reconciled with the very margin that decided."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from explain.attribution.base import Attribution, reconcile
from explain.attribution.preparing import Shap, method_of
from explain.contrast import Contrast
from explain.errors import AttributionUnreconciled
from explain.models.base import Model
from explain.outcome import Decision, OutcomeRule, decide, decide_class

Reals = NDArray[np.float64]
Outcome = Attribution | AttributionUnreconciled


def attribute_decisions(
    model: Model, shap: Shap, rule: OutcomeRule, rows: Reals
) -> list[tuple[Decision, Outcome]]:
    """Decide rows (n, features) by the native library and attribute each decision's margin.

    One native call and one kernel call for all (one for each class that counts, where there are several);
    each row gets, bit for bit, what it would get alone. A row that does not reconcile has the error instead.
    """
    native = model.predict(rows)
    if rule.contrast is not None:
        return _between_classes(model, shap, (rule, rule.contrast), rows, native.margins)
    margins = native.margins.tolist()
    decisions = [
        decide(rule, margin, score) for margin, score in zip(margins, native.scores.tolist(), strict=True)
    ]
    return list(zip(decisions, _attribute(model, shap, rows, margins, 0), strict=True))


def _attribute(model: Model, shap: Shap, rows: Reals, margins: list[float], output: int) -> list[Outcome]:
    """Attribute one output's margin of each row and reconcile it."""
    base_value, phi = shap.explain_batch(rows, output)
    made: list[Outcome] = []
    for values, margin in zip(phi, margins, strict=True):
        try:
            found = reconcile(base_value, values, margin, model.float_width, method=method_of(shap))
        except AttributionUnreconciled as failure:
            made.append(failure)
        else:
            made.append(found)
    return made


def _between_classes(
    model: Model, shap: Shap, ruled: tuple[OutcomeRule, Contrast], rows: Reals, margins: Reals
) -> list[tuple[Decision, Outcome]]:
    """Attribute, for each row, the two classes its decision is between, and subtract."""
    decided = [decide_class(*ruled, own) for own in margins]
    classes: list[dict[int, Outcome]] = [{} for _ in decided]
    for output in range(len(ruled[1].classes)):
        needed = [at for at, (_, *pair) in enumerate(decided) if output in pair]
        if needed:
            found = _attribute(model, shap, rows[needed], margins[needed, output].tolist(), output)
            for at, attribution in zip(needed, found, strict=True):
                classes[at][output] = attribution
    return [
        (decision, difference(own[adverse], own[favourable]))
        for (decision, adverse, favourable), own in zip(decided, classes, strict=True)
    ]


def difference(adverse: Outcome, favourable: Outcome) -> Outcome:
    """Subtract two classes' attributions; each is reconciled with its own margin, so tolerances add up."""
    for failed in (adverse, favourable):
        if isinstance(failed, AttributionUnreconciled):
            return failed
    assert isinstance(adverse, Attribution) and isinstance(favourable, Attribution)  # noqa: S101, PT018
    expected, total = adverse.expected - favourable.expected, adverse.total - favourable.total
    return Attribution(
        method=adverse.method,
        base_value=adverse.base_value - favourable.base_value,
        phi=adverse.phi - favourable.phi,
        expected=expected,
        total=total,
        error=abs(total - expected),
        tolerance=adverse.tolerance + favourable.tolerance,
    )
