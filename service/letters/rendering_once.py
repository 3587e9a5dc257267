"""A letter is rendered once and stays what it was: the first bytes are on record and are what is served.

Later requests render again and compare. The same environment must give the same bytes; if it does not, that
is an incident. Another environment may give others; the bytes on record are served either way.
"""

from __future__ import annotations

import base64
import hashlib
import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Literal
from uuid import UUID

import orjson

from audit.canonical import JsonValue, canonical
from audit.entry import Draft, Idempotency
from audit.log import StoredEntry
from records.lifecycle import NOTICE, RENDERED
from records.tokens import Principal
from reports.letters.errors import LetterError
from reports.letters.letter import TemplateName
from reports.letters.source import LetterSource
from reports.letters.writing import write_letter
from reports.rendering.errors import RenderingError
from runtime.metrics import INCIDENTS
from service.committing import PATIENCE_SECONDS, commit
from service.context import Services
from service.explanations.record import CODE_VERSION
from service.letters.reviewed import counted_now, replaced_now, require_standing, told_in, was_sent
from service.letters.sources import Decrypted, decrypt, source_of

logger = logging.getLogger("service.letters.rendering_once")

DIFFERS = "notice-differs"
How = Literal["first", "identical", "stored"]


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which letter, in which form; the catalogue's default language where none is named."""

    explanation_id: UUID
    template: TemplateName
    language: str | None
    media_type: str


@dataclass(frozen=True, slots=True)
class Document:
    """A letter as it is served; `entry_id` is the entry that holds its bytes.

    `overridden`: by now the decision that the letter is about holds no longer.
    """

    content: bytes
    media_type: str
    language: str
    how: How
    entry_id: UUID
    overridden: bool


@dataclass(frozen=True, slots=True)
class _Fresh:
    """A letter that is not on record yet."""

    draft: Draft
    source: LetterSource
    content: bytes
    language: str
    overridden: bool


@dataclass(frozen=True, slots=True)
class _Kept:
    """A letter that is; with an incident where rendering it again went another way."""

    document: Document
    incident: Draft | None


async def notice_document(services: Services, wanted: Wanted, reader: Principal) -> Document:
    """The letter, on record before it is answered; so is this reading of it.

    Raises what `write_letter` and `render` raise where there is no letter yet, `NoticeOverridden` where a
    notice is not to be sent any more, `NotFound`, `PayloadErased`.
    """
    made = await services.press.run(_make, services, wanted, reader.name)
    if isinstance(made, _Fresh):
        appended = await commit(services.committer, made.draft, PATIENCE_SECONDS)
        if appended.duplicate:  # another first request was faster; its bytes are the ones
            made = await services.press.run(_make, services, wanted, reader.name)
    if isinstance(made, _Fresh):
        if wanted.template == NOTICE:  # it may have been overridden while it was being made
            await services.desk.run(require_standing, services.log, made.source)
        document = Document(
            made.content, wanted.media_type, made.language, "first", appended.entry_id, made.overridden
        )
    else:
        document = made.document
        if made.incident is not None:
            raised = await commit(services.committer, made.incident, PATIENCE_SECONDS)
            if not raised.duplicate:
                INCIDENTS.labels(kind=DIFFERS).inc()
                logger.error("a notice renders differently", extra={"kind": DIFFERS})
    await _log_reading(services, wanted, document, reader)
    return document


def _make(services: Services, wanted: Wanted, actor: str) -> _Fresh | _Kept:
    """Everything before the commit, in one thread."""
    found = decrypt(services, wanted.explanation_id)
    source = source_of(services, found)
    language = wanted.language or source.words.default_language
    first = services.log.find_duplicate(_identity(wanted, language))
    if first is None:
        return _fresh(services, wanted, found, source, actor)
    return _kept(services, wanted, found, source, services.log.read(first.entry_id))


def _fresh(services: Services, wanted: Wanted, found: Decrypted, source: LetterSource, actor: str) -> _Fresh:
    language = wanted.language or source.words.default_language
    reviews = counted_now(services.log, wanted.explanation_id)
    if wanted.template == NOTICE:
        require_standing(services.log, source)
        reviews = ()  # the notice states the decision and its reasons, in the words of the form
    letter = write_letter(replace(source, reviews=reviews), wanted.template, language)
    rendered = services.renderer.render(letter, wanted.media_type)
    plain = services.renderer.render(letter, "application/json").content
    private: dict[str, JsonValue] = {
        "content": base64.b64encode(rendered.content).decode(),
        "letter": plain.decode(),
        "sha256": hashlib.sha256(rendered.content).hexdigest(),
    }
    draft = Draft(
        type=RENDERED,
        actor=actor,
        body={
            **_about(wanted, source, language),
            **({"reviews": [str(one.entry_id) for one in reviews]} if reviews else {}),
            "environment": dict(rendered.environment),
            "code_version": CODE_VERSION,
        },
        private=canonical(private),
        beside=found.beside,
        retention_class=found.entry.retention_class,
        about=wanted.explanation_id,
        idempotency=_identity(wanted, language),
    )
    overridden = replaced_now(services.log, source) is not None
    return _Fresh(draft, source, rendered.content, language, overridden)


def _kept(
    services: Services, wanted: Wanted, found: Decrypted, source: LetterSource, stored: StoredEntry
) -> _Kept:
    """Compares the bytes on record with those of today; the former are served whatever comes out."""
    if wanted.template == NOTICE and not was_sent(services.log, source):
        require_standing(services.log, source)
    language = str(stored.entry.body["language"])
    content = base64.b64decode(orjson.loads(services.log.open(stored))["content"])
    how: How = "stored"
    incident = None
    overridden = replaced_now(services.log, source) is not None
    source = replace(source, reviews=told_in(services.log, stored.entry))
    if stored.entry.body["environment"] == dict(services.renderer.environment_of(wanted.media_type)):
        again = _rendered_again(services, wanted, source, language)
        if again == content:
            how = "identical"
        else:
            incident = _incident(wanted, found, source, stored, again)
    entry_id = stored.entry.entry_id
    return _Kept(Document(content, wanted.media_type, language, how, entry_id, overridden), incident)


def _rendered_again(services: Services, wanted: Wanted, source: LetterSource, language: str) -> bytes | None:
    """The bytes of today; None where the same environment refuses today what it made then."""
    try:
        letter = write_letter(source, wanted.template, language)
        return services.renderer.render(letter, wanted.media_type).content
    except (LetterError, RenderingError):
        return None


def _incident(
    wanted: Wanted, found: Decrypted, source: LetterSource, stored: StoredEntry, again: bytes | None
) -> Draft:
    """One for each other outcome: asking again adds none."""
    other = "refused" if again is None else hashlib.sha256(again).hexdigest()
    body: dict[str, JsonValue] = {
        "kind": DIFFERS,
        **_about(wanted, source, str(stored.entry.body["language"])),
        "notice_entry_id": str(stored.entry.entry_id),
        "code_version": CODE_VERSION,
    }
    return Draft(
        type="incident.raised",
        actor="service",
        body=body,
        private=canonical({"sha256": other}),
        beside=found.beside,
        retention_class=found.entry.retention_class,
        about=wanted.explanation_id,
        idempotency=Idempotency(canonical([DIFFERS, str(stored.entry.entry_id), other]), b""),
    )


def _about(wanted: Wanted, source: LetterSource, language: str) -> dict[str, JsonValue]:
    """Which letter this is, in clear; not its digest, by which a guessed letter could be confirmed."""
    return {
        "explanation_id": str(wanted.explanation_id),
        "model": source.model,
        "version": source.version,
        "template": wanted.template,
        "language": language,
        "media_type": wanted.media_type,
    }


def _identity(wanted: Wanted, language: str) -> Idempotency:
    """One letter for each explanation, template, language and media type."""
    named = ["notice/v1", str(wanted.explanation_id), wanted.template, language, wanted.media_type]
    return Idempotency(canonical(named), b"")


async def _log_reading(services: Services, wanted: Wanted, document: Document, reader: Principal) -> None:
    """Who had which letter of whom (45 CFR 164.312(b)); which bytes, the entry says that holds them."""
    body: Mapping[str, JsonValue] = {
        "explanation_id": str(wanted.explanation_id),
        "template": wanted.template,
        "language": document.language,
        "media_type": document.media_type,
        "how": document.how,
        "notice_entry_id": str(document.entry_id),
    }
    draft = Draft(type="notice.read", actor=reader.name, body=body, about=wanted.explanation_id)
    await commit(services.committer, draft, PATIENCE_SECONDS)
