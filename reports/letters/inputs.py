"""The data a model was given, as a letter shows them: values, sources, what was missing or unusual."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from reports.letters.draft import Draft
from reports.letters.letter import Block, Facts, Paragraph
from reports.letters.plain import one_line

MOST_SHOWN = 200
"""More than a reader of a letter can take in; the letter's data hold all of them."""


@dataclass(frozen=True, slots=True)
class Input:
    """One feature's value in words; `source` is None where the manifest does not state one."""

    feature: str
    label: str
    text: str
    missing: bool
    unusual: bool
    source: str | None


def inputs(draft: Draft) -> tuple[Input, ...]:
    """Return every input in the model's own order."""
    flagged = {row["feature"] for row in draft.part["warnings"] if row["code"] == "out_of_range"}
    found = []
    for row in draft.part["features"]:
        declared = draft.features[row["name"]]
        text, unusual = draft.value(row["name"], row["value"]), row["name"] in flagged
        if unusual and declared.range is not None:
            least, greatest = (draft.number(limit) for limit in declared.range)
            text = draft.say("data_unusual_value", value=text, least=least, greatest=greatest)
        source = None if declared.source is None else one_line(declared.source)
        label = draft.label(row["name"])
        found.append(Input(row["name"], label, text, row["value"] is None, unusual, source))
    return tuple(found)


def input_blocks(draft: Draft) -> Iterable[Block]:
    """Write the inputs with their sources, then what a reader should doubt (R19)."""
    given = inputs(draft)
    sourced = any(one.source is not None for one in given)
    yield Paragraph(draft.say("data_intro"))
    shown = _shown(draft, given)
    yield Facts(tuple((one.label, _with_source(draft, one) if sourced else one.text) for one in shown))
    if more := len(given) - len(shown):
        yield Paragraph(draft.say("data_more", count=draft.number(more)))
    if not sourced:
        yield Paragraph(draft.say("data_sources_unstated"))
    if reports := draft.application.get("consumer_reports"):
        agencies = dict.fromkeys(one_line(report["agency"]["name"]) for report in reports)
        yield Paragraph(draft.say("data_reports", agencies=", ".join(agencies)))
    if missing := [one.label for one in given if one.missing]:
        yield Paragraph(draft.say("data_missing", labels=draft.enumerated(missing)))
    if unusual := [one.label for one in given if one.unusual]:
        yield Paragraph(draft.say("data_unusual", labels=draft.enumerated(unusual)))


def _shown(draft: Draft, given: Sequence[Input]) -> Sequence[Input]:
    """Of very many inputs those with the most influence, in the model's own order."""
    if len(given) <= MOST_SHOWN:
        return given
    phi = {row["feature"]: abs(row["phi"]) for row in draft.part["attribution"]["values"]}
    first = {one.feature for one in sorted(given, key=lambda one: -phi[one.feature])[:MOST_SHOWN]}
    return [one for one in given if one.feature in first]


def _with_source(draft: Draft, one: Input) -> str:
    if one.source is None:
        return draft.say("data_source_unstated", value=one.text)
    return draft.say("data_source", value=one.text, source=one.source)
