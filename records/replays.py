"""Replays in the log: which explanations a run takes, and what all runs and single replays have found.

Everything is read from the clear part of the entries; no key is asked for.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from audit.canonical import JsonValue, canonical
from audit.entry import Entry, parse_entry, parse_time
from records.queries import queries
from runtime.postgres import Connection

REPLAYED = "explanation.replayed"
COMPLETED = "replay.completed"
COLUMNS = ("explanation_id", "model", "version", "verdict", "first_difference", "why", "entry_id")


@dataclass(frozen=True, slots=True)
class Period:
    """Explanations from `begin` until before `end`, of one model or of all."""

    begin: datetime
    end: datetime
    model: str | None = None

    @property
    def parameters(self) -> dict[str, object]:
        """The same for a statement."""
        return {"begin": self.begin, "end": self.end, "model": self.model}


@dataclass(frozen=True, slots=True)
class ReplayRow:
    """One replay of one explanation; `run_id` is None where it was asked for alone."""

    entry_id: UUID
    replayed_at: datetime
    actor: str
    explanation_id: UUID
    model: str
    version: str
    method: str
    verdict: str
    compared: tuple[str, ...]
    not_compared: tuple[tuple[str, str], ...]  # part, why
    first_difference: str | None  # JSON pointer
    tolerance: str  # of margins, a decimal
    code_version_recorded: str
    code_version: str
    run_id: UUID | None


@dataclass(frozen=True, slots=True)
class ReplayRun:
    """One run over a sample: `population` explanations there were, `verdicts` counts them by verdict."""

    entry_id: UUID
    completed_at: datetime
    actor: str
    run_id: UUID
    begin: datetime
    end: datetime
    model: str | None
    sample: int
    population: int
    seed: int
    verdicts: Mapping[str, int]
    not_compared: int
    rows_digest: str


@dataclass(frozen=True, slots=True)
class SampledRow:
    """What a run found of one explanation; `entry_id` is the replay's entry, None where there is none.

    `verdict` is that of the replay, or `erased`, or `failed` with the name of the problem as `why`.
    """

    explanation_id: UUID
    model: str
    version: str
    verdict: str
    first_difference: str | None = None
    why: str | None = None
    entry_id: UUID | None = None

    def written(self) -> dict[str, JsonValue]:
        """The row in plain words, as it is counted into the digest and printed."""
        return {
            "explanation_id": str(self.explanation_id),
            "model": self.model,
            "version": self.version,
            "verdict": self.verdict,
            "first_difference": self.first_difference,
            "why": self.why,
            "entry_id": None if self.entry_id is None else str(self.entry_id),
        }


def digest_of_rows(rows: Iterable[SampledRow]) -> str:
    """`sha256:` and the digest of the rows' canonical bytes, in the order in which they were replayed."""
    return "sha256:" + hashlib.sha256(canonical([row.written() for row in rows])).hexdigest()


def count_explanations(conn: Connection, period: Period) -> int:
    """How many explanations there are."""
    row = conn.execute(queries("replays")["population"], period.parameters).fetchone()
    assert row is not None  # noqa: S101  an aggregate always answers
    return int(row[0])


def sample_explanations(conn: Connection, period: Period, size: int, seed: int) -> list[UUID]:
    """At most `size` of them, by a lottery that anybody can hold again.

    They are those with the least SHA-256 of `<seed>/<explanation_id>`, in that order.
    """
    values = {**period.parameters, "size": size, "seed": str(seed)}
    return [row[0] for row in conn.execute(queries("replays")["sample"], values)]


def replays_told(conn: Connection, period: Period) -> Iterator[ReplayRow]:
    """Every replay that was put on record in this time, oldest first; of this model where one is named."""
    for entry in _told(conn, REPLAYED, period):
        body: Mapping[str, Any] = entry.body
        yield ReplayRow(
            entry_id=entry.entry_id,
            replayed_at=entry.time,
            actor=entry.actor,
            explanation_id=UUID(body["explanation_id"]),
            model=body["model"],
            version=body["version"],
            method=body["method"],
            verdict=body["verdict"],
            compared=tuple(body["compared"]),
            not_compared=tuple((one["part"], one["why"]) for one in body["not_compared"]),
            first_difference=body["first_difference"],
            tolerance=body["tolerance"],
            code_version_recorded=body["code_version_recorded"],
            code_version=body["code_version"],
            run_id=None if body["run_id"] is None else UUID(body["run_id"]),
        )


def runs_told(conn: Connection, period: Period) -> Iterator[ReplayRun]:
    """Every run that was completed in this time, oldest first; of this model where one is named."""
    for entry in _told(conn, COMPLETED, period):
        body: Mapping[str, Any] = entry.body
        yield ReplayRun(
            entry_id=entry.entry_id,
            completed_at=entry.time,
            actor=entry.actor,
            run_id=UUID(body["run_id"]),
            begin=parse_time(body["from"]),
            end=parse_time(body["to"]),
            model=body["model"],
            sample=body["sample"],
            population=body["population"],
            seed=body["seed"],
            verdicts=body["verdicts"],
            not_compared=body["not_compared"],
            rows_digest=body["rows_digest"],
        )


def _told(conn: Connection, kind: str, period: Period) -> Iterator[Entry]:
    values = {**period.parameters, "type": kind}
    with conn.cursor(binary=True) as cursor:
        for (written,) in cursor.execute(queries("replays")["told"], values):
            yield parse_entry(bytes(written))
