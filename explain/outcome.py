"""How a score becomes an outcome: the manifest's threshold and the side of it that is adverse."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from explain.contrast import Contrast

FloatArray = NDArray[np.float64]

ScoreKind = Literal["probability_of_adverse", "probability_of_favourable", "margin", "value"]
Direction = Literal["high_is_adverse", "low_is_adverse"]

CLASS_RULE = ("margin", 0.0, "high_is_adverse")


@dataclass(frozen=True, slots=True)
class OutcomeRule:
    """The threshold on a score and what lies on either side of it.

    A score equal to the threshold lies on its upper side. `direction` is needed for `margin` and `value`
    and left out for the two probabilities, whose name says it. With `contrast` the model has several classes,
    and the margin is the difference between the best adverse and the best favourable one: adverse from 0 up.
    """

    score: ScoreKind
    threshold: float
    adverse: str
    favourable: str
    direction: Direction | None = None
    contrast: Contrast | None = None

    def __post_init__(self) -> None:
        if self.is_probability and self.direction is not None:
            raise ValueError(f"score {self.score} already says its direction")
        if not self.is_probability and self.direction is None:
            raise ValueError(f"score {self.score} needs a direction")
        if not np.isfinite(self.threshold):
            raise ValueError("the threshold must be finite")
        if self.contrast is not None and (self.score, self.threshold, self.direction) != CLASS_RULE:
            raise ValueError("several classes are decided by the largest margin, and by nothing else")

    @property
    def is_probability(self) -> bool:
        """Whether the threshold is on a probability."""
        return self.score in ("probability_of_adverse", "probability_of_favourable")

    @property
    def high_is_adverse(self) -> bool:
        """Whether scores at or above the threshold are adverse."""
        return self.score == "probability_of_adverse" or self.direction == "high_is_adverse"

    def adverse_sign(self) -> Literal[1, -1]:
        """Return +1 if a larger margin is more adverse, -1 if it is more favourable."""
        return 1 if self.high_is_adverse else -1

    def scores_of(self, margins: FloatArray, scores: FloatArray) -> FloatArray:
        """Return per row what the threshold is compared with: the margins, their contrast or the scores."""
        if self.contrast is not None:
            return self.contrast.margins(margins)
        return margins if self.score == "margin" else scores

    def is_favourable(self, score: float) -> bool:
        """Tell whether this score is favourable; NaN never is."""
        return score < self.threshold if self.high_is_adverse else score >= self.threshold

    def favourable_mask(self, scores: FloatArray) -> NDArray[np.bool_]:
        """Tell for each score whether it is favourable; NaN never is."""
        mask: NDArray[np.bool_] = (
            scores < self.threshold if self.high_is_adverse else scores >= self.threshold
        )
        return mask

    def outcome(self, score: float) -> str:
        """Name the outcome of this score."""
        return self.favourable if self.is_favourable(score) else self.adverse


@dataclass(frozen=True, slots=True)
class Decision:
    """What the model decided about one instance; margin and score are the native library's own.

    For a model with several classes both are the difference of the margins of the two classes in `contrast`,
    (the best adverse, the best favourable).
    """

    outcome: str
    favourable: bool
    score: float
    margin: float
    threshold: float
    output_space: str = "margin"
    contrast: tuple[str, str] | None = None


def decide(rule: OutcomeRule, margin: float, score: float) -> Decision:
    """Apply the rule to the native margin and score of one row."""
    decisive = margin if rule.score == "margin" else score
    return Decision(
        outcome=rule.outcome(decisive),
        favourable=rule.is_favourable(decisive),
        score=decisive,
        margin=margin,
        threshold=rule.threshold,
    )


def decide_class(rule: OutcomeRule, contrast: Contrast, margins: FloatArray) -> tuple[Decision, int, int]:
    """Apply the rule to the native margins, shape (classes,), of one row.

    Returns the decision and the two classes whose difference explains it: best adverse, best favourable.
    """
    adverse, favourable = (int(best[0]) for best in contrast.best(margins[np.newaxis, :]))
    margin = float(margins[adverse] - margins[favourable])
    names = contrast.classes[adverse], contrast.classes[favourable]
    return replace(decide(rule, margin, margin), contrast=names), adverse, favourable
