"""Adaptive group commit: whoever is waiting goes into the next transaction; nobody waits for company.

Two threads, one behind the other: while one commits a batch of entries to the log, the other commits the keys
of those behind it. An entry goes on only when its key is kept.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from datetime import datetime
from threading import Condition, Lock, Thread
from typing import Protocol

from audit.entry import Appended, Draft
from audit.errors import (
    AuditError,
    AuditUnavailable,
    Conflict,
    EntryRefused,
    KeyMissing,
    Overloaded,
    PayloadErased,
)
from audit.log import AuditLog, Prepared

_LOG = logging.getLogger(__name__)

BATCH_LIMIT_BYTES = 8 << 20
"""A transaction takes no further entry once its private parts are this large: it has two seconds."""

Waiting = tuple[Prepared, "Future[Appended]"]
Batch = Sequence[Waiting]


class Clock(Protocol):
    """Whatever tells the time."""

    def now(self) -> datetime:
        """Return the present moment, aware and in UTC."""
        ...


class GroupCommitter:
    """Commits what many threads submit, in the order in which they did."""

    def __init__(self, log: AuditLog, clock: Clock, *, capacity: int = 2048, batch: int = 256) -> None:
        """Start the threads. At most `capacity` entries wait; at most `batch` share a transaction."""
        self._log = log
        self._clock = clock
        self._capacity = capacity
        self._batch = batch
        lock = Lock()
        self._submitted, self._unkept = Condition(lock), deque[Waiting]()
        self._handed_on, self._kept = Condition(lock), deque[Waiting]()
        self._in_hand = 0  # entries whose keys are being committed
        self._closed = self._all_kept = False
        self._threads = [
            Thread(target=work, name=name, daemon=True)
            for name, work in (("key-committer", self._keep_keys), ("group-committer", self._write_entries))
        ]
        for thread in self._threads:
            thread.start()

    def submit(self, draft: Draft, now: datetime | None = None) -> Future[Appended]:
        """Queue a draft. The future ends in Appended, Conflict, EntryRefused or AuditUnavailable.

        Id, time, encryption and bytes are settled here, in the caller's thread; what is wrong with the draft
        is raised here, and so is `Overloaded`. A result means that the entry is committed on disk. `now` is
        the entry's time where the draft itself was written by it; the clock's otherwise.
        """
        if self.waiting() >= self._capacity:
            raise Overloaded  # before any work is done for it
        prepared = self._log.prepare(draft, self._clock.now() if now is None else now)
        future: Future[Appended] = Future()
        with self._submitted:
            if self._closed:
                raise AuditUnavailable("the log is closing")
            if self.waiting() >= self._capacity:
                raise Overloaded
            self._unkept.append((prepared, future))
            self._submitted.notify()
        return future

    def waiting(self) -> int:
        """Return how many entries wait for the transaction that writes them."""
        return len(self._unkept) + self._in_hand + len(self._kept)

    def close(self) -> None:
        """Commit what waits and stop."""
        with self._submitted:
            self._closed = True
            self._submitted.notify()
        for thread in self._threads:
            thread.join()

    def _keep_keys(self) -> None:
        """Be the first thread."""
        while True:
            with self._submitted:
                self._submitted.wait_for(lambda: self._unkept or self._closed)
                batch = self._take(self._unkept)
                self._in_hand = len(batch)
            kept = self._with_keys(batch)
            with self._handed_on:
                self._kept.extend(kept)
                self._in_hand = 0
                self._all_kept = not batch
                self._handed_on.notify()
            if not batch:
                return

    def _write_entries(self) -> None:
        """Be the second thread. Who gave up before its turn is left out."""
        while True:
            with self._handed_on:
                self._handed_on.wait_for(lambda: self._kept or self._all_kept)
                batch = self._take(self._kept)
            if not batch:
                return
            _named(self._write, [item for item in batch if item[1].set_running_or_notify_cancel()])

    def _take(self, queue: deque[Waiting]) -> list[Waiting]:
        taken: list[Waiting] = []
        size = 0
        while queue and len(taken) < self._batch and size < BATCH_LIMIT_BYTES:
            taken.append(queue.popleft())
            size += len(taken[-1][0].ciphertext or b"")
        return taken

    def _with_keys(self, batch: Batch) -> Batch:
        """Commit the keys of a batch; return the entries of which they are kept."""
        kept: list[Waiting] = []

        def keep(some: Batch) -> None:
            try:
                self._log.keep_keys([prepared for prepared, _ in some])
            except (EntryRefused, PayloadErased, KeyMissing) as error:
                self._singly(keep, some, error)
            except AuditError as error:
                _fail(some, error)
                self._log.discard_broken_connections()
            else:
                kept.extend(some)

        _named(keep, batch)
        return [item for item in kept if not item[1].done()]

    def _write(self, batch: Batch) -> None:
        try:
            outcomes = self._log.write([prepared for prepared, _ in batch])
        except EntryRefused as error:
            self._singly(self._write, batch, error)
        except AuditError as error:
            _fail(batch, error)
            self._log.discard_broken_connections()
        else:
            for (_, future), outcome in zip(batch, outcomes, strict=True):
                if isinstance(outcome, Conflict):
                    future.set_exception(outcome)
                else:
                    future.set_result(outcome)

    @staticmethod
    def _singly(attempt: Callable[[Batch], None], batch: Batch, error: AuditError) -> None:
        """One of them is bad and nothing was committed: find it, and let the others through."""
        if len(batch) == 1:
            _fail(batch, error)
            return
        for item in batch:
            attempt([item])


def _named(attempt: Callable[[Batch], None], batch: Batch) -> None:
    try:
        attempt(batch)
    except Exception:  # noqa: BLE001 - nothing may end the thread; the futures say what failed
        _LOG.exception("a batch of entries failed unexpectedly")
        _fail(batch, AuditUnavailable())


def _fail(batch: Batch, error: AuditError) -> None:
    for _, future in batch:
        if future.running() or (not future.done() and future.set_running_or_notify_cancel()):
            future.set_exception(error)
