"""Adaptive group commit: whoever is waiting goes into the next transaction; nobody waits for company."""

from __future__ import annotations

import logging
from collections import deque
from concurrent.futures import Future
from datetime import datetime
from threading import Condition, Thread
from typing import Protocol

from audit.entry import Appended, Draft
from audit.errors import AuditError, AuditUnavailable, Conflict, EntryRefused, Overloaded
from audit.log import AuditLog, Prepared

_LOG = logging.getLogger(__name__)

BATCH_LIMIT_BYTES = 8 << 20
"""A transaction takes no further entry once its private parts are this large: it has two seconds."""

Waiting = tuple[Prepared, "Future[Appended]"]


class Clock(Protocol):
    """Whatever tells the time."""

    def now(self) -> datetime:
        """Return the present moment, aware and in UTC."""
        ...


class GroupCommitter:
    """One thread that commits what many threads submit."""

    def __init__(self, log: AuditLog, clock: Clock, *, capacity: int = 2048, batch: int = 256) -> None:
        """Start the thread. At most `capacity` entries wait; at most `batch` share a transaction."""
        self._log = log
        self._clock = clock
        self._capacity = capacity
        self._batch = batch
        self._waiting: deque[Waiting] = deque()
        self._changed = Condition()
        self._closed = False
        self._thread = Thread(target=self._run, name="group-committer", daemon=True)
        self._thread.start()

    def submit(self, draft: Draft, now: datetime | None = None) -> Future[Appended]:
        """Queue a draft. The future ends in Appended, Conflict, EntryRefused or AuditUnavailable.

        Id, time, encryption and bytes are settled here, in the caller's thread; what is wrong with the draft
        is raised here, and so is `Overloaded`. A result means that the entry is committed on disk. `now` is
        the entry's time where the draft itself was written by it; the clock's otherwise.
        """
        if len(self._waiting) >= self._capacity:
            raise Overloaded  # before any work is done for it
        prepared = self._log.prepare(draft, self._clock.now() if now is None else now)
        future: Future[Appended] = Future()
        with self._changed:
            if self._closed:
                raise AuditUnavailable("the log is closing")
            if len(self._waiting) >= self._capacity:
                raise Overloaded
            self._waiting.append((prepared, future))
            self._changed.notify()
        return future

    def waiting(self) -> int:
        """Return how many entries wait for the next transaction."""
        return len(self._waiting)

    def close(self) -> None:
        """Commit what waits and stop."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join()

    def _run(self) -> None:
        while (batch := self._next()) is not None:
            try:
                self._commit(batch)
            except Exception:  # noqa: BLE001 - nothing may end this thread; the futures say what failed
                _LOG.exception("a batch of entries failed unexpectedly")
                _fail(batch, AuditUnavailable())

    def _next(self) -> list[Waiting] | None:
        """Wait for work; None when there will be no more. Who gave up before its turn is left out."""
        with self._changed:
            while not self._waiting and not self._closed:
                self._changed.wait()
            if not self._waiting:
                return None
            taken: list[Waiting] = []
            size = 0
            while self._waiting and len(taken) < self._batch and size < BATCH_LIMIT_BYTES:
                taken.append(self._waiting.popleft())
                size += len(taken[-1][0].ciphertext or b"")
        return [item for item in taken if item[1].set_running_or_notify_cancel()]

    def _commit(self, batch: list[Waiting]) -> None:
        try:
            outcomes = self._log.commit([prepared for prepared, _ in batch])
        except EntryRefused as error:
            self._commit_singly(batch, error)
        except AuditError as error:
            _fail(batch, error)
            self._log.discard_broken_connections()
        else:
            for (_, future), outcome in zip(batch, outcomes, strict=True):
                if isinstance(outcome, Conflict):
                    future.set_exception(outcome)
                else:
                    future.set_result(outcome)

    def _commit_singly(self, batch: list[Waiting], error: EntryRefused) -> None:
        """One of them is bad and nothing was committed: find it, and let the others through."""
        if len(batch) == 1:
            _fail(batch, error)
            return
        for item in batch:
            self._commit([item])


def _fail(batch: list[Waiting], error: AuditError) -> None:
    for _, future in batch:
        if not future.done():
            future.set_exception(error)
