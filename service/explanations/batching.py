"""Many decisions in one call: each is read, explained, recorded and answered as if it had come alone.

Decisions are worked on in chunks that hold a thread for a few hundredths of a second, so that single requests
get their turn between them. Inside a chunk one native call and one kernel call attribute all rows; then the
counterfactuals of each are looked for, by the direct search alone and not for long: the workers have time.
While the entries of one chunk are committed, together with everybody else's, the next is worked on.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Sequence

from audit.errors import AuditUnavailable
from records.reaching import RecordsUnavailable
from registry.loading import LoadedVersion
from runtime.metrics import EXPLANATIONS
from service.bodies import json_bytes
from service.context import Services
from service.errors import InvalidInput, StillCommitting
from service.explanations.agreeing import check_times
from service.explanations.asking import checked
from service.explanations.batch import CHUNK_SECONDS, Batch, Row, answering, deadline_again, run_step
from service.explanations.batch_searching import search, submit_unsought
from service.explanations.deferring import insert, promised
from service.explanations.explaining import (
    question_of,
    record_incident,
    recorded,
    withholding,
)
from service.explanations.finding import attribute_all, explained, instance_of
from service.explanations.fingerprint import idempotency_of
from service.explanations.incidents import ExplanationWithheld
from service.explanations.recalling import recall
from service.explanations.retrying import Again, again, read_again
from service.explanations.submitting import Answered, Prepared, answered, committed, observe_stages
from service.problems import document_of, problem_of
from service.strict_json import Flaw, JsonValue

logger = logging.getLogger(__name__)

LARGEST_CHUNK = 128
TOGETHER = 4  # on a busy machine every row seems slow; apart they would only be slower
_UNREACHABLE = (AuditUnavailable, RecordsUnavailable, StillCommitting)


async def explain_batch(
    services: Services, model: str, decisions: Sequence[JsonValue], actor: str, instance: str
) -> bytes:
    """Answers every decision, in order; the whole answer as bytes.

    Each row's budget counts from when its own work starts. A row that fails has its problem and its status;
    the others know nothing of it.
    """
    rows = [Row(number, document) for number, document in enumerate(decisions)]
    batch = Batch(services, model, actor, instance, rows)
    lanes = max(1, services.settings.threads // 2)
    await asyncio.gather(*(_lane(batch) for _ in range(lanes)))
    return b'{"answers":[' + b",".join(row.written for row in rows) + b"]}"


async def _lane(batch: Batch) -> None:
    """Works on one chunk after the other; each is finished while the next is worked on."""
    async with asyncio.TaskGroup() as finishing:
        before: asyncio.Task[None] | None = None
        while chunk := batch.chunk():
            await run_step(batch.services.hot, _work, batch, chunk)
            await search(batch, chunk)
            if before is not None:
                await before  # so that no more than two chunks wait for the record
            before = finishing.create_task(_finish(batch, chunk))


def _work(batch: Batch, chunk: list[Row]) -> None:
    """Everything up to the reasons, in one thread; up to the commit, where nothing is looked for."""
    started = time.monotonic()
    versions: dict[str | None, LoadedVersion] = {}
    for row in chunk:
        with answering(row):
            _read(batch, row, versions)
    for loaded in dict.fromkeys(versions.values()):
        of_version = [row for row in chunk if row.became is None and row.loaded is loaded]
        _explain(batch, loaded, of_version)
    if not any(row.sought for row in chunk):
        submit_unsought(batch, chunk)
    batch.size = _next_size(len(chunk), (time.monotonic() - started) / len(chunk))


def _next_size(size: int, seconds: float) -> int:
    """How many rows come next, when so many took so many seconds each: together where rows are quick."""
    fewest = TOGETHER if seconds < CHUNK_SECONDS else 1
    return max(fewest, min(LARGEST_CHUNK, 4 * size, int(CHUNK_SECONDS / max(seconds, 1e-6))))


def _read(batch: Batch, row: Row, versions: dict[str | None, LoadedVersion]) -> None:
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
        row.became = again(first, question)
        return
    check_times(question.request, batch.services.clock.now())
    wanted = question.request.version
    if wanted not in versions:
        versions[wanted] = batch.services.versions.get(batch.model, wanted)
    row.loaded = versions[wanted]
    row.instance = instance_of(row.loaded, question)
    row.sought = checked(row.loaded, question.request.counterfactuals, row.instance)


def _explain(batch: Batch, loaded: LoadedVersion, rows: list[Row]) -> None:
    """Attributes all rows of one version at once, then concludes and submits each by itself."""
    try:
        made = attribute_all(loaded, [row.instance for row in rows if row.instance is not None])
    except Exception as error:  # noqa: BLE001 - the answer of these rows, and of no others of the chunk
        for row in rows:
            row.became = error
        return
    for row, attributed in zip(rows, made, strict=True):
        with answering(row):
            assert row.question is not None and row.instance is not None  # noqa: S101, PT018  from _read
            with withholding(loaded, row.question, batch.actor):
                row.finding = explained(loaded, row.question, row.instance, attributed, row.sought)
            row.sought = row.finding.sought


async def _finish(batch: Batch, chunk: list[Row]) -> None:
    """Waits for the record of every row, and writes the answers."""
    await asyncio.gather(*(_settle(batch, row) for row in chunk))
    lost = [row for row in chunk if row.appended is not None and row.appended.duplicate]
    if lost:
        await run_step(batch.services.desk, _recall, batch, lost)
        await asyncio.gather(*(_settle(batch, row) for row in lost))
    failures = [row.became for row in chunk if isinstance(row.became, _UNREACHABLE)]
    if len(failures) == len(chunk):
        batch.unreachable = failures[-1]
    await run_step(batch.services.desk, _write, batch, chunk)
    for row in chunk:
        row.written = row.written or _problem(batch, row)


async def _settle(batch: Batch, row: Row) -> None:
    with answering(row):
        if isinstance(row.became, Prepared):
            row.appended = await committed(batch.services, row.became)
        elif isinstance(row.became, Again):
            row.became = await read_again(batch.services, row.became, batch.actor, deadline_again(row))
        elif isinstance(row.became, ExplanationWithheld):
            await record_incident(batch.services, row.became)
            row.became = row.became.cause


def _recall(batch: Batch, lost: list[Row]) -> None:
    """Looks up the first answers of rows that another row of the batch, or a faster request, was before."""
    for row in lost:
        with answering(row):
            assert isinstance(row.became, Prepared) and row.question and row.appended  # noqa: S101, PT018
            row.deadline = row.became.deadline
            row.became = again(recall(batch.services, row.appended.entry_id), row.question)


def _write(batch: Batch, chunk: list[Row]) -> None:
    """Makes each explanation on record into the bytes of its answer; what it promises comes first."""
    _keep(batch, chunk)
    for row in chunk:
        with answering(row):
            if (made := _answer(batch, row)) is not None:
                row.written = json_bytes({"status": 201, "explanation": made.body, "problem": None})
                EXPLANATIONS.labels(status="201").inc()
                observe_stages(made)


def _keep(batch: Batch, chunk: list[Row]) -> None:
    """Inserts what the new entries of a chunk have promised, in one statement."""
    new = [
        (row.became.draft, row.appended)
        for row in chunk
        if isinstance(row.became, Prepared) and row.appended is not None and not row.appended.duplicate
    ]
    promises = [promised(draft, appended.entry_id, appended.time) for draft, appended in new]
    if any(promises):
        insert(batch.services, [promise for promise in promises if promise is not None])


def _answer(batch: Batch, row: Row) -> Answered | None:
    if isinstance(row.became, Answered):
        return row.became
    if not isinstance(row.became, Prepared) or row.appended is None:
        return None
    return answered(batch.services, row.became, row.appended)


def _problem(batch: Batch, row: Row) -> bytes:
    """The answer of a row that has no explanation: what it would have been told alone."""
    error = row.became if isinstance(row.became, Exception) else StillCommitting()
    problem = problem_of(error)
    if problem.kind.status >= 500:
        unforeseen = error if problem.kind.unexpected else None
        logger.error("a decision of a batch failed", exc_info=unforeseen, extra={"kind": problem.kind.name})
    EXPLANATIONS.labels(status=str(problem.kind.status)).inc()
    document = document_of(problem, f"{batch.instance}#{row.number}")
    return json_bytes({"status": problem.kind.status, "explanation": None, "problem": document})
