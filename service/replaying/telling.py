"""What a replay says: to whoever asked, and to the log, which hears it first."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from uuid import UUID

from audit.canonical import JsonValue, canonical, decimal
from audit.entry import Draft
from service.explanations.record import JsonObject
from service.replaying.comparing import Difference
from service.replaying.judging import Judgement, code_versions

REPLAYED = "explanation.replayed"


def told(judgement: Judgement) -> JsonObject:
    """The answer, but for the receipt."""
    then, now = code_versions(judgement)
    first = judgement.first
    return {
        "explanation_id": str(judgement.explanation_id),
        "verdict": judgement.verdict,
        "compared": judgement.compared,
        "not_compared": [{"part": part, "why": why} for part, why in judgement.missing.items()],
        "first_difference": None if first is None else _difference(first),
        "parts": dict(judgement.parts),
        "tolerance": {"margins": judgement.tolerance.margins, "relative": judgement.tolerance.relative},
        "model": judgement.recorded.model,
        "version": judgement.recorded.version,
        "method": judgement.recorded.entry.body["method"],
        "code_version_recorded": then,
        "code_version_now": now,
    }


def draft_of(judgement: Judgement, actor: str, run_id: UUID | None = None) -> Draft:
    """The entry: verdict and place of the first difference in clear, what differs under the person's key.

    `run_id` names the run over many decisions that this replay was part of.
    """
    entry, first = judgement.recorded.entry, judgement.first
    then, now = code_versions(judgement)
    body: dict[str, JsonValue] = {
        "explanation_id": str(entry.entry_id),
        "model": judgement.recorded.model,
        "version": judgement.recorded.version,
        "method": entry.body["method"],
        "verdict": judgement.verdict,
        "compared": list[JsonValue](judgement.compared),
        "not_compared": [{"part": part, "why": why} for part, why in judgement.missing.items()],
        "first_difference": None if first is None else first.pointer,
        "tolerance": decimal(judgement.tolerance.margins),
        "code_version_recorded": then,
        "code_version": now,
        "run_id": None if run_id is None else str(run_id),
    }
    return Draft(
        type=REPLAYED,
        actor=actor,
        body=body,
        private=None if first is None else private_of(first),
        beside=judgement.recorded.beside,
        retention_class=entry.retention_class,
        about=entry.entry_id,
    )


def private_of(first: Difference) -> bytes:
    """The values of the first difference, as an entry says them under the person's key."""
    return canonical({"first_difference": written(_difference(first))})


def _difference(one: Difference) -> JsonObject:
    return {
        "pointer": one.pointer,
        "recorded": one.recorded,
        "recomputed": one.recomputed,
        "difference": one.difference,
        "tolerance": one.tolerance,
    }


def written(value: object) -> JsonValue:
    """The same with every real as its shortest decimal string, as the log wants them."""
    if isinstance(value, float):
        return decimal(value)
    if isinstance(value, Mapping):
        return {str(name): written(item) for name, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return [written(item) for item in value]
    if value is None or isinstance(value, bool | int | str):
        return value
    raise TypeError(f"a {type(value).__name__} is no part of a record")
