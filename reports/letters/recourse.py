"""Which changes on record a person may be told about, and what may be said where there is none."""

from __future__ import annotations

from collections.abc import Sequence

from records.counterfactual_parts import AskedPart, CounterfactualItem
from reports.letters.source import LetterSource

OTHER_GOAL = "other_goal"
NARROWED = "no_recourse_narrowed"


def tellable(source: LetterSource) -> list[CounterfactualItem]:
    """Return the changes, verified by the model, that would have turned its answer into the favourable one.

    A request may have named another goal: a change that reaches only that one is nothing to tell a person.
    Neither is any change of an answer that was favourable already.
    """
    if source.part["decision"]["favourable"]:
        return []
    favourable = source.manifest.outcome.favourable
    items = source.part["counterfactuals"]["items"]
    return [item for item in items if item["verified"] and item["outcome"] == favourable]


def status_told(source: LetterSource, items: Sequence[CounterfactualItem]) -> str:
    """Return the search's status on record as it may be told beside these items.

    `other_goal`: the search was for another goal, so that its end says nothing about the favourable answer.
    `no_recourse_narrowed`: proved, but only within narrower limits than the manifest's.
    """
    found = source.part["counterfactuals"]
    asked = found.get("asked")
    if asked is None or items:
        return found["status"]
    if asked["target"] is not None:
        return OTHER_GOAL
    return NARROWED if found["status"] == "no_recourse" and _narrower(asked) else found["status"]


def _narrower(asked: AskedPart) -> bool:
    limits = (asked["features_to_vary"], asked["max_changes"])
    return any(one is not None for one in limits) or bool(asked["permitted_range"])
