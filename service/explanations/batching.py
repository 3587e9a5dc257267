"""Many decisions in one call: each is read, explained, recorded and answered as if it had come alone.

Decisions are worked on in chunks that hold a hot thread for a few hundredths of a second, so that single
requests get their turn between them. Inside a chunk one native call and one kernel call attribute all rows;
while the entries of one chunk are committed, together with everybody else's, the next is worked on.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice

from audit.entry import Appended, Idempotency
from audit.errors import AuditUnavailable
from explain.deadline import Deadline
from explain.features import Instance
from records.reaching import RecordsUnavailable
from registry.loading import LoadedVersion
from runtime.metrics import EXPLANATIONS
from service.bodies import json_bytes
from service.context import Services
from service.errors import BatchTooLarge, InvalidInput, StillCommitting
from service.executor import BoundedExecutor
from service.explanations.agreeing import check_times
from service.explanations.explaining import (
    Answered,
    Prepared,
    answered,
    committed,
    first_answer,
    observe_stages,
    question_of,
    record_incident,
    recorded,
    searching,
    submit,
    withholding,
)
from service.explanations.finding import Attributed, Question, attribute_all, conclude, instance_of
from service.explanations.fingerprint import idempotency_of
from service.explanations.incidents import ExplanationWithheld
from service.explanations.recalling import recall
from service.problems import document_of, problem_of
from service.strict_json import Flaw, JsonValue, read_json

logger = logging.getLogger(__name__)

CHUNK_SECONDS = 0.03  # how long a chunk should hold its thread; one long search may hold it longer
FIRST_CHUNK, LARGEST_CHUNK = 8, 128
TOGETHER = 4  # on a busy machine every row seems slow; apart they would only be slower
_UNREACHABLE = (AuditUnavailable, RecordsUnavailable, StillCommitting)


@dataclass(slots=True)
class _Row:
    """One decision of a batch, and how far it is: a question, then what it became, then its answer."""

    number: int
    document: JsonValue
    question: Question | None = None
    idempotency: Idempotency | None = None
    loaded: LoadedVersion | None = None
    instance: Instance | None = None
    became: Prepared | Answered | Exception | None = None
    appended: Appended | None = None
    written: bytes = b""


@dataclass(slots=True)
class Batch:
    """One batch on its way; `instance` is the name of the request that brought it."""

    services: Services
    model: str
    actor: str
    instance: str
    rows: list[_Row]
    size: int = FIRST_CHUNK
    unreachable: Exception | None = None
    waiting: Iterator[_Row] = field(init=False)

    def __post_init__(self) -> None:
        self.waiting = iter(self.rows)


Step = Callable[[Batch, list[_Row]], None]


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


async def explain_batch(
    services: Services, model: str, decisions: Sequence[JsonValue], actor: str, instance: str
) -> bytes:
    """Answers every decision, in order; the whole answer as bytes.

    Each row's budget counts from when its own work starts. A row that fails has its problem and its status;
    the others know nothing of it.
    """
    rows = [_Row(number, document) for number, document in enumerate(decisions)]
    batch = Batch(services, model, actor, instance, rows)
    lanes = max(1, services.settings.threads // 2)
    await asyncio.gather(*(_lane(batch) for _ in range(lanes)))
    return b'{"answers":[' + b",".join(row.written for row in rows) + b"]}"


async def _lane(batch: Batch) -> None:
    """Works on one chunk after the other; each is finished while the next is worked on."""
    async with asyncio.TaskGroup() as finishing:
        before: asyncio.Task[None] | None = None
        while chunk := _next(batch):
            await _run(batch.services.hot, _work, batch, chunk)
            if before is not None:
                await before  # so that no more than two chunks wait for the record
            before = finishing.create_task(_finish(batch, chunk))


def _next(batch: Batch) -> list[_Row]:
    return list(islice(batch.waiting, batch.size))


async def _run(executor: BoundedExecutor, step: Step, batch: Batch, chunk: list[_Row]) -> None:
    """Takes one step of a chunk in a thread; where there is none to be had, that is every row's answer."""
    try:
        await executor.run(step, batch, chunk)
    except Exception as error:  # noqa: BLE001 - each row is answered, whatever happens to its chunk
        for row in chunk:
            row.became = error


def _work(batch: Batch, chunk: list[_Row]) -> None:
    """Everything between the decisions and their commit, in one thread."""
    started = time.monotonic()
    versions: dict[str | None, LoadedVersion] = {}
    for row in chunk:
        with _answering(row):
            _read(batch, row, versions)
    for loaded in dict.fromkeys(versions.values()):
        of_version = [row for row in chunk if row.became is None and row.loaded is loaded]
        _explain(batch, loaded, of_version)
    batch.size = _next_size(len(chunk), (time.monotonic() - started) / len(chunk))


def _next_size(size: int, seconds: float) -> int:
    """How many rows come next, when so many took so many seconds each: together where rows are quick."""
    fewest = TOGETHER if seconds < CHUNK_SECONDS else 1
    return max(fewest, min(LARGEST_CHUNK, 4 * size, int(CHUNK_SECONDS / max(seconds, 1e-6))))


def _read(batch: Batch, row: _Row, versions: dict[str | None, LoadedVersion]) -> None:
    """One decision up to the row of numbers that is explained, or up to the answer that it has already."""
    if batch.unreachable is not None:
        raise batch.unreachable
    document, row.document = row.document, None
    if not isinstance(document, dict):
        raise InvalidInput((Flaw("", "must be an object"),))
    row.question = question = question_of(batch.model, document)
    row.idempotency = idempotency_of(batch.model, question.request)
    first = recorded(batch.services, row.idempotency)
    if first is not None:
        row.became = first_answer(first, question)
        return
    check_times(question.request, batch.services.clock.now())
    wanted = question.request.version
    if wanted not in versions:
        versions[wanted] = batch.services.versions.get(batch.model, wanted)
    row.loaded = versions[wanted]
    row.instance = instance_of(row.loaded, question)


def _explain(batch: Batch, loaded: LoadedVersion, rows: list[_Row]) -> None:
    """Attributes all rows of one version at once, then concludes and submits each by itself."""
    try:
        made = attribute_all(loaded, [row.instance for row in rows if row.instance is not None])
    except Exception as error:  # noqa: BLE001 - the answer of these rows, and of no others of the chunk
        for row in rows:
            row.became = error
        return
    for row, attributed in zip(rows, made, strict=True):
        with _answering(row):
            assert row.question is not None and row.instance is not None  # noqa: S101, PT018  from _read
            assert row.idempotency is not None  # noqa: S101  likewise
            shared = attributed.milliseconds / 1e3 if isinstance(attributed, Attributed) else 0.0
            deadline = Deadline(row.question.request.budget_ms, time.monotonic() - shared)
            with withholding(loaded, row.question, batch.actor):
                finding = conclude(loaded, row.question, row.instance, attributed, searching(deadline))
            row.became = submit(batch.services, finding, row.idempotency, batch.actor, deadline)


async def _finish(batch: Batch, chunk: list[_Row]) -> None:
    """Waits for the record of every row, and writes the answers."""
    await asyncio.gather(*(_settle(batch, row) for row in chunk))
    failures = [row.became for row in chunk if isinstance(row.became, _UNREACHABLE)]
    if len(failures) == len(chunk):
        batch.unreachable = failures[-1]
    await _run(batch.services.desk, _write, batch, chunk)
    for row in chunk:
        row.written = row.written or _problem(batch, row)


async def _settle(batch: Batch, row: _Row) -> None:
    with _answering(row):
        if isinstance(row.became, Prepared):
            row.appended = await committed(batch.services, row.became)
        elif isinstance(row.became, ExplanationWithheld):
            await record_incident(batch.services, row.became)
            row.became = row.became.cause


def _write(batch: Batch, chunk: list[_Row]) -> None:
    """Makes every explanation that is on record into the bytes of its answer."""
    for row in chunk:
        with _answering(row):
            if (made := _answer(batch, row)) is not None:
                row.written = json_bytes({"status": 201, "explanation": made.body, "problem": None})
                EXPLANATIONS.labels(status="201").inc()
                observe_stages(made)


def _answer(batch: Batch, row: _Row) -> Answered | None:
    if isinstance(row.became, Answered):
        return row.became
    if not isinstance(row.became, Prepared) or row.appended is None or row.question is None:
        return None
    if row.appended.duplicate:  # of another row of this batch, or of a request that was faster
        return first_answer(recall(batch.services, row.appended.entry_id), row.question)
    return answered(batch.services, row.became, row.appended)


def _problem(batch: Batch, row: _Row) -> bytes:
    """The answer of a row that has no explanation: what it would have been told alone."""
    error = row.became if isinstance(row.became, Exception) else StillCommitting()
    problem = problem_of(error)
    if problem.kind.status >= 500:
        unforeseen = error if problem.kind.unexpected else None
        logger.error("a decision of a batch failed", exc_info=unforeseen, extra={"kind": problem.kind.name})
    EXPLANATIONS.labels(status=str(problem.kind.status)).inc()
    document = document_of(problem, f"{batch.instance}#{row.number}")
    return json_bytes({"status": problem.kind.status, "explanation": None, "problem": document})


@contextmanager
def _answering(row: _Row) -> Iterator[None]:
    """Whatever goes wrong with one decision is its own answer."""
    try:
        yield
    except Exception as error:  # noqa: BLE001 - the row's answer names it, or calls it internal
        row.became = error
