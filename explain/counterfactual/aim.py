"""Another goal than the favourable side of the configured threshold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from explain.contrast import Contrast
from explain.errors import FieldError, InvalidNarrowing
from explain.outcome import OutcomeRule


@dataclass(frozen=True, slots=True)
class Aim:
    """What a caller wants to reach: a score on one side of a value, or one of several classes.

    `below` is a score less than `score`, `above` that score or more.
    """

    score: float | None = None
    direction: Literal["below", "above"] | None = None
    wanted_class: str | None = None

    def __post_init__(self) -> None:
        if (self.score is None) == (self.wanted_class is None):
            raise ValueError("an aim is a score or a class")
        if (self.score is None) != (self.direction is None):
            raise ValueError("a score needs a direction, and only a score has one")


def aimed(rule: OutcomeRule, aim: Aim) -> OutcomeRule:
    """Return the rule whose favourable side is the aim; InvalidNarrowing for one that is none of the model.

    Its words for the two outcomes are the configured rule's: they only say which side is meant.
    """
    if aim.wanted_class is not None:
        return _aimed_at_class(rule, aim.wanted_class)
    if rule.contrast is not None:
        raise _refused("/target/score", "is not for several classes: name the class")
    assert aim.score is not None  # noqa: S101  an aim is a score or a class
    if rule.is_probability and not 0.0 < aim.score < 1.0:
        raise _refused("/target/score", "must lie between 0 and 1, both excluded, for a probability")
    return OutcomeRule(
        score="margin" if rule.score == "margin" else "value",
        threshold=aim.score,
        adverse=rule.adverse,
        favourable=rule.favourable,
        direction="high_is_adverse" if aim.direction == "below" else "low_is_adverse",
    )


def _aimed_at_class(rule: OutcomeRule, wanted: str) -> OutcomeRule:
    if rule.contrast is None:
        raise _refused("/target/class", "is for a model with several classes")
    classes = rule.contrast.classes
    if wanted not in classes:
        raise _refused("/target/class", f"{wanted!r} is not one of the classes")
    others = tuple(number for number, name in enumerate(classes) if name != wanted)
    contrast = Contrast(classes, others)
    return OutcomeRule("margin", 0.0, rule.adverse, rule.favourable, "high_is_adverse", contrast)


def _refused(pointer: str, detail: str) -> InvalidNarrowing:
    return InvalidNarrowing([FieldError(pointer, detail)])
