"""The side of the threshold a counterfactual has to reach, and how clearly it has to reach it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from explain.attribution.base import RELATIVE_TOLERANCE
from explain.models.base import Model, Prediction
from explain.outcome import OutcomeRule

FloatArray = NDArray[np.float64]
Mask = NDArray[np.bool_]

_ALIKE = 1e-4  # how far a 32-bit score may lie from its link's, relatively


@dataclass(frozen=True, slots=True)
class Target:
    """The configured threshold as a margin, with the room to keep from it.

    `clearance` keeps an answer away from the threshold by what the native library's own rounding may move
    it on another machine; `tolerance` is how far a margin summed from the tables may lie from the native
    one. Both are in margin units.
    """

    rule: OutcomeRule
    threshold: float
    clearance: float
    tolerance: float

    @classmethod
    def of(cls, model: Model, rule: OutcomeRule, prediction: Prediction) -> Target | None:
        """Translate the rule's threshold; None if the score is no known function of the margin.

        `prediction` is that of some rows: it shows how the score comes from the margin. One row can do so by
        chance (where two curves cross), many different ones cannot; what stays open counts as not known.
        """
        threshold = _margin_threshold(rule, prediction)
        if threshold is None:
            return None
        size = max(1.0, abs(threshold)) if math.isfinite(threshold) else 1.0
        tolerance = RELATIVE_TOLERANCE[model.float_width] * size
        return cls(rule, threshold, tolerance / 10.0, tolerance)

    def adversity(self, margins: FloatArray) -> FloatArray:
        """Return how far margins lie on the adverse side; negative on the favourable one."""
        return np.asarray(self.rule.adverse_sign() * (margins - self.threshold))

    @property
    def sure(self) -> float:
        """The adversity of a margin from the tables up to which the native one is favourable and clear."""
        return -(self.clearance + self.tolerance)

    @property
    def possible(self) -> float:
        """The adversity of a margin from the tables up to which the native one could be favourable."""
        return self.tolerance

    def favourable(self, prediction: Prediction) -> Mask:
        """Tell which rows the native model and the rule find favourable."""
        return self.rule.favourable_mask(self.rule.scores_of(prediction.margins, prediction.scores))

    def reached(self, prediction: Prediction) -> Mask:
        """Tell which rows are natively favourable and clear of the threshold."""
        clear = self.adversity(prediction.margins) <= -self.clearance
        return np.asarray(self.favourable(prediction) & clear)


def _margin_threshold(rule: OutcomeRule, prediction: Prediction) -> float | None:
    """Return the threshold through the inverse of the one link that every row agrees with."""
    if rule.score == "margin":
        return rule.threshold
    margins, scores = prediction.margins, prediction.scores
    with np.errstate(over="ignore"):
        growth = np.exp(margins)
    links = [
        (rule.threshold, np.isclose(scores, margins, rtol=1e-5, atol=1e-6)),
        (_logit(rule.threshold), np.isclose(scores, np.exp(-np.logaddexp(0.0, -margins)), rtol=_ALIKE)),
    ]
    if not rule.is_probability:
        links.append((_log(rule.threshold), np.isclose(scores, growth, rtol=_ALIKE)))
    agreed = [threshold for threshold, alike in links if alike.all()]
    return agreed[0] if len(agreed) == 1 else None


def _log(value: float) -> float:
    return math.log(value) if value > 0.0 else -math.inf


def _logit(probability: float) -> float:
    if probability <= 0.0:
        return -math.inf
    return math.inf if probability >= 1.0 else math.log(probability) - math.log1p(-probability)
