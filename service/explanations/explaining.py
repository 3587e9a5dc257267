"""One decision, explained and put on record inside its budget: attribution, reasons, search, commit, answer.

Each stage has threads of its own, and waits for one no longer than what is left: reasons come first, and a
search whose turn does not come in time is deferred, never late.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial

from pydantic import Field

from audit.entry import Idempotency
from audit.errors import Conflict
from explain.components import ComponentsContradict
from explain.counterfactual.base import CounterfactualSet
from explain.deadline import Deadline
from explain.errors import AttributionUnreconciled, ReasonUnmapped
from records.tokens import Principal
from registry.loading import LoadedVersion
from registry.proposing import AskedSearch
from schemas.base import JsonScalar, Wire
from schemas.explanation import ExplanationRequest, InputName
from service.bodies import validated
from service.committing import PATIENCE_SECONDS, commit
from service.context import Services
from service.errors import CounterfactualUnavailable, DecisionMismatch, TooBusy
from service.explanations.agreeing import check_times
from service.explanations.asking import Sought
from service.explanations.finding import Finding, Question, find
from service.explanations.fingerprint import idempotency_of
from service.explanations.incidents import ExplanationWithheld, count_incident, incident
from service.explanations.recalling import Recalled, recall
from service.explanations.retrying import again, read_again
from service.explanations.searching import Passed, Stand, Turn, advance, nothing_sought, recourse_of, settled
from service.explanations.submitting import (
    Answered,
    Prepared,
    answered,
    committed,
    follow,
    submit,
)
from service.pacing import Kind
from service.strict_json import JsonValue

GIVING_UP = 0.6  # of the reserve: what is left for the record when a search does not end at its deadline


class ProtectedAttributes(Wire):
    """The one member that is taken out before anything else looks at a request."""

    protected: dict[InputName, JsonScalar] = Field(
        default_factory=dict, max_length=100, description="attributes that are never inputs, by name"
    )


@dataclass(frozen=True, slots=True, eq=False)
class Begun:
    """An explanation of which all but the counterfactuals is there.

    The search ends at `searching`, and with it the waiting for a turn. Nobody waits beyond `giving_up` for a
    search that does not end: what there is by then is put on record.
    """

    finding: Finding
    sought: Sought
    idempotency: Idempotency
    actor: str
    deadline: Deadline
    searching: Deadline
    giving_up: Deadline
    started: float


@dataclass(frozen=True, slots=True)
class Claim:
    """Who puts an explanation on record: the search that is over, or whoever gave up waiting for it.

    `begun` is set when the search has its turn.
    """

    begun: threading.Event = field(default_factory=threading.Event)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self) -> bool:
        """Whether it is the caller: the first to ask."""
        return self._lock.acquire(blocking=False)


def question_of(model: str, document: dict[str, JsonValue]) -> Question:
    """Splits the protected attributes off, then checks the rest; of the former only the names go on."""
    rest = {name: value for name, value in document.items() if name != "protected"}
    protected: tuple[str, ...] = ()
    if "protected" in document:
        given = validated({"protected": document["protected"]}, ProtectedAttributes)
        protected = tuple(given.protected)
    return Question(model, validated(rest, ExplanationRequest), protected)


async def explain(services: Services, question: Question, principal: Principal, started: float) -> Answered:
    """Explains one decision, or returns its first answer, which then is a reading of it.

    `started` is when the request arrived, on the monotonic clock: the budget counts from there. Whatever may
    not leave raises, after its incident is committed.
    """
    deadline = Deadline(question.request.budget_ms, started)
    try:
        begun = await services.hot.run(_begin, services, question, principal.name, deadline)
        prepared = await _searched(services, begun) if isinstance(begun, Begun) else begun
    except ExplanationWithheld as withheld:
        await record_incident(services, withheld)
        raise withheld.cause from None
    if isinstance(prepared, Recalled):
        return await read_again(services, again(prepared, question), principal.name, deadline)
    appended = await committed(services, prepared)
    if appended.duplicate:  # an identical request was faster
        first = await services.desk.run(recall, services, appended.entry_id)
        return await read_again(services, again(first, question), principal.name, deadline)
    await follow(services, prepared, appended)
    return answered(services, prepared, appended)


async def record_incident(services: Services, withheld: ExplanationWithheld) -> None:
    """Puts on record that an explanation may not leave, before its caller is told."""
    raised = await commit(services.committer, withheld.incident, PATIENCE_SECONDS)
    withheld.name_incident(raised.entry_id)
    count_incident(withheld)


def _begin(
    services: Services, question: Question, actor: str, deadline: Deadline
) -> Begun | Prepared | Recalled:
    """Everything up to the reasons, in one thread; up to the commit, where nothing will be looked for."""
    idempotency = idempotency_of(question.model, question.request)
    first = recorded(services, idempotency)
    if first is not None:
        return first
    check_times(question.request, services.clock.now())
    loaded = services.versions.get(question.model, question.request.version)
    with withholding(loaded, question, actor):
        finding = find(loaded, question)
    now = time.monotonic()
    if finding.sought is None:
        recourse = nothing_sought(finding)
        return submit(services, finding, recourse, idempotency, actor=actor, deadline=deadline, searched=now)
    reserve = services.reserve.milliseconds(deadline.budget_ms)
    begun = Begun(
        finding,
        finding.sought,
        idempotency,
        actor,
        deadline,
        searching=deadline.keeping(reserve),
        giving_up=deadline.keeping(GIVING_UP * reserve),
        started=now,
    )
    if begun.searching.expired:  # nothing is left to search in, and every further thread would cost time
        return _settle(services, begun, Stand(begun.sought.methods))
    return begun


async def _searched(services: Services, begun: Begun) -> Prepared:
    """Asks one method after the other, until it is over; the record follows in the last one's thread."""
    loaded, sought = begun.finding.loaded, begun.sought
    stand = Stand(sought.methods)
    while True:
        turn = await _turn(services, begun, stand)
        if isinstance(turn, Prepared):
            return turn
        asked = AskedSearch(turn.left[0], sought.narrowing, sought.aim)
        started = time.monotonic()
        found = await services.proposer.propose(loaded, sought.problem, asked, begun.searching)
        if found.effort.state != "unavailable":
            finished = found.effort.state == "finished"
            services.pace.observe(_kind(begun, asked.method), time.monotonic() - started, finished=finished)
        stand = turn.told(found, begun.searching)


async def _turn(services: Services, begun: Begun, stand: Stand) -> Stand | Prepared:
    """A search thread's turn, if it comes in time; where it does not, the record goes without it."""
    claim = Claim()
    try:
        turn = services.seek.begin(_advance, services, begun, stand, claim)
    except TooBusy:
        return await services.hot.run(_settle, services, begun, stand)
    patience = begun.searching if stand.unread is None else begun.giving_up
    await asyncio.wait({turn}, timeout=patience.remaining_seconds())
    if not turn.done() and claim.begun.is_set():
        await asyncio.wait({turn}, timeout=begun.giving_up.remaining_seconds())
    if turn.done() or not claim.take():
        return await turn
    turn.cancel()  # not begun, it never begins; begun, it ends at its deadline and nobody reads it
    return await services.hot.run(_settle, services, begun, stand)


def _advance(services: Services, begun: Begun, stand: Stand, claim: Claim) -> Stand | Prepared:
    claim.begun.set()
    searching = Turn.of(begun.searching, lambda: services.seek.waiting > 0)
    stand = advance(begun.finding, begun.sought, stand, searching, partial(_passed, services, begun))
    if stand.concluded is None or not stand.over(begun.sought) or not claim.take():
        return stand
    return _submitted(services, begun, stand.concluded, stand.ended)


def _passed(services: Services, begun: Begun, method: str) -> Passed | None:
    """What becomes of a method of the counterfactual server that is not asked.

    Of a search that is stopped nothing is kept: one that will be is not begun, whoever named it; but where
    one is required, all are tried.
    """
    if not services.proposer.configured:
        return "unavailable"
    left = begun.searching.remaining_seconds()
    worth = begun.sought.required or services.pace.hopeful(_kind(begun, method), left)
    return None if worth else "stopped"


def _kind(begun: Begun, method: str) -> Kind:
    return begun.finding.loaded.manifest_digest, method


def _settle(services: Services, begun: Begun, stand: Stand) -> Prepared:
    gave_up = time.monotonic()
    return _submitted(services, begun, settled(begun.finding, begun.sought, stand), gave_up)


def _submitted(services: Services, begun: Begun, found: CounterfactualSet, searched: float) -> Prepared:
    finding = begun.finding
    with withholding(finding.loaded, finding.question, begun.actor):
        recourse = recourse_of(begun.sought, found, begun.started, services.clock.now())
    return submit(
        services,
        finding,
        recourse,
        begun.idempotency,
        actor=begun.actor,
        deadline=begun.deadline,
        searched=searched,
    )


def recorded(services: Services, idempotency: Idempotency) -> Recalled | None:
    """The answer that is on record already; raises `Conflict` where it is one to another question."""
    first = services.log.find_duplicate(idempotency)
    if isinstance(first, Conflict):
        raise first
    return None if first is None else recall(services, first.entry_id)


@contextmanager
def withholding(loaded: LoadedVersion, question: Question, actor: str) -> Iterator[None]:
    """Makes what may not leave an incident that is still to be put on record."""
    try:
        yield
    except (
        AttributionUnreconciled,
        ReasonUnmapped,
        DecisionMismatch,
        ComponentsContradict,
        CounterfactualUnavailable,
    ) as cause:
        raise ExplanationWithheld(cause, incident(loaded, question, actor, cause)) from None
