"""A run over a sample of a period: each explanation replayed and on record, then the run itself."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from audit.canonical import JsonValue
from audit.entry import Appended, Draft, format_time
from audit.errors import AuditUnavailable, Overloaded, PayloadErased
from audit.keys import KeyStore
from audit.log import AuditLog
from explain.deadline import Deadline
from records.reaching import RecordsUnavailable, transaction
from records.replays import (
    COMPLETED,
    Period,
    SampledRow,
    count_explanations,
    digest_of_rows,
    sample_explanations,
)
from registry.loading import VersionCache
from registry.proposing import Proposer
from runtime.clock import Clock
from runtime.ids import uuid7
from runtime.postgres import open_pool
from runtime.settings import Settings
from service.explanations.record import CODE_VERSION
from service.problems import kind_of
from service.renderer import OurRenderer
from service.replaying.differing import count_incident, incident_of
from service.replaying.judging import Judgement, judge
from service.replaying.sources import Sources
from service.replaying.telling import draft_of

# A worker's searches may take a minute each; nobody waits for a run as one does for an answer.
BUDGET_MS = 900_000.0
_STATEMENT_MS = 600_000
VERDICTS = ("identical", "within_tolerance", "different", "erased", "failed")
_UNREACHABLE = (AuditUnavailable, Overloaded, RecordsUnavailable)


@dataclass(frozen=True, slots=True)
class Sample:
    """What a run takes: at most `size` explanations of the period, drawn by the seed."""

    period: Period
    size: int
    seed: int


@dataclass(frozen=True, slots=True)
class Run:
    """What a run found; `population` explanations there were to draw from."""

    run_id: UUID
    sample: Sample
    population: int
    rows: tuple[SampledRow, ...]
    not_compared: int
    entry_id: UUID | None = None  # its own, once it is on record

    @property
    def verdicts(self) -> dict[str, int]:
        """How many explanations had each verdict, all verdicts named."""
        counted = Counter(row.verdict for row in self.rows)
        return {verdict: counted[verdict] for verdict in VERDICTS}

    @property
    def agrees(self) -> bool:
        """Whether nothing differs beyond the tolerance and nothing failed; what is erased says nothing."""
        return not self.verdicts["different"] and not self.verdicts["failed"]


@contextmanager
def opened(settings: Settings) -> Iterator[Sources]:
    """The rooms of a run, on the databases that the API's settings name."""
    with (
        open_pool(
            settings.database_url, max_size=2, name="ofrecord-replay", statement_timeout_ms=_STATEMENT_MS
        ) as pool,
        open_pool(settings.keys_database_url, max_size=2, name="ofrecord-replay-keys") as keys_pool,
    ):
        yield Sources(
            log=AuditLog(pool, KeyStore(keys_pool, settings.master_key), origin=settings.log_origin),
            pool=pool,
            versions=VersionCache(
                pool, cache_dir=settings.cache_dir, table_bytes=settings.table_memory_bytes
            ),
            proposer=Proposer(settings.counterfactual_socket),
            renderer=OurRenderer(),
            once=True,
        )


def replay_sample(
    sources: Sources,
    clock: Clock,
    sample: Sample,
    actor: str,
    tell: Callable[[SampledRow], None] = lambda _: None,
) -> Run:
    """Replays the sample one after the other; `tell` hears each row once it is on record.

    A run that is ended early leaves the replays it made, and no entry of its own.
    """
    with transaction(sources.pool) as conn:
        population = count_explanations(conn, sample.period)
        drawn = sample_explanations(conn, sample.period, sample.size, sample.seed)
    run_id = uuid7(clock.now())
    rows: list[SampledRow] = []
    incomplete = 0
    for explanation_id in drawn:
        row, whole = _replayed(sources, clock.now(), explanation_id, actor, run_id)
        incomplete += not whole
        rows.append(row)
        tell(row)
    run = Run(run_id, sample, population, tuple(rows), incomplete)
    appended = sources.log.append_one(_completed(run, actor), clock.now())
    return replace(run, entry_id=appended.entry_id)


def _replayed(
    sources: Sources, now: datetime, explanation_id: UUID, actor: str, run_id: UUID
) -> tuple[SampledRow, bool]:
    """One row, and whether all of it could be compared."""
    body = sources.log.read(explanation_id).entry.body
    model, version = str(body["model"]), str(body["version"])
    try:
        judgement = judge(sources, explanation_id, Deadline(BUDGET_MS, time.monotonic()))
    except PayloadErased:
        return SampledRow(explanation_id, model, version, "erased"), True
    except _UNREACHABLE:
        raise
    except Exception as error:  # noqa: BLE001 - one damaged entry must not end the run
        return SampledRow(explanation_id, model, version, "failed", why=kind_of(error).name), False
    appended = _on_record(sources, now, judgement, actor, run_id)
    first = judgement.first
    row = SampledRow(
        explanation_id,
        model,
        version,
        judgement.verdict,
        first_difference=None if first is None else first.pointer,
        why="; ".join(f"{part}: {why}" for part, why in judgement.missing.items()) or None,
        entry_id=appended.entry_id,
    )
    return row, not judgement.missing


def _on_record(sources: Sources, now: datetime, judgement: Judgement, actor: str, run_id: UUID) -> Appended:
    """The entry of one replay, with its incident in the same transaction where the verdict is `different`."""
    incident, raised = incident_of(judgement, actor), None
    with transaction(sources.pool) as conn:
        appended = sources.log.append_one(draft_of(judgement, actor, run_id), now, conn)
        if incident is not None:
            raised = sources.log.append_one(incident, now, conn)
    if raised is not None:
        count_incident(raised)
    return appended


def _completed(run: Run, actor: str) -> Draft:
    period = run.sample.period
    body: dict[str, JsonValue] = {
        "run_id": str(run.run_id),
        "from": format_time(period.begin),
        "to": format_time(period.end),
        "model": period.model,
        "sample": len(run.rows),
        "asked": run.sample.size,
        "population": run.population,
        "seed": run.sample.seed,
        "verdicts": dict(run.verdicts),
        "not_compared": run.not_compared,
        "rows_digest": digest_of_rows(run.rows),
        "code_version": CODE_VERSION,
    }
    return Draft(type=COMPLETED, actor=actor, body=body)
