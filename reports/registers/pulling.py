"""Pulling a report: its data are written to a nameless file, so that the header can say what they are.

The order is: write the data part, put the pull on record, then hand out header and data. Nothing leaves
before its entry is committed, and the entry has the digest of what leaves.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import BinaryIO, Final
from uuid import UUID

from audit.canonical import JsonValue
from audit.entry import Appended, Draft, format_time
from audit.log import AuditLog, read_backlog
from audit.merkle import EMPTY_ROOT
from audit.receipt import Receipt
from audit.sealing import digest as digest_of
from audit.tree import StoredCheckpoint, newest_checkpoint
from records.tree_entries import SnapshotTimedOut, first_time, snapshot
from registry import store
from registry.errors import ModelUnknown
from reports.registers.errors import ReportTimedOut, ReportTooLarge
from reports.registers.forms.writing import Header, Written, closing, opening, write_data
from reports.registers.offered import check_asked
from reports.registers.period import period_of
from reports.registers.report import Asked, Form, Report, Source
from runtime.clock import Clock
from runtime.postgres import Connection, Pool

CHUNK_BYTES: Final = 1 << 20
PULLED: Final = "report.pulled"
NOT_STATED: Final = "not stated"


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """What pulls need of a process. `folder` is where nameless files may grow; `vkeys` are trusted keys.

    So many `processes` may read the whole log at once: one where decisions are made too; None: one a core.
    """

    pool: Pool
    log: AuditLog
    clock: Clock
    organisation: str
    vkeys: tuple[str, ...]
    receipt: Callable[[Appended, int | None], Receipt]
    folder: Path
    witness_vkeys: tuple[str, ...] = ()
    processes: int | None = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """How much one pull may take: seconds, bytes, entries of a report that reads all. None: no bound."""

    seconds: float | None = None
    size: int = 1 << 40
    entries: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """A report whose data are written and which nobody has seen yet. Close it, whatever happens."""

    report: Report
    asked: Asked
    form: Form
    data: BinaryIO
    written: Written
    checkpoint: StoredCheckpoint | None
    facts: Header

    def drafts(self, actor: str) -> list[Draft]:
        """Return the entries that have to be committed before it leaves: the pull comes last."""
        about = self.asked.explanation_id if self.report.discloses else None
        pulled = Draft(type=PULLED, actor=actor, body=self._body(), about=about)
        if about is None:
            return [pulled]
        read: dict[str, JsonValue] = {"explanation_id": str(about), "how": "report"}
        return [Draft(type="explanation.read", actor=actor, body=read, about=about), pulled]

    def opening(self, entry_id: UUID, actor: str) -> bytes:
        """Return what stands before the data, now that the pull is on record as this entry."""
        pulled: dict[str, JsonValue] = {"generated_by": actor, "entry_id": str(entry_id)}
        return opening(self.form, self.report, {**self.facts, **pulled})

    def closing(self) -> bytes:
        """Return what stands after the data."""
        return closing(self.form)

    def chunks(self) -> Iterator[bytes]:
        """Return the data from the beginning."""
        self.data.seek(0)
        while chunk := self.data.read(CHUNK_BYTES):
            yield chunk

    def close(self) -> None:
        """Let go of the file; it had no name, so nothing is left."""
        self.data.close()

    def _body(self) -> dict[str, JsonValue]:
        checkpoint = self.checkpoint
        body: dict[str, JsonValue] = {
            "report": self.report.name,
            "format": self.form,
            "filters": {**_period(self.asked), **self.asked.filters()},
            "rows": self.written.rows,
            "digest": f"sha256:{self.written.sha256}",
            "tree_size": 0 if checkpoint is None else checkpoint.tree_size,
            "root": (EMPTY_ROOT if checkpoint is None else checkpoint.root).hex(),
        }
        summary = self.facts["summary"]
        if isinstance(summary, dict) and "result" in summary:
            body["result"] = summary["result"]
        return body


def make(desk: Desk, report: Report, asked: Asked, form: Form, bounds: Bounds) -> Made:
    """Read and write the data part in one snapshot; raises what `errors` names and what reports raise."""
    check_asked(report, asked)
    deadline = None if bounds.seconds is None else time.monotonic() + bounds.seconds

    def in_time() -> None:
        if deadline is not None and time.monotonic() > deadline:
            raise ReportTimedOut

    # Without a name from the beginning: whatever happens, the last that closes it removes it.
    desk.folder.mkdir(parents=True, exist_ok=True)
    file = tempfile.TemporaryFile(dir=desk.folder)  # noqa: SIM115 - it outlives this function
    try:
        return _made(desk, report, asked, form, _Into(file, bounds, in_time))
    except SnapshotTimedOut as error:
        file.close()
        raise ReportTimedOut from error
    except BaseException:
        file.close()
        raise


@dataclass(frozen=True, slots=True)
class _Into:
    """Where the data go, and what bounds them."""

    file: BinaryIO
    bounds: Bounds
    in_time: Callable[[], None]


def _made(desk: Desk, report: Report, asked: Asked, form: Form, into: _Into) -> Made:
    now = desk.clock.now()
    with snapshot(desk.pool, into.bounds.seconds) as conn:
        if asked.model is not None and not store.versions_of(conn, [asked.model]):
            raise ModelUnknown(asked.model)
        checkpoint = newest_checkpoint(conn)
        source = _source(desk, form, conn, checkpoint, now)
        _refuse_too_large(report, source.before, into.bounds.entries)
        reading = report.read(source, asked)
        written = write_data(
            report, reading, form, into.file, limit_bytes=into.bounds.size, in_time=into.in_time
        )
        pending = read_backlog(conn).entries
        began = first_time(conn, source.before)
    facts: dict[str, JsonValue] = {
        **_facts(desk, report, asked, form, now),
        "period": _covered(asked, began, now),
        "rows": written.rows,
        "sha256": written.sha256,
        "checkpoint": _checkpoint(checkpoint),
        "pending_entries": pending,
        "summary": dict(reading.summary()),
        **_legend(report, now),
    }
    return Made(
        report=report,
        asked=asked,
        form=form,
        data=into.file,
        written=written,
        checkpoint=checkpoint,
        facts=facts,
    )


def _source(
    desk: Desk, form: Form, conn: Connection, checkpoint: StoredCheckpoint | None, now: datetime
) -> Source:
    return Source(
        conn=conn,
        log=desk.log,
        clock=desk.clock,
        now=now,
        checkpoint=checkpoint,
        vkeys=desk.vkeys,
        receipt=desk.receipt,
        form=form,
        witness_vkeys=desk.witness_vkeys,
        processes=desk.processes,
    )


def _refuse_too_large(report: Report, entries: int, most: int | None) -> None:
    if report.reads_everything and most is not None and entries > most:
        raise ReportTooLarge(
            f"The log has {entries} entries and at most {most} are read here; "
            f"the command `ofrecord report {report.name}` has no such limit."
        )


def _facts(desk: Desk, report: Report, asked: Asked, form: Form, now: datetime) -> dict[str, JsonValue]:
    """What is known of a report before it is made."""
    return {
        "report": report.name,
        "number": report.number,
        "title": report.title,
        "organisation": desk.organisation or NOT_STATED,
        "log_origin": desk.log.origin,
        "filters": asked.filters(),
        "format": form,
        "generated_at": format_time(now),
    }


def _legend(report: Report, now: datetime) -> dict[str, JsonValue]:
    """The rules that it serves as they stand today, and what its columns mean."""
    return {
        "rules": [
            {"requirement_id": rule.requirement_id, "status": rule.status, "printed": rule.printed}
            for rule in report.cited(now.date())
        ],
        "columns": [{"name": one.name, "type": one.type, "meaning": one.meaning} for one in report.columns],
    }


def _period(asked: Asked) -> dict[str, JsonValue]:
    """The period as it was asked for; null where it was left open: the beginning, or the pull's moment."""
    return {
        "from": None if asked.start is None else format_time(asked.start),
        "to": None if asked.end is None else format_time(asked.end),
    }


def _covered(asked: Asked, began: datetime | None, now: datetime) -> dict[str, JsonValue]:
    """The period that was covered: where it was left open, from the first entry, and until the pull."""
    _, end = period_of(asked, now)
    start = asked.start or began
    if asked.start is None and start is not None and start >= end:
        start = None  # nothing was on record before it ended
    return {"from": None if start is None else format_time(start), "to": format_time(end)}


def _checkpoint(checkpoint: StoredCheckpoint | None) -> dict[str, JsonValue] | None:
    """The newest checkpoint, which covers every row that has an `index`; null while the tree is empty."""
    if checkpoint is None:
        return None
    return {
        "tree_size": checkpoint.tree_size,
        "root": checkpoint.root.hex(),
        "note_digest": digest_of(checkpoint.note.encode()),
        "signed_at": format_time(checkpoint.signed_at),
    }
