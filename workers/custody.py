"""The key custodian's loop: erasures at their time, expiry once an hour, and what an old backup brought back.

It needs both databases, in a role that destroys keys and can read none, and neither the master key nor a
queue. Any number may run: whoever has the turn decides, and every step can be done again.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import TypeVar
from uuid import UUID

from audit.custody import KeyCustody, Partition, partitions
from audit.errors import AuditUnavailable, CustodyRefused
from records import executions, expiries
from records.periods import could_be_over, is_over
from records.reaching import RecordsUnavailable, transaction
from runtime.clock import Clock, SystemClock
from runtime.postgres import Pool
from runtime.settings import Settings
from workers.looping import loop, loop_pool

Result = TypeVar("Result")

_LOG = logging.getLogger(__name__)
_STATEMENT_MS = 600_000  # a month may have a million entries


@dataclass(frozen=True, slots=True)
class Pace:
    """How often the custodian looks, and how long an append may still be under way."""

    idle_seconds: float = 1.0
    held_every: timedelta = timedelta(minutes=1)
    expiry_every: timedelta = timedelta(hours=1)
    again_every: timedelta = timedelta(days=1)
    settling: timedelta = timedelta(minutes=1)


def run(
    settings: Settings, stop: threading.Event, *, pace: Pace | None = None, clock: Clock | None = None
) -> None:
    """Run until `stop` is set; an absent database is waited for."""
    with (
        loop_pool(settings.database_url, "ofrecord-custodian", statement_timeout_ms=_STATEMENT_MS) as pool,
        loop_pool(settings.keys_database_url, "ofrecord-custodian-keys") as keys_pool,
    ):
        keys = KeyCustody(keys_pool)
        custodian = Custodian(pool, keys, settings.keys_backup_days, pace or Pace(), clock or SystemClock())

        def step() -> float:
            try:
                return custodian.step()
            except AuditUnavailable:
                keys.discard_broken_connections()
                raise

        loop(pool, step, stop)


class Custodian:
    """One turn after the other; each returns the seconds to rest."""

    def __init__(self, pool: Pool, keys: KeyCustody, backup_days: int, pace: Pace, clock: Clock) -> None:
        """Take a pool on the main database and the keys, both in the custodian's role."""
        self._pool = pool
        self._keys = keys
        self._backup_days = backup_days
        self._pace = pace
        self._clock = clock
        self._done_at: dict[str, datetime] = {}

    def step(self) -> float:
        """Destroy again what may have come back, do what erasures are due, then what has expired."""
        if self._is_time("again", self._pace.again_every):
            self._destroy_again()
        held_too = self._is_time("held", self._pace.held_every)
        with transaction(self._pool) as conn:
            due = executions.due_erasures(conn, self._clock.now(), held_too=held_too)
        for erasure_id in due:
            self._alone(f"erasure {erasure_id} was not finished", partial(self._erase, erasure_id))
        if self._is_time("expiry", self._pace.expiry_every):
            self._expire()
        return self._pace.idle_seconds

    def _erase(self, erasure_id: UUID) -> None:
        """Bring one erasure as far as it can be brought now."""
        with transaction(self._pool) as conn:
            erasure = executions.begin(conn, self._keys, erasure_id, self._clock.now())
        if erasure.started_at is None:
            return
        if erasure.destroyed_at is None:
            if self._clock.now() - erasure.started_at < self._pace.settling:
                return
            with transaction(self._pool) as conn:
                erasure = executions.destroy(conn, self._keys, erasure, self._clock.now())
            if erasure.destroyed_at is None:
                return
            _LOG.info("a subject's key is destroyed", extra={"entry_id": str(erasure.requested_entry_id)})
        with transaction(self._pool) as conn:
            erasure = executions.forget(conn, self._keys, erasure, self._clock.now())
        with transaction(self._pool) as conn:
            executions.complete(conn, self._keys, erasure, self._backup_days, self._clock.now())
        _LOG.info("an erasure is complete", extra={"entry_id": str(erasure.requested_entry_id)})

    def _expire(self) -> None:
        """Bring every month that could be over as far as it can be brought now."""
        with transaction(self._pool) as conn:
            executions.forget_requests(conn, self._clock.now())
            found = partitions(conn)
        over = [one for one in found if could_be_over(one, self._clock.now())]
        waiting = [
            self._alone(f"{one.table} has not expired", partial(self._expire_one, one)) for one in over
        ]
        if any(waiting):
            del self._done_at["expiry"]  # the integrator takes a second, not an hour

    def _expire_one(self, partition: Partition) -> bool:
        """Bring one month as far as it can be; whether its manifest waits for its place in the tree."""
        with transaction(self._pool) as conn:
            expiry = expiries.read_expiry(conn, partition)
            if expiry is None and not is_over(conn, partition, self._clock.now()):
                return False
        with transaction(self._pool) as conn:
            expiry = expiries.begin(conn, self._keys, partition, self._clock.now())
        if expiry is None:
            return False
        if expiry.expired_at is None:
            with transaction(self._pool) as conn:
                gone = expiries.destroy(conn, self._keys, partition, self._clock.now())
            with transaction(self._pool) as conn:
                expiry = expiries.declare(conn, partition, gone, self._clock.now())
            _LOG.info("%s has expired", partition.table, extra={"count": gone})
        return expiry is not None and self._drop(partition, expiry)

    def _drop(self, partition: Partition, expiry: expiries.Expiry) -> bool:
        """Drop the payloads; whether that has to wait for the integrator."""
        try:
            with transaction(self._pool) as conn:
                if not expiries.drop(conn, partition, expiry, self._clock.now()):
                    return expiries.waits_for_the_tree(conn, expiry)
        except CustodyRefused as refusal:
            _LOG.error("%s was not dropped", partition.table, extra={"reason": str(refusal)})
            return False
        except RecordsUnavailable:  # somebody reads in it: readers and appends must not queue behind us
            _LOG.info("%s is in use and is dropped later", partition.table)
            return False
        _LOG.info("%s is dropped", partition.table)
        return False

    @staticmethod
    def _alone(what: str, work: Callable[[], Result]) -> Result | None:
        """Do one of several things; what cannot be done is told, and the others go on.

        An absent database ends the turn.
        """
        try:
            return work()
        except (RecordsUnavailable, AuditUnavailable):
            raise
        except CustodyRefused as refusal:
            _LOG.error(what, extra={"reason": str(refusal)})
        except Exception:  # noqa: BLE001 - one odd entry must not keep the rest of the people waiting
            _LOG.critical(what, exc_info=True)
        return None

    def _destroy_again(self) -> None:
        """Destroy again what was destroyed within the age of a backup, and say if anything had come back."""
        since = self._clock.now() - timedelta(days=self._backup_days + 1)
        with transaction(self._pool) as conn:
            back = executions.destroy_again(conn, self._keys, since, self._clock.now())
            expiries.destroy_again(conn, self._keys, since, self._clock.now())
        if back:
            _LOG.warning("destroyed keys had come back and are destroyed again", extra={"count": len(back)})

    def _is_time(self, what: str, every: timedelta) -> bool:
        """Whether something was not done for so long; then it counts as done."""
        now, last = self._clock.now(), self._done_at.get(what)
        if last is not None and now - last < every:
            return False
        self._done_at[what] = now
        return True
