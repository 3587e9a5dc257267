"""A review, an override, a correction: appended, pointing at what it is about and at what it supersedes.

Nothing on record is changed by it (21 CFR 11.10(e)); what holds now is read from the entries in their order.
A review outlives the person's data: of an erased explanation the kind and the outcome may still be told.

Reviews of one decision are numbered by their idempotency keys: of two at once the second is looked at again,
beside what the first one says. So nothing is superseded twice, and no override meets an outcome that changed
under it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from uuid import UUID

from audit.canonical import JsonValue, canonical
from audit.entry import Draft, Entry, Idempotency
from audit.errors import Conflict, PayloadErased
from audit.log import StoredEntry
from records.reaching import transaction
from records.reviews import REVIEW, CountedReview, counted, standing
from records.subjects import key_beside
from records.tokens import Principal
from registry import store
from registry.manifests import read_stored_manifest
from schemas.manifest import Manifest
from schemas.review import ReviewRequest
from service.committing import PATIENCE_SECONDS, commit
from service.context import Services
from service.errors import InvalidInput, NotFound, OverrideWithoutReasons, TooBusy
from service.explanations.recalling import EXPLANATION
from service.explanations.record import JsonObject
from service.explanations.reviews import review_told
from service.explanations.superseding import (
    favourable_of,
    made_again_flaw,
    reasons_flaw,
    relied_on_flaw,
    reviews_about,
    superseded_by_flaw,
    supersedes_flaw,
)
from service.strict_json import Flaw

_FORM = "review/v2"
_TURNS = 12  # so many reviews of one decision at once each get their turn


async def review(
    services: Services, explanation_id: UUID, asked: ReviewRequest, principal: Principal
) -> JsonObject:
    """Appends `explanation.reviewed`; the same again returns the first.

    Raises `NotFound`, `InvalidInput`, `OverrideWithoutReasons`, or `TooBusy` where others are always faster.
    """
    for _ in range(_TURNS):
        prepared = await services.desk.run(_prepare, services, explanation_id, asked, principal.name)
        if not isinstance(prepared, Draft):
            return await services.desk.run(_told, services, prepared)
        try:
            appended = await commit(services.committer, prepared, PATIENCE_SECONDS)
        except Conflict:  # another review was faster, and what it says counts
            continue
        return await services.desk.run(_told, services, appended.entry_id)
    raise TooBusy("Other reviews of this decision are being put on record.", retry_after_seconds=1)


def _told(services: Services, entry_id: UUID) -> JsonObject:
    return review_told(services, services.log.read(entry_id))


def _prepare(services: Services, explanation_id: UUID, asked: ReviewRequest, actor: str) -> Draft | UUID:
    """The entry that is to be appended, or the id of the one that says just this already."""
    stored = services.log.read(explanation_id)
    if stored.entry.type != EXPLANATION:
        raise NotFound("There is no explanation with this id.")
    manifest = _manifest(services, stored.entry)
    asked = _with_outcome(services, asked, manifest)
    told = reviews_about(services, explanation_id)
    reviews = [one.entry for one in told if one.entry.body.get("kind") != "requested"]
    draft = _draft(stored.entry, asked, actor, len(reviews))
    first = next((one.entry.entry_id for one in _in_force(told) if _says(services, one, draft)), None)
    if first is not None:
        return first
    flaws = (*_flaws(services, stored, asked, reviews, manifest), *_unkept(services, stored.entry, asked))
    if flaws:
        raise InvalidInput(flaws)
    if manifest.profile == "lending" and asked.outcome == manifest.outcome.adverse:
        _require_reasons(services, stored, asked, reviews, manifest)
    return draft


def _with_outcome(services: Services, asked: ReviewRequest, manifest: Manifest) -> ReviewRequest:
    """What is asked, with the outcome of the decision made again where only that decision is named.

    It is written down: who reads the review needs no second entry to tell what holds.
    """
    if asked.outcome is not None or asked.superseded_by is None:
        return asked
    favourable = favourable_of(services, UUID(asked.superseded_by))
    if favourable is None:  # no explanation: refused at its pointer
        return asked
    words = manifest.outcome
    return asked.model_copy(update={"outcome": words.favourable if favourable else words.adverse})


def _draft(entry: Entry, asked: ReviewRequest, actor: str, number: int) -> Draft:
    """The entry; `number` is how many reviews come before it, requests for one left out."""
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
    content = canonical(
        [asked.kind, asked.outcome, asked.note, asked.reviewer, asked.supersedes, asked.superseded_by]
    )
    place: JsonValue = content.decode() if asked.kind == "requested" else number
    return Draft(
        type=REVIEW,
        actor=actor,
        body=body,
        private=canonical({"note": asked.note, "reviewer": asked.reviewer}) if said else None,
        beside=key_beside(entry) if said else None,
        retention_class=entry.retention_class,
        about=entry.entry_id,
        idempotency=Idempotency(canonical([_FORM, str(entry.entry_id), place]), content),
    )


def _in_force(told: Sequence[StoredEntry]) -> list[StoredEntry]:
    """Those of the reviews that the same again adds nothing to.

    A request, whichever came after it; of what people decided only what counts, and of what names an outcome
    only what that outcome holds by: said again after another one, it is to hold again.
    """
    left = counted(one.entry for one in told)
    holds = standing(left)
    held = {one.entry_id for one in left if one.outcome is None}
    if holds is not None:
        held.add(holds.entry_id)
    return [one for one in told if one.entry.body.get("kind") == "requested" or one.entry.entry_id in held]


def _says(services: Services, stored: StoredEntry, draft: Draft) -> bool:
    """Whether a review on record says just this, whoever said it."""
    if dict(stored.entry.body) != dict(draft.body):
        return False
    try:
        return services.log.open(stored) == (draft.private or b"")
    except PayloadErased:
        return False


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


def _flaws(
    services: Services,
    stored: StoredEntry,
    asked: ReviewRequest,
    reviews: Sequence[Entry],
    manifest: Manifest,
) -> Iterator[Flaw]:
    """What is wrong with the outcome and with what is pointed at."""
    known = (manifest.outcome.adverse, manifest.outcome.favourable)
    favourable = None if asked.outcome is None else asked.outcome == manifest.outcome.favourable
    if asked.outcome is not None and asked.outcome not in known:
        yield Flaw("/outcome", f"is none of this model version's: {', '.join(known)}")
    elif asked.kind == "overridden" and asked.outcome == _before(stored.entry, asked, reviews):
        yield Flaw("/outcome", "holds already: nothing is overridden")
    else:
        yield from _clashes(services, stored.entry, asked, reviews, favourable)
    if asked.supersedes is not None:
        said = supersedes_flaw(services, stored, reviews, UUID(asked.supersedes), asked.superseded_by)
        if said is not None:
            yield Flaw("/supersedes", said)
    if asked.superseded_by is not None:
        left = _left(asked, reviews)
        said = superseded_by_flaw(services, stored, left, UUID(asked.superseded_by), favourable)
        if said is not None:
            yield Flaw("/superseded_by", said)


def _clashes(
    services: Services,
    entry: Entry,
    asked: ReviewRequest,
    reviews: Sequence[Entry],
    favourable: bool | None,
) -> Iterator[Flaw]:
    """Where two decisions that are one would hold with two outcomes: a notice would tell the wrong one.

    What changes nothing may be said of those that do already.
    """
    now = standing(counted(reviews))
    before = str(entry.body["outcome"]) if now is None else now.outcome
    after = asked.outcome or _before(entry, asked, reviews)
    if after not in (entry.body["outcome"], before):
        said = relied_on_flaw(services, entry)
        if said is not None:
            named = "outcome" if asked.outcome is not None else "supersedes"
            yield Flaw("/superseded_by" if asked.superseded_by is not None else f"/{named}", said)
    if favourable is not None and asked.superseded_by is None:
        said = made_again_flaw(services, _left(asked, reviews), favourable)
        if said is not None:
            yield Flaw("/outcome", said)


def _left(asked: ReviewRequest, reviews: Sequence[Entry]) -> list[CountedReview]:
    """The reviews that go on counting beside what is asked."""
    return [one for one in counted(reviews) if str(one.entry_id) != asked.supersedes]


def _require_reasons(
    services: Services,
    stored: StoredEntry,
    asked: ReviewRequest,
    reviews: Sequence[Entry],
    manifest: Manifest,
) -> None:
    """Raise where an adverse outcome would come to hold without reasons on record (12 CFR 1002.9(a)(2)).

    Where the adverse outcome holds already, or holds again because what overrode it is superseded, they are.
    """
    if _before(stored.entry, asked, reviews) == manifest.outcome.adverse and asked.superseded_by is None:
        return
    if asked.superseded_by is None:
        raise OverrideWithoutReasons(
            "must name the explanation of the decision that was taken, with its reasons"
        )
    said = reasons_flaw(services, stored, UUID(asked.superseded_by))
    if said is not None:
        raise OverrideWithoutReasons(said)


def _before(entry: Entry, asked: ReviewRequest, reviews: Sequence[Entry]) -> str:
    """The outcome that holds without what is asked, once what it supersedes counts no more."""
    holds = standing(_left(asked, reviews))
    return str(entry.body["outcome"]) if holds is None else holds.outcome


def _manifest(services: Services, entry: Entry) -> Manifest:
    """The manifest of the version which decided."""
    with transaction(services.pool) as conn:
        blob = store.read_blob(conn, str(entry.body["manifest_digest"]))
    return read_stored_manifest(blob).manifest
