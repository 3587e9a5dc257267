"""What an entry says, computed again from the entry alone, part by part."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import cast

import numpy as np

from audit.canonical import JsonValue
from explain.attribution.deciding import attribute_decisions
from explain.components import ComponentsContradict, InvalidComponents
from explain.errors import (
    AttributionUnreconciled,
    ExplainError,
    InvalidNarrowing,
    TablesChanged,
    TargetReached,
)
from explain.features import Instance
from records.asked import aim_of, narrowing_of
from records.private_parts import PrivatePart
from records.promises import PROMISE
from records.searched import features_changed, searched_part
from registry.loading import LoadedVersion
from service.errors import DecisionMismatch, ServiceError
from service.explanations.asking import checked
from service.explanations.finding import Attributed, Finding, Question, explained
from service.explanations.owing import notice_of
from service.explanations.record import clear_body, private_part
from service.explanations.record_parts import attribution_part, decision_part, feature_rows
from service.explanations.searching import Recourse, nothing_sought
from service.problems import kind_of
from service.replaying.question import question_of_record
from service.replaying.recorded import Recorded
from service.replaying.searches import NOT_ON_RECORD, Searcher

# In which part it shows that this cannot be computed any more.
_PART_OF: Mapping[type[Exception], str] = {
    ComponentsContradict: "combined",
    InvalidComponents: "combined",
    DecisionMismatch: "combined",
    InvalidNarrowing: "counterfactuals",
    TargetReached: "counterfactuals",
}
_FOUND = ("combined", "reasons", "crowded_out", "key_factors", "warnings", "notice")
# A record without one of these is of an earlier form; the others are left out where there are none.
_ALWAYS = ("combined", "notice")
# Given by the caller: nothing of it is computed.
_GIVEN = ("decision_id", "subject_ref", "purpose", "decided", "application")


@dataclass(slots=True)
class Recomputed:
    """The parts that were computed again; why the others were not; and the one that could not be, by name."""

    parts: dict[str, object] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)
    failed: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """The recorded row as the version reads it today, and the question about it."""

    loaded: LoadedVersion
    recorded: Recorded
    question: Question
    instance: Instance


def recompute(searcher: Searcher, recorded: Recorded) -> Recomputed:
    """Everything that follows from the recorded features, in the order of the parts.

    What raises ends it there: the parts before it are computed, and it is told which could not be.
    """
    made, loaded = Recomputed(), searcher.loaded
    at = "features"
    try:
        question = question_of_record(recorded.model, recorded.part)
        instance = loaded.space.read(question.request.features)
        made.parts["features"] = feature_rows(loaded, instance)
        row = Row(loaded, recorded, question, instance)
        at = "decision"
        attributed = _attributed(made, row)
        if not _told_whole(recorded.part):
            made.missing.update(dict.fromkeys((*_FOUND, "counterfactuals", "body"), NOT_ON_RECORD))
            return made
        at = "reasons"
        sought = checked(loaded, question.request.counterfactuals, instance)
        finding = explained(loaded, question, instance, attributed, sought)
        at = "counterfactuals"
        _finish(made, searcher, recorded, finding)
    except TablesChanged:
        raise
    except AttributionUnreconciled as error:
        made.failed = ("attribution", kind_of(error).name)
    except (ExplainError, ServiceError) as error:
        made.failed = (_PART_OF.get(type(error), at), kind_of(error).name)
    return made


def _told_whole(part: PrivatePart) -> bool:
    """Whether the record says what every component gave: earlier forms said what was told of it."""
    combined = part.get("combined")
    return combined is None or all("reasons" in one for one in combined["components"])


def _attributed(made: Recomputed, row: Row) -> Attributed:
    """The native decision and its attribution; the former is told even where the latter does not add up."""
    loaded = row.loaded
    rows = np.stack([row.instance.row])
    ((decision, attribution),) = attribute_decisions(loaded.model, loaded.shap, loaded.rule, rows)
    made.parts["decision"] = decision_part(decision)
    if isinstance(attribution, AttributionUnreconciled):
        raise attribution
    made.parts["attribution"] = attribution_part(loaded, attribution)
    return Attributed(decision, attribution, 0.0)


def _finish(made: Recomputed, searcher: Searcher, recorded: Recorded, finding: Finding) -> None:
    """Reasons, warnings, notice, counterfactuals, and what all of it says in clear."""
    recourse = _recourse(searcher, recorded, finding)
    notice = notice_of(finding, recorded.entry.time)
    told = nothing_sought(finding) if isinstance(recourse, str) else recourse
    part = private_part(finding, told, notice)
    body: dict[str, JsonValue] = clear_body(finding, told, notice)
    if isinstance(recourse, str):
        made.missing["counterfactuals"] = recourse
        body["counterfactual_status"] = recorded.entry.body["counterfactual_status"]
    else:
        found = part["counterfactuals"]
        found["evaluation_id"] = recorded.part["counterfactuals"]["evaluation_id"]
        made.parts["counterfactuals"] = found
    for name in _FOUND:
        if name in _ALWAYS and name not in recorded.part:
            made.missing[name] = NOT_ON_RECORD
        else:
            made.parts[name] = part.get(name)
    made.parts["body"] = _comparable(body)


def _recourse(searcher: Searcher, recorded: Recorded, finding: Finding) -> Recourse | str:
    """The search again; as it was answered, a search that a worker was to finish is a deferred one."""
    part = recorded.part["counterfactuals"]
    if part.get("asked") is None:
        return NOT_ON_RECORD
    if finding.sought is None:
        return nothing_sought(finding)
    found = searcher.again(finding.sought.problem, part)
    if isinstance(found, str):
        return found
    if found.status == "unresolved":
        found = replace(found, status="deferred", complete=False)
    return Recourse(found)


def supplement_again(searcher: Searcher, recorded: Recorded, at: int) -> Mapping[str, object] | str:
    """What a worker found later, found again; or why it could not be."""
    part = recorded.supplements[at].part
    if part is None:
        return "erased"
    found, asked = part["counterfactuals"], part["counterfactuals"].get("asked")
    if asked is None:
        return NOT_ON_RECORD
    loaded = searcher.loaded
    values = {row["name"]: row["value"] for row in recorded.part["features"]}
    try:
        problem = loaded.search.problem(
            loaded.space.read(values),
            count=asked["count"],
            seed=int(found.get("seed", "0")),
            narrowing=narrowing_of(asked),
            aim=aim_of(asked),
        )
    except ExplainError as error:
        return kind_of(error).name
    again = searcher.again(problem, found)
    if isinstance(again, str):
        return again
    if again.status == "partial":  # nobody goes on after a worker
        again = replace(again, status="found")
    told = searched_part(again, asked=asked)
    return {"features": features_changed(recorded.part, told["items"]), "counterfactuals": told}


def recorded_parts(recorded: Recorded) -> Mapping[str, object]:
    """The same parts as they are on record."""
    part = cast("Mapping[str, object]", recorded.part)
    names = [name for name in PrivatePart.__annotations__ if name not in _GIVEN]
    return {**{name: part.get(name) for name in names}, "body": _comparable(dict(recorded.entry.body))}


def _comparable(body: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    """A clear body without what names neither the decision nor how it was reached."""
    return {name: value for name, value in body.items() if name not in ("code_version", PROMISE)}
