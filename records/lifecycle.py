"""One notice from the decision to its end, read out of the clear part of the log's entries.

The same reading serves whoever records a step (is a notice owed, was it sent?) and the projection that lists
what is overdue; so they cannot disagree. The order of the entries does not matter.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, cast
from uuid import UUID

from audit.entry import Entry
from records.clocks import Clock, ClockName, counteroffer_clock, reasons_clock
from records.reviews import REVIEW, Replaced, replaced

CREATED = "explanation.created"
RENDERED = "notice.rendered"
SENT = "notice.sent"
RESPONSE = "notice.response"
STEPS = (RENDERED, SENT, RESPONSE, REVIEW)
"""What follows a decision and bears on its notice."""
NOTICE = "adverse_action"
"""The template of the notice that is owed."""

Answers = Literal["decision", "counteroffer_lapsed", "reasons_requested"]
"""What a notice that was sent answers: the decision itself, or a clock that started after its notice."""

SentTemplate = Literal["adverse_action", "other"]
ResponseKind = Literal["counteroffer_accepted", "reasons_requested"]


@dataclass(frozen=True, slots=True)
class Sending:
    """A notice that was sent; `template` is `other` for a letter of the sender's own."""

    answers: Answers
    sent_at: datetime
    channel: str
    template: SentTemplate


@dataclass(frozen=True, slots=True)
class Answer:
    """What the applicant answered to a notice."""

    response: ResponseKind
    at: datetime


@dataclass(frozen=True, slots=True)
class NoticeState:
    """What has happened to one notice; `clock` is that of the decision's own notice.

    `overridden` is what holds today where the decision no longer does.
    """

    explanation_id: UUID
    model: str
    version: str
    action: str | None
    recorded_at: datetime
    clock: Clock
    blocked: bool
    first_rendered_at: datetime | None
    sendings: tuple[Sending, ...]
    answers: tuple[Answer, ...]
    overridden: Replaced | None = None

    def sending(self, answers: Answers) -> Sending | None:
        """The notice that was sent for this."""
        return next((one for one in self.sendings if one.answers == answers), None)

    def answered(self, response: ResponseKind) -> Answer | None:
        """The applicant's answer of this kind."""
        return next((one for one in self.answers if one.response == response), None)

    @property
    def started(self) -> tuple[Clock, ...]:
        """Every clock that ever started, stopped or not, the decision's own first."""
        first = self.sending("decision")
        if first is None:
            return (self.clock,)
        asked = self.answered("reasons_requested")
        later = (
            counteroffer_after(self.action, first),
            None if asked is None else reasons_clock(first.sent_at, asked.at),
        )
        return (self.clock, *(clock for clock in later if clock is not None))

    @property
    def unanswered(self) -> tuple[Clock, ...]:
        """The clocks that no notice and no answer has stopped, the one that runs out first in front."""
        own, *later = self.started
        open_ones = [clock for clock in later if not self._stopped(clock)]
        if self.sending("decision") is None:
            open_ones.append(own)
        return tuple(sorted(open_ones, key=lambda clock: (clock.due_at is None, clock.due_at)))

    @property
    def running(self) -> tuple[Clock, ...]:
        """The clocks that nothing has stopped, the one that runs out first in front."""
        return tuple(clock for clock in self.unanswered if not self._ended(clock))

    def _ended(self, clock: Clock) -> bool:
        """Whether the decision held no longer when this clock ran out, and has not held since.

        Too late it ends none: a notice that was owed then was missed. Nor does it where no day is known, nor
        for reasons that an applicant asked for.
        """
        holds = self.overridden
        if holds is None or clock.due_at is None or clock.name == "reasons_requested":
            return False
        return holds.since <= clock.due_at

    def _stopped(self, clock: Clock) -> bool:
        if self.sending(cast("Answers", clock.name)) is not None:
            return True
        accepted = self.answered("counteroffer_accepted")
        in_time = accepted is not None and (clock.due_at is None or accepted.at <= clock.due_at)
        return clock.name == "counteroffer_lapsed" and in_time

    @property
    def closed_at(self) -> datetime | None:
        """When the last clock stopped; None while one runs."""
        if self.running:
            return None
        accepted = self.answered("counteroffer_accepted")
        ended = [one.sent_at for one in self.sendings]
        if self.overridden is not None and self.unanswered:
            ended.append(self.overridden.since)
        stopped = accepted is not None and any(one.name == "counteroffer_lapsed" for one in self.started)
        return max([*ended, accepted.at] if accepted is not None and stopped else ended)


def counteroffer_after(action: str | None, sent: Sending) -> Clock | None:
    """The 90-day clock that a counteroffer starts when it is sent, or None.

    Our own letter is the combined one of form C-4: counteroffer and denial with its reasons. No second notice
    is owed after it (12 CFR 1002.9, comment 9(a)(1)-6). After a letter of the creditor's own, of which nobody
    here knows whether it denies, the notice of 1002.9(a)(1)(iv) stays owed.
    """
    if action != "counteroffer" or sent.template == "adverse_action":
        return None
    return counteroffer_clock(sent.sent_at)


def read_history(entries: Iterable[Entry]) -> NoticeState | None:
    """What an explanation's entry and the entries about its notice lead to; None if no notice is owed."""
    in_order = sorted(entries, key=lambda entry: (entry.time, entry.entry_id))
    created = next((entry for entry in in_order if entry.type == CREATED), None)
    if created is None or not created.body.get("notice_clock"):
        return None
    body, outcome = created.body, created.body.get("outcome")
    rendered = [entry.time for entry in in_order if _is_notice(entry)]
    return NoticeState(
        explanation_id=created.entry_id,
        model=str(body["model"]),
        version=str(body["version"]),
        action=cast("str | None", body.get("action")),
        recorded_at=created.time,
        clock=Clock(cast("ClockName", body["notice_clock"]), _moment(body, "notice_due_at")),
        blocked=bool(body.get("notice_blocked")),
        first_rendered_at=rendered[0] if rendered else None,
        sendings=tuple(_sending(entry.body) for entry in in_order if entry.type == SENT),
        answers=tuple(_answer(entry.body) for entry in in_order if entry.type == RESPONSE),
        overridden=replaced(outcome, in_order) if isinstance(outcome, str) else None,
    )


def _is_notice(entry: Entry) -> bool:
    """Whether this is a rendering of the notice itself; the letter of explanation is another one."""
    return entry.type == RENDERED and entry.body.get("template") == NOTICE


def _sending(body: Mapping[str, object]) -> Sending:
    return Sending(
        answers=cast("Answers", body["answers"]),
        sent_at=datetime.fromisoformat(str(body["sent_at"])),
        channel=str(body["channel"]),
        template=cast("SentTemplate", body["template"]),
    )


def _answer(body: Mapping[str, object]) -> Answer:
    return Answer(cast("ResponseKind", body["response"]), datetime.fromisoformat(str(body["at"])))


def _moment(body: Mapping[str, object], name: str) -> datetime | None:
    found = body.get(name)
    return None if found is None else datetime.fromisoformat(str(found))
