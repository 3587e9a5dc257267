"""A review, an override, a correction: appended, pointing at what it is about and at what it supersedes.

Nothing on record is changed by it (21 CFR 11.10(e)); what holds now is read from the entries in their order.
A review outlives the person's data: of an erased explanation the kind and the outcome may still be told.
"""

from __future__ import annotations

from collections.abc import Iterator
from uuid import UUID

from audit.canonical import JsonValue, canonical
from audit.entry import Draft, Entry, Idempotency
from audit.errors import EntryNotFound, PayloadErased
from records.reaching import transaction
from records.reviews import REVIEW, counted, standing
from records.subjects import key_beside
from records.tokens import Principal
from registry import store
from registry.manifests import read_stored_manifest
from schemas.review import ReviewRequest
from service.committing import PATIENCE_SECONDS, commit
from service.context import Services
from service.errors import InvalidInput, NotFound
from service.explanations.recalling import EXPLANATION
from service.explanations.record import JsonObject
from service.explanations.reviews import review_told
from service.strict_json import Flaw

_FORM = "review/v1"


async def review(
    services: Services, explanation_id: UUID, asked: ReviewRequest, principal: Principal
) -> JsonObject:
    """Appends `explanation.reviewed`; the same again returns the first. Raises `NotFound`, `InvalidInput`."""
    prepared = await services.desk.run(_prepare, services, explanation_id, asked, principal.name)
    if isinstance(prepared, Draft):
        appended = await commit(services.committer, prepared, PATIENCE_SECONDS)
        return await services.desk.run(_told, services, appended.entry_id)
    return await services.desk.run(_told, services, prepared)


def _told(services: Services, entry_id: UUID) -> JsonObject:
    return review_told(services, services.log.read(entry_id))


def _prepare(services: Services, explanation_id: UUID, asked: ReviewRequest, actor: str) -> Draft | UUID:
    """The entry that is to be appended, or the id of the one that says just this already."""
    stored = services.log.read(explanation_id)
    if stored.entry.type != EXPLANATION:
        raise NotFound("There is no explanation with this id.")
    identity = _identity(explanation_id, asked)
    first = services.log.find_duplicate(identity)
    if first is not None:
        return first.entry_id
    flaws = (*_flaws(services, stored.entry, asked), *_unkept(services, stored.entry, asked))
    if flaws:
        raise InvalidInput(flaws)
    return _draft(stored.entry, asked, actor, identity)


def _draft(entry: Entry, asked: ReviewRequest, actor: str, identity: Idempotency) -> Draft:
    body: dict[str, JsonValue] = {
        "explanation_id": str(entry.entry_id),
        "model": entry.body["model"],
        "version": entry.body["version"],
        "kind": asked.kind,
        "outcome": asked.outcome,
        "supersedes": asked.supersedes,
        "superseded_by": asked.superseded_by,
    }
    said = asked.note is not None or asked.reviewer is not None
    return Draft(
        type=REVIEW,
        actor=actor,
        body=body,
        private=canonical({"note": asked.note, "reviewer": asked.reviewer}) if said else None,
        beside=key_beside(entry) if said else None,
        retention_class=entry.retention_class,
        about=entry.entry_id,
        idempotency=identity,
    )


def _identity(explanation_id: UUID, asked: ReviewRequest) -> Idempotency:
    """One entry for each thing that is said about an explanation, whoever says it again."""
    said: list[JsonValue] = [asked.kind, asked.outcome, asked.note, asked.reviewer]
    named = [_FORM, str(explanation_id), *said, asked.supersedes, asked.superseded_by]
    return Idempotency(canonical(named), b"")


def _unkept(services: Services, entry: Entry, asked: ReviewRequest) -> Iterator[Flaw]:
    """What cannot be kept any more: words about somebody whose key is destroyed."""
    key_id = key_beside(entry)
    try:
        if key_id is not None:
            services.keystore.refuse_destroyed(key_id)
    except PayloadErased:
        pass
    else:
        return
    for name in ("note", "reviewer"):
        if getattr(asked, name) is not None:
            yield Flaw(f"/{name}", "cannot be kept: the key it would be encrypted under was destroyed")


def _flaws(services: Services, entry: Entry, asked: ReviewRequest) -> Iterator[Flaw]:
    """What is wrong with the outcome and with what is pointed at."""
    if asked.outcome is not None:
        known = _outcomes(services, entry)
        if asked.outcome not in known:
            yield Flaw("/outcome", f"is none of this model version's: {', '.join(known)}")
        elif asked.kind == "overridden" and asked.outcome == _standing(services, entry):
            yield Flaw("/outcome", "holds already: nothing is overridden")
    if asked.supersedes is not None and not _superseded(services, entry, UUID(asked.supersedes)):
        says = "must be a review of this explanation, or an earlier explanation of the same model"
        yield Flaw("/supersedes", says)
    if asked.superseded_by is not None:
        later = _of_the_model(services, entry, UUID(asked.superseded_by))
        if later is None or (later.time, later.entry_id) <= (entry.time, entry.entry_id):
            yield Flaw("/superseded_by", "must be a later explanation of the same model")


def _outcomes(services: Services, entry: Entry) -> tuple[str, str]:
    """The outcomes that the version which decided can have."""
    with transaction(services.pool) as conn:
        blob = store.read_blob(conn, str(entry.body["manifest_digest"]))
    outcome = read_stored_manifest(blob).manifest.outcome
    return outcome.adverse, outcome.favourable


def _standing(services: Services, entry: Entry) -> str:
    """The outcome that holds: by the last review that counts and names one, or else that of the decision."""
    found = services.log.about(entry.entry_id, REVIEW)
    holds = standing(counted(stored.entry for stored in found))
    return str(entry.body["outcome"]) if holds is None else holds.outcome


def _superseded(services: Services, entry: Entry, named: UUID) -> bool:
    """Whether this may be superseded from here."""
    try:
        found = services.log.read(named).entry
    except EntryNotFound:
        return False
    if found.type == REVIEW:
        return found.about == entry.entry_id
    earlier = _of_the_model(services, entry, named)
    return earlier is not None and (earlier.time, earlier.entry_id) < (entry.time, entry.entry_id)


def _of_the_model(services: Services, entry: Entry, named: UUID) -> Entry | None:
    """The explanation of this id, if there is one of the same model."""
    try:
        found = services.log.read(named).entry
    except EntryNotFound:
        return None
    same = found.type == EXPLANATION and found.body["model"] == entry.body["model"]
    return found if same else None
