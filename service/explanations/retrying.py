"""A decision sent again: its first answer once more, a reading that is on record before it is answered."""

from __future__ import annotations

import time
from dataclasses import dataclass
from uuid import UUID

from explain.deadline import Deadline
from service.committing import PATIENCE_SECONDS, outcome
from service.context import Services
from service.errors import DecisionConflict
from service.explanations.finding import Question
from service.explanations.reading import reading_of
from service.explanations.recalling import Recalled
from service.explanations.record import JsonObject
from service.explanations.submitting import Answered

RETRY = "retry"


@dataclass(frozen=True, slots=True)
class Again:
    """A first answer that may be given once more."""

    explanation_id: UUID
    body: JsonObject


def again(first: Recalled, question: Question) -> Again:
    """The first answer, for the same question.

    Raises `DecisionConflict` where this one asks for another version than the one that gave the answer.
    """
    asked = question.request.version
    if asked is not None and asked != first.body["version"]:
        raise DecisionConflict("This decision is on record as decided by another version.")
    return Again(first.entry.entry_id, first.body)


async def read_again(services: Services, made: Again, actor: str, deadline: Deadline) -> Answered:
    """The first answer, once it is on record who gets it again (45 CFR 164.312(b)).

    Waits as long as a new explanation would, then raises `StillCommitting`; `late` is of this call. What is
    asked for in one turn of the event loop goes into one transaction, as far as it takes so many.
    """
    ended = list[float]()
    reading = services.committer.submit(reading_of(made.explanation_id, actor, RETRY))
    reading.add_done_callback(lambda _: ended.append(time.monotonic()))
    await outcome(reading, deadline.remaining_seconds() + PATIENCE_SECONDS)
    took_ms = 1e3 * (ended[-1] - deadline.started)
    return Answered({**made.body, "late": took_ms >= deadline.budget_ms}, None)
