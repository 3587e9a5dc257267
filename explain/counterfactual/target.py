"""The side of the threshold a counterfactual has to reach, and how clearly it has to reach it."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from explain.attribution.base import RELATIVE_TOLERANCE
from explain.features import FloatWidth
from explain.models.base import Prediction
from explain.outcome import OutcomeRule

FloatArray = NDArray[np.float64]
Mask = NDArray[np.bool_]
Link = Literal["identity", "logit", "log"]

_ALIKE = 1e-4  # how far a 32-bit score may lie from its link's, relatively
_SCORE_ROUNDING: dict[FloatWidth, float] = {32: 2.0**-21, 64: 2.0**-40}  # of a native score, relatively
_LEAST_SCORE: dict[FloatWidth, float] = {32: 1e-37, 64: 1e-300}  # what is less is no more exact than that


@dataclass(frozen=True, slots=True)
class Target:
    """The side of a threshold that counts as the goal, and how clearly it has to be reached.

    `rule` names the goal its favourable side. `threshold` is the rule's as a margin (of several classes: as a
    difference of margins); None if the score is no known function of the margin: then there is no clearance,
    and only the native library can tell how far a row is. `clearance` keeps an answer away from the threshold
    by what the native library's own rounding may move it on another machine; `tolerance` is how far a margin
    summed from the tables may lie from the native one. `leeway` is how far the rounding of the native scores
    may move the threshold, to its adverse side and to its favourable one: a float32 probability near 1 is the
    same for many margins. All are in margin units.
    """

    rule: OutcomeRule
    threshold: float | None
    clearance: float
    tolerance: float
    leeway: tuple[float, float] = (0.0, 0.0)

    @classmethod
    def of(cls, rule: OutcomeRule, link: Link | None, float_width: FloatWidth) -> Target:
        """Translate the rule's threshold through the link of the model's scores."""
        threshold = _margin_threshold(rule, link)
        size = 1.0 if threshold is None or math.isinf(threshold) else max(1.0, abs(threshold))
        tolerance = RELATIVE_TOLERANCE[float_width] * size
        if rule.contrast is not None:  # two margins, each with its own
            tolerance *= 2.0
        return cls(rule, threshold, tolerance / 10.0, tolerance, _leeway(rule, link, float_width))

    def widened(self, rounding: float) -> Target:
        """Return the same goal where margins from the tables may lie farther from the native ones."""
        return replace(self, tolerance=self.tolerance + rounding)

    def adversity(self, margins: FloatArray) -> FloatArray:
        """Return how far margins lie on the adverse side; negative on the favourable one.

        Only for a known threshold and a single output, or differences of margins.
        """
        assert self.threshold is not None  # noqa: S101  callers work on margins only where it is known
        return np.asarray(self.rule.adverse_sign() * (margins - self.threshold))

    def distance(self, prediction: Prediction) -> FloatArray:
        """Return how far rows are from the goal: in margin units, or in score units without a threshold."""
        if self.threshold is None:
            scores = self.rule.scores_of(prediction.margins, prediction.scores)
            return np.asarray(self.rule.adverse_sign() * (scores - self.rule.threshold))
        return self.adversity(self._margins(prediction))

    @property
    def sure(self) -> float:
        """The adversity of a margin from the tables up to which the native one is favourable and clear."""
        return -(self.clearance + self.tolerance)

    @property
    def certain(self) -> float:
        """The adversity up to which that holds however the native score is rounded."""
        return self.sure - self.leeway[1]

    @property
    def possible(self) -> float:
        """The adversity of a margin from the tables up to which the native one could be favourable."""
        return self.tolerance + self.leeway[0]

    def favourable(self, prediction: Prediction) -> Mask:
        """Tell which rows the native model and the rule find on the goal's side."""
        return self.rule.favourable_mask(self.rule.scores_of(prediction.margins, prediction.scores))

    def reached(self, prediction: Prediction) -> Mask:
        """Tell which rows are natively on the goal's side and clear of the threshold, where it is known."""
        favourable = self.favourable(prediction)
        if self.threshold is None:
            return favourable
        clear = self.adversity(self._margins(prediction)) <= -self.clearance
        return np.asarray(favourable & clear)

    def _margins(self, prediction: Prediction) -> FloatArray:
        contrast = self.rule.contrast
        return prediction.margins if contrast is None else contrast.margins(prediction.margins)


def link_of(rule: OutcomeRule, prediction: Prediction) -> Link | None:
    """Return how scores come from margins, as some rows show it; None if that is no known function.

    One row can agree with a link by chance (where two curves cross), many different ones cannot; what stays
    open counts as not known. Several classes, and a threshold on the margin itself, need no link.
    """
    if rule.contrast is not None or rule.score == "margin":
        return "identity"
    margins, scores = prediction.margins, prediction.scores
    with np.errstate(over="ignore"):
        growth = np.exp(margins)
    links: list[tuple[Link, Mask]] = [
        ("identity", np.isclose(scores, margins, rtol=1e-5, atol=1e-6)),
        ("logit", np.isclose(scores, np.exp(-np.logaddexp(0.0, -margins)), rtol=_ALIKE)),
    ]
    if not rule.is_probability:
        links.append(("log", np.isclose(scores, growth, rtol=_ALIKE)))
    agreed = [link for link, alike in links if alike.all()]
    return agreed[0] if len(agreed) == 1 else None


def _margin_threshold(rule: OutcomeRule, link: Link | None) -> float | None:
    """Return the threshold as a margin, by the inverse of the link."""
    return None if link is None else _inverse(link, rule.threshold)


def _inverse(link: Link, score: float) -> float:
    if link == "identity":
        return score
    return _logit(score) if link == "logit" else _log(score)


def _leeway(rule: OutcomeRule, link: Link | None, float_width: FloatWidth) -> tuple[float, float]:
    """Return how far rounded scores may move the threshold: to its adverse side, and to its favourable one.

    A score that is the margin itself is rounded no further, and none is less than 0, rounded or not.
    """
    if link is None or link == "identity" or rule.threshold <= 0.0:
        return 0.0, 0.0
    score = rule.threshold
    rounding = max(_SCORE_ROUNDING[float_width] * abs(score), _LEAST_SCORE[float_width])
    here, *around = (_inverse(link, one) for one in (score, score + rounding, score - rounding))
    above, below = (0.0 if end == here else abs(end - here) for end in around)
    return (above, below) if rule.adverse_sign() > 0 else (below, above)


def _log(value: float) -> float:
    return math.log(value) if value > 0.0 else -math.inf


def _logit(probability: float) -> float:
    if probability <= 0.0:
        return -math.inf
    return math.inf if probability >= 1.0 else math.log(probability) - math.log1p(-probability)
