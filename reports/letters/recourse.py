"""Which changes on record a person may be told about, and what may be said where there is none."""

from __future__ import annotations

from collections.abc import Sequence

from records.private_parts import AskedPart, CounterfactualItem
from registry.conversions import rule_of
from reports.letters.source import LetterSource
from schemas.manifest import Manifest

OTHER_GOAL = "other_goal"
NARROWED = "no_recourse_narrowed"


def tellable(source: LetterSource) -> list[CounterfactualItem]:
    """Return the changes, verified by the model, that would have turned its answer into the favourable one.

    A request may have named another goal: a change that reaches only that one is nothing to tell a person.
    Neither is any change of an answer that was favourable already.
    """
    part = source.part
    if part["decision"]["favourable"]:
        return []
    asked = part["counterfactuals"].get("asked")
    return [
        item
        for item in part["counterfactuals"]["items"]
        if item["verified"] and _favourable(source.manifest, asked, item)
    ]


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


def _favourable(manifest: Manifest, asked: AskedPart | None, item: CounterfactualItem) -> bool:
    target = None if asked is None else asked["target"]
    if target is None:
        return item["outcome"] == manifest.outcome.favourable
    if target["wanted_class"] is not None:
        return target["wanted_class"] not in (manifest.outcome.adverse_classes or ())
    return rule_of(manifest).is_favourable(item["score"])


def _narrower(asked: AskedPart) -> bool:
    limits = (asked["features_to_vary"], asked["max_changes"])
    return any(one is not None for one in limits) or bool(asked["permitted_range"])
