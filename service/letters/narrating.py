"""A narrative of one explanation: the template's is made again each time, a language model's is on record.

What a language model said is put on record before anybody reads it, and served from there afterwards: asked
twice, it would not say the same. Once a person did something about the decision it is another narrative.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any
from uuid import UUID

import orjson

from audit.canonical import JsonValue, canonical
from audit.entry import Appended, Draft, Idempotency
from records.tokens import Principal
from reports.narratives.facts import NarrativeFacts
from reports.narratives.gathering import facts_of
from reports.narratives.language_model import LanguageModelNarrator
from reports.narratives.narrating import Narrative, narrate
from reports.narratives.narrator import Sentence, Stated
from runtime.settings import Settings
from service.committing import PATIENCE_SECONDS, commit
from service.context import Services
from service.errors import StillCommitting
from service.explanations.reading import log_read
from service.explanations.record import CODE_VERSION, JsonObject
from service.letters.reviewed import counted_now
from service.letters.sources import Decrypted, decrypt, source_of

CREATED = "narrative.created"
ASKED_AT_ONCE = 4  # a language model is slow: who comes when so many wait gets the template's words


class Narrators:
    """The language model of this process, if there is one."""

    def __init__(self, settings: Settings) -> None:
        self.model: LanguageModelNarrator | None = None
        self._asking = 0
        if settings.language_model_url:
            self.model = LanguageModelNarrator(
                settings.language_model_url,
                settings.language_model_name,
                settings.language_model_timeout_ms / 1000,
                settings.language_model_key,
            )

    @property
    def model_digest(self) -> str | None:
        """The digest of the language model's name."""
        if self.model is None:
            return None
        return "sha256:" + hashlib.sha256(self.model.model.encode()).hexdigest()

    async def tell(self, facts: NarrativeFacts, language: str) -> Narrative:
        """Asks the language model in a thread of its own; the template's words where it is busy or fails."""
        if self._asking >= ASKED_AT_ONCE:
            told = narrate(facts, language)
            return Narrative(language, told.source, told.sentences, fallback="busy")
        self._asking += 1
        try:
            return await asyncio.to_thread(narrate, facts, language, self.model)
        finally:
            self._asking -= 1


@dataclass(frozen=True, slots=True)
class _Asked:
    """An explanation with the facts of its narrative."""

    found: Decrypted
    facts: NarrativeFacts
    language: str
    reviews: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Kept:
    """A narrative on record."""

    narrative: Narrative
    entry_id: UUID


async def narrative(
    services: Services, narrators: Narrators, explanation_id: UUID, language: str | None, reader: Principal
) -> JsonObject:
    """The narrative of one explanation; the reading is on record before it is answered.

    Raises `NotFound`, `PayloadErased` or `NarrativeLanguageUnknown`.
    """
    asked = await services.desk.run(_ask, services, explanation_id, language)
    if narrators.model is None:
        told, kept = narrate(asked.facts, asked.language), None
    else:
        told, kept = await _from_record(services, narrators, asked, reader)
    await log_read(services, explanation_id, reader, "narrative")
    return _answer(explanation_id, told, kept, narrators.model_digest)


def _ask(services: Services, explanation_id: UUID, language: str | None) -> _Asked:
    found = decrypt(services, explanation_id)
    reviews = counted_now(services.log, explanation_id)
    source = replace(source_of(services, found), reviews=reviews)
    chosen = language or source.words.default_language
    told = tuple(str(one.entry_id) for one in reviews)
    return _Asked(found, facts_of(source, chosen), chosen, told)


async def _from_record(
    services: Services, narrators: Narrators, asked: _Asked, reader: Principal
) -> tuple[Narrative, UUID | None]:
    """What the language model said the first time; it is asked only where nothing of it is on record."""
    key = _identity(asked, narrators)
    kept = await services.desk.run(_kept, services, key)
    if kept is None:
        told = await narrators.tell(asked.facts, asked.language)
        if told.source == "template":
            return told, None
        draft = _draft(asked, narrators, told, reader.name)
        appended = await commit(services.committer, draft, PATIENCE_SECONDS)
        if not appended.duplicate:
            return told, appended.entry_id
        # Another request was faster, and what it got is what is on record.
        kept = await services.desk.run(_kept, services, key)
        if kept is None:
            raise StillCommitting
    return kept.narrative, kept.entry_id


def _identity(asked: _Asked, narrators: Narrators) -> Idempotency:
    """One narrative for each explanation, language, model and what people did about it; whatever its text."""
    named = [f"{CREATED}/v1", str(asked.found.entry.entry_id), asked.language, narrators.model_digest]
    named += asked.reviews
    key = canonical(list(named))
    return Idempotency(key, key)


def _kept(services: Services, identity: Idempotency) -> _Kept | None:
    appended = services.log.find_duplicate(identity)
    if not isinstance(appended, Appended):
        return None
    stored = services.log.read(appended.entry_id)
    private = orjson.loads(services.log.open(stored))
    sentences = tuple(_sentence(one) for one in private["sentences"])
    told = Narrative(str(stored.entry.body["language"]), "language_model", sentences)
    return _Kept(told, appended.entry_id)


def _draft(asked: _Asked, narrators: Narrators, told: Narrative, actor: str) -> Draft:
    """Who told it and in which language in clear; what was told, encrypted under the person's key."""
    entry = asked.found.entry
    body: dict[str, JsonValue] = {
        "explanation_id": str(entry.entry_id),
        "model": entry.body["model"],
        "version": entry.body["version"],
        "language": told.language,
        "source": told.source,
        "model_digest": narrators.model_digest,
        "code_version": CODE_VERSION,
        **({"reviews": list(asked.reviews)} if asked.reviews else {}),
    }
    return Draft(
        type=CREATED,
        actor=actor,
        body=body,
        private=canonical({"sentences": [_written(one) for one in told.sentences]}),
        beside=asked.found.beside,
        retention_class=entry.retention_class,
        about=entry.entry_id,
        idempotency=_identity(asked, narrators),
    )


def _written(sentence: Sentence) -> dict[str, JsonValue]:
    facts: list[JsonValue] = [
        {"kind": one.kind, "name": one.name, "direction": one.direction, "number": one.number}
        for one in sentence.facts
    ]
    return {"text": sentence.text, "facts": facts}


def _sentence(written: Mapping[str, Any]) -> Sentence:
    facts = (Stated(one["kind"], one["name"], one["direction"], one["number"]) for one in written["facts"])
    return Sentence(written["text"], tuple(facts))


def _answer(explanation_id: UUID, told: Narrative, entry_id: UUID | None, digest: str | None) -> JsonObject:
    return {
        "explanation_id": str(explanation_id),
        "language": told.language,
        "source": told.source,
        "sentences": [_written(sentence) for sentence in told.sentences],
        "fallback": None if told.fallback is None else {"reason": told.fallback},
        "model_digest": digest if told.source == "language_model" else None,
        "entry_id": None if entry_id is None else str(entry_id),
    }
