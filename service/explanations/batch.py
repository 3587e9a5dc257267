"""A batch of decisions on its way: how it is read, and what all of its stages have in common."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice

from audit.entry import Appended, Idempotency
from explain.deadline import Deadline
from explain.features import Instance
from records.reaching import reaching
from registry.loading import LoadedVersion
from service.context import Services
from service.errors import BatchTooLarge, InvalidInput
from service.executor import BoundedExecutor
from service.explanations.asking import Sought
from service.explanations.finding import Finding, Question
from service.explanations.retrying import Again
from service.explanations.searching import Recourse
from service.explanations.submitting import Answered, Prepared, submit
from service.strict_json import Flaw, JsonValue, read_json

CHUNK_SECONDS = 0.03  # how long a chunk should hold its thread
FIRST_CHUNK = 8


@dataclass(slots=True)
class Row:
    """One decision of a batch, and how far it is: a question, then what it became, then its answer.

    `deadline` is set where it lost against an equal one: its budget runs on while it asks for that answer.
    """

    number: int
    document: JsonValue
    question: Question | None = None
    idempotency: Idempotency | None = None
    loaded: LoadedVersion | None = None
    instance: Instance | None = None
    sought: Sought | None = None
    finding: Finding | None = None
    became: Prepared | Again | Answered | Exception | None = None
    appended: Appended | None = None
    deadline: Deadline | None = None
    written: bytes = b""


@dataclass(slots=True)
class Batch:
    """One batch on its way; `instance` is the name of the request that brought it."""

    services: Services
    model: str
    actor: str
    instance: str
    rows: list[Row]
    size: int = FIRST_CHUNK
    unreachable: Exception | None = None
    waiting: Iterator[Row] = field(init=False)

    def __post_init__(self) -> None:
        self.waiting = iter(self.rows)

    def chunk(self) -> list[Row]:
        """The next rows to be worked on; none when all were."""
        return list(islice(self.waiting, self.size))


def read_batch(raw: bytes, limit: int) -> list[JsonValue]:
    """The decisions as they came; raises `InvalidJson`, `InvalidInput` or `BatchTooLarge`."""
    document = read_json(raw)
    if not isinstance(document, dict):
        raise InvalidInput((Flaw("", "must be an object"),))
    flaws = [Flaw(f"/{name}", "is not a known field") for name in sorted(document) if name != "decisions"]
    decisions = document.get("decisions")
    if not isinstance(decisions, list) or not decisions:
        flaws.append(Flaw("/decisions", "must be an array of at least one explanation request"))
    if flaws or not isinstance(decisions, list):
        raise InvalidInput(tuple(flaws))
    if len(decisions) > limit:
        raise BatchTooLarge(f"The batch has {len(decisions)} decisions; at most {limit} are taken.")
    return decisions


Step = Callable[[Batch, list[Row]], None]


async def run_step(executor: BoundedExecutor, step: Step, batch: Batch, chunk: list[Row]) -> None:
    """Takes one step of a chunk in a thread; where there is none to be had, that is every row's answer."""
    try:
        await executor.run(step, batch, chunk)
    except Exception as error:  # noqa: BLE001 - each row is answered, whatever happens to its chunk
        for row in chunk:
            row.became = error


def submit_row(
    batch: Batch, row: Row, recourse: Recourse, searched: float, deadline: Deadline | None = None
) -> None:
    """Hands the row's entry over; its budget begins as `deadline_of` says where it has not begun yet."""
    assert row.finding is not None and row.idempotency is not None  # noqa: S101, PT018  from _read
    row.became = submit(
        batch.services,
        row.finding,
        recourse,
        row.idempotency,
        actor=batch.actor,
        deadline=deadline or deadline_of(row.finding),
        searched=searched,
    )


def deadline_again(row: Row) -> Deadline:
    """The budget of a row that gets its first answer again; from now on where it was on record already."""
    assert row.question is not None  # noqa: S101  from _read
    return row.deadline or Deadline(row.question.request.budget_ms, time.monotonic())


def deadline_of(finding: Finding) -> Deadline:
    """The row's budget counts from when its own work started: what it took so far has passed."""
    spent = (finding.attribution_ms + finding.reasons_ms) / 1e3
    return Deadline(finding.question.request.budget_ms, time.monotonic() - spent)


@contextmanager
def answering(row: Row) -> Iterator[None]:
    """Whatever goes wrong with one decision is its own answer."""
    try:
        with reaching():
            yield
    except Exception as error:  # noqa: BLE001 - the row's answer names it, or calls it internal
        row.became = error
