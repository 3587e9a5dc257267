"""What a report is: a name, parameters, columns with their meaning, and rows read out of one snapshot."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Literal, TypeAlias
from uuid import UUID

from audit.canonical import JsonValue
from audit.entry import Appended
from audit.log import AuditLog
from audit.receipt import Receipt
from audit.tree import StoredCheckpoint
from reports.requirements.citing import CitedRule, cite
from runtime.clock import Clock
from runtime.postgres import Connection

ColumnType = Literal["integer", "boolean", "text", "time", "id", "digest", "words", "json"]
"""What a cell holds: `words` is a list of codes without spaces, `json` any JSON value, `time` is in UTC."""

Parameter = Literal["from", "to", "model", "explanation_id"]
Form = Literal["json", "csv"]
FORMS: tuple[Form, ...] = ("json", "csv")
PERIOD: frozenset[Parameter] = frozenset({"from", "to"})

Cell: TypeAlias = "JsonValue | float | datetime | UUID | Mapping[str, object] | Sequence[object]"
Row: TypeAlias = Mapping[str, Cell]
Block: TypeAlias = tuple[int, bytes]
"""Finished lines: how many rows they are, and their bytes without what separates them from the next."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column; a cell may be null in every one of them."""

    name: str
    type: ColumnType
    meaning: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What is asked of a report: the half-open period [start, end), and what else narrows it down."""

    start: datetime | None = None
    end: datetime | None = None
    model: str | None = None
    explanation_id: UUID | None = None

    def filters(self) -> dict[str, JsonValue]:
        """Return what narrows it down, beside the period."""
        about = None if self.explanation_id is None else str(self.explanation_id)
        named = {"model": self.model, "explanation_id": about}
        return {name: value for name, value in named.items() if value is not None}


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """What a report reads: one snapshot of the database, and the log for what is asked by name.

    `checkpoint` is the newest in that snapshot; only entries of its tree are in a report. `vkeys` are the
    checkpoint keys that the caller trusts, none where nobody named any. `form` is what will be written;
    `witness_vkeys` are keys of witnesses, which may also be among `vkeys`. So many `processes` may read
    the whole log at once; None: one for each core.
    """

    conn: Connection
    log: AuditLog
    clock: Clock
    now: datetime
    checkpoint: StoredCheckpoint | None
    vkeys: tuple[str, ...]
    receipt: Callable[[Appended, int | None], Receipt]
    form: Form = "json"
    witness_vkeys: tuple[str, ...] = ()
    processes: int | None = 1

    @property
    def before(self) -> int:
        """The size of the tree: the first place that is in no report yet."""
        return 0 if self.checkpoint is None else self.checkpoint.tree_size


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One pull of a report.

    `rows` are read once. `lines` gives the same rows as finished text where that is faster than one by one.
    `summary` is asked for when all rows are read.
    """

    rows: Callable[[], Iterator[Row]]
    lines: Callable[[Form], Iterator[Block]] | None = None
    summary: Callable[[], Mapping[str, JsonValue]] = field(default=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """A report as it is offered. `rules` are the requirements it serves, cited with their status.

    `discloses`: it decrypts what is on record about a person, so it counts as a read of that.
    `reads_everything`: its time grows with the whole log and not with what is asked for.
    """

    name: str
    number: int
    title: str
    takes: frozenset[Parameter]
    needs: frozenset[Parameter] = frozenset()
    columns: tuple[Column, ...]
    rules: tuple[str, ...] = ()
    discloses: bool = False
    reads_everything: bool = False
    read: Callable[[Source, Asked], Reading]

    def cited(self, on: date) -> list[CitedRule]:
        """Return its rules as they stand on a day."""
        return [cite(rule, on, "en") for rule in self.rules]
