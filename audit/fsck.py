"""Re-derive the whole log from its entries and compare it with everything that is stored and signed.

Every leaf is hashed again from the entry's bytes, every tile and the root at every checkpoint is built again,
every signature is checked. As each checkpoint is compared with the one tree that grows here, all of them
are consistent. What fsck alone cannot see is a log cut back, or rewritten together with its signatures: that
takes a checkpoint, a receipt or an evidence file from outside, and `since` is where to give one.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Protocol

from psycopg.pq import TransactionStatus

from audit.checkpoint import checkpoint_keys
from audit.cosignature import parse_keys
from audit.database import Connection, named_failures
from audit.fsck_expiry import Expired, check_expiry
from audit.fsck_found import Findings, Missing
from audit.fsck_growth import Growth
from audit.fsck_processes import Task, check_at_once, check_in_turn, prepare_session
from audit.fsck_span import Checked
from audit.fsck_trust import Trust
from audit.fsck_vouched import Vouched
from audit.fsck_whole import Counts, check_ends, check_loose, check_pending, read_counts
from audit.guarding import GuardState, ddl_guard, guard_problems
from audit.merkle import EMPTY_ROOT
from audit.queries import FSCK, LOG

WORTH_PROCESSES = 50_000
"""From so many leaves on a check is divided among processes: their start takes a second."""

_PROCESSES_LIMIT = 8


class Clock(Protocol):
    """Whatever tells the time."""

    def now(self) -> datetime:
        """Return the present moment, aware and in UTC."""
        ...


@dataclass(frozen=True, slots=True)
class Known:
    """A tree that was seen before: the last certificate's, a witness's, a receipt holder's."""

    tree_size: int
    root: bytes


@dataclass(frozen=True, slots=True)
class FsckReport:
    """What was checked and what was found.

    `entries` were hashed again and have their place in the tree, `payloads` (with those of entries that wait)
    are what was made with their entries, `expired` says which are gone on record, and `missing` how many are
    gone without. `problems` stops at a hundred; `faults` counts all of them by kind: leaf, entry, bytes,
    columns, payload, tile, checkpoint, cosignature, stamp, consistency, manifest, trigger, guard. `vouched`
    says how many cosignatures and stamps were checked, and what of them was not. `consistent` tells whether
    the tree known `since` before is still the beginning of this one; None if none was. The times are None
    without a clock.
    """

    entries: int
    tree_size: int
    root: bytes
    checkpoint: str | None
    checkpoints: int
    tiles: int
    pending: int
    payloads: int
    missing: int
    expired: tuple[Expired, ...]
    since: Known | None
    ddl_guard: GuardState
    started_at: datetime | None
    finished_at: datetime | None
    faults: Mapping[str, int]
    problems: tuple[str, ...]
    vouched: Vouched = field(default_factory=Vouched)

    @property
    def passed(self) -> bool:
        """Tell whether everything agrees."""
        return not self.problems

    @property
    def consistent(self) -> bool | None:
        """Tell whether what was known before still holds."""
        return None if self.since is None else not self.faults.get("consistency")


def fsck(
    conn: Connection,
    vkeys: Sequence[str],
    origin: str,
    *,
    since: Known | None = None,
    clock: Clock | None = None,
    processes: int | None = None,
    certificates: Path | None = None,
) -> FsckReport:
    """Check the whole log with the checkpoint and witness keys the caller trusts. Reads only.

    `certificates` (PEM) are those of time-stamp authorities.

    It sees one snapshot; in a transaction that is already open, that one as it is. A large log is divided
    among `processes` (by default one for each core), which look at the same snapshot: an open transaction
    that is none, or has written something, is checked by this process alone, and so is one of a
    `conn.transaction()` block, which may be a savepoint.
    """
    started_at = None if clock is None else clock.now()
    idle = conn.info.transaction_status == TransactionStatus.IDLE
    trust = Trust(checkpoint_keys(vkeys), origin, parse_keys(vkeys)[1], certificates, started_at)
    # An open transaction gets no savepoint: a snapshot cannot be lent from inside one.
    with named_failures(), conn.transaction() if idle else nullcontext():
        processes = _one_snapshot(conn, idle, processes)
        prepare_session(conn)
        counts = read_counts(conn)
        task = Task(counts.leaves, trust, _inside(since, counts))
        check = _Check(conn, counts)
        check.stretches(_divided(conn, task, processes))
        check.ends(trust, since)
        guard = ddl_guard(conn)
        newest = conn.execute(FSCK["newest"], {"tree_size": counts.signed_size}).fetchone()
    root, note = newest or (EMPTY_ROOT, None)
    return FsckReport(
        entries=check.hashed,
        tree_size=counts.signed_size,
        root=root,
        checkpoint=note,
        checkpoints=check.checkpoints,
        tiles=check.growth.tiles,
        pending=counts.pending,
        payloads=check.payloads,
        missing=check.missing.counted.total() - sum(one.payloads for one in check.expired),
        expired=check.expired,
        since=since,
        ddl_guard=guard,
        started_at=started_at,
        finished_at=None if clock is None else clock.now(),
        faults=dict(check.findings.counted),
        problems=tuple(problem for _, problem in check.findings.told),
        vouched=check.vouched,
    )


def _one_snapshot(conn: Connection, idle: bool, processes: int | None) -> int | None:
    """Hold still what is checked; return how many processes may look at it.

    The server lends no snapshot from inside a savepoint, cannot be asked whether it is in one, and refuses by
    an error that spoils the caller's transaction. psycopg counts its own blocks; a block within a
    transaction that was open already is a savepoint from the first on.
    """
    if idle:
        conn.execute(LOG["one_snapshot"])
        return processes
    if conn._num_transactions:  # noqa: SLF001 - it tells nobody else
        return 1
    return processes if conn.execute(FSCK["can_lend_snapshot"]).fetchone() == (True,) else 1


class _Check:
    """One run: what has been seen so far."""

    def __init__(self, conn: Connection, counts: Counts) -> None:
        self._conn = conn
        self._counts = counts
        self.findings = Findings()
        self.missing = Missing()
        self.vouched = Vouched()
        self.growth = Growth(conn, self.findings)
        self.expired: tuple[Expired, ...] = ()
        self.hashed = self.payloads = self.checkpoints = 0

    def stretches(self, checked: Iterator[Checked]) -> None:
        """Put the tree together out of its stretches."""
        for one in checked:
            self.findings.join(one.findings)
            self.missing.join(one.missing)
            self.vouched.join(one.vouched)
            self.growth.add(one)
            self.hashed += one.entries
            self.payloads += one.payloads
        self.checkpoints = self.growth.checkpoints

    def ends(self, trust: Trust, since: Known | None) -> None:
        """Check what concerns the whole log, once the stretches are seen."""
        conn, findings = self._conn, self.findings
        self.checkpoints += check_ends(conn, self._counts, trust, findings)
        if since is not None and since.tree_size > self._counts.leaves:
            findings.add(
                "consistency",
                f"the tree known from before had {since.tree_size} leaves; {self._counts.leaves} are there",
            )
        waiting = check_pending(conn)
        findings.join(waiting.findings)
        self.missing.join(waiting.missing)
        self.payloads += waiting.payloads
        check_loose(conn, self._counts, (self.hashed + waiting.entries, self.payloads), findings)
        self.expired = check_expiry(conn, self.missing, findings)
        for problem in guard_problems(conn):
            findings.add("guard", problem)


def _inside(since: Known | None, counts: Counts) -> list[tuple[int, bytes]]:
    if since is None or not 0 < since.tree_size <= counts.leaves:
        return []
    return [(since.tree_size, since.root)]


def _divided(conn: Connection, task: Task, processes: int | None) -> Iterator[Checked]:
    """Check in this process, or if it is worth it in several."""
    if processes is None:
        cores = min(len(os.sched_getaffinity(0)), _PROCESSES_LIMIT)
        processes = cores if task.leaves >= WORTH_PROCESSES else 1
    return check_in_turn(conn, task) if processes < 2 else check_at_once(conn, task, processes)
