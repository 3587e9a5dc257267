"""Durable appends: the product's group commit, and beside it who commits each entry alone.

All write the same rows: about 1 KB in clear and 2 KB encrypted, each with a subject and an idempotency key of
its own, keys and entry in two databases. The product's integrator runs meanwhile, in a process of its own,
for every one of them.
"""

from __future__ import annotations

import json
import multiprocessing
import secrets
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import psycopg

from audit.commit import GroupCommitter
from audit.database import STATEMENT_TIMEOUT_MS
from audit.entry import Appended, Draft, Idempotency
from audit.errors import Overloaded
from audit.integrate import Integrator
from audit.keys import KeyStore
from audit.log import AuditLog
from benchmarks.log_server import ORIGIN, SIGNER, Log
from benchmarks.timing import Timing
from runtime.clock import SystemClock
from runtime.memory import keep_for_good
from runtime.postgres import open_pool
from workers.integrating import IDLE_SECONDS

IN_FLIGHT = 96
POOL = 16
LOOK_SECONDS = 0.5
START_SECONDS = 60.0


@dataclass(frozen=True)
class Rate:
    """Appends a second, and what one of them took in milliseconds from when it was due.

    `offered` is the rate asked for; 0 where a fixed number is always in flight. `pushed_back` were told to
    come again, as too many waited. `backlog` is the largest number of entries that waited for the integrator.
    """

    writer: str
    offered: float
    appended: int
    pushed_back: int
    per_second: float
    latency: Timing
    largest: float
    backlog: int


def draft() -> Draft:
    """Return an explanation of ordinary size, of somebody new."""
    digest = secrets.token_hex(32)
    body = {
        "catalogue": {"digest": f"sha256:{digest}", "name": "consumer-lending", "version": "3"},
        "code_version": "0.1.0",
        "counterfactual_status": "complete",
        "favourable": False,
        "manifest_digest": f"sha256:{digest}",
        "method": "interventional_treeshap",
        "model": "consumer-lending",
        "model_digest": f"sha256:{digest}",
        "notice_blocked": False,
        "notice_clock": "adverse_action_30_days",
        "notice_due_at": "2026-12-20T10:15:00.000000Z",
        "outcome": "declined",
        "reason_codes": ["R04", "R11", "R17", "R23"],
        "reference_digest": f"sha256:{digest}",
        "version": "7",
    }
    names = [{"name": f"feature_{number}", "value": secrets.token_hex(8)} for number in range(40)]
    private = json.dumps({"decision_id": str(uuid.uuid4()), "features": names}).encode()
    return Draft(
        type="explanation.created",
        actor="svc-lending",
        body=body,
        private=private[:2048].ljust(2048, b" "),
        subject=f"applicant-{uuid.uuid4()}",
        retention_class="consumer_credit",
        idempotency=Idempotency(secrets.token_bytes(16), bytes.fromhex(digest)),
    )


@contextmanager
def opened(log: Log) -> Iterator[AuditLog]:
    """Open a log as the API does, which keeps what it has loaded (here: the drafts) from the collector."""
    keep_for_good()
    pools = (
        open_pool(log.roles["service"], max_size=POOL + 2),
        open_pool(
            log.roles["service"],
            min_size=2,
            max_size=POOL + 2,
            autocommit=True,
            statement_timeout_ms=STATEMENT_TIMEOUT_MS,
        ),
        open_pool(log.keys_roles["service"], min_size=2, max_size=POOL + 2, autocommit=True),
    )
    try:
        made = AuditLog(pools[0], KeyStore(pools[2], bytes(32)), origin=ORIGIN, single_statements=pools[1])
        made.ensure_partitions(SystemClock().now())
        yield made
    finally:
        for pool in pools:
            pool.close()


def _integrate(url: str, ready: Any, done: Any, most: Any) -> None:
    """Be the integrator, with its process's own pauses, and watch how much waits for it."""
    clock, pool = SystemClock(), open_pool(url, max_size=2)
    integrator = Integrator(pool, [SIGNER], ORIGIN)
    integrator.verify_edge()
    ready.set()
    looked = 0.0
    while not done.is_set():
        if time.monotonic() - looked > LOOK_SECONDS:
            looked = time.monotonic()
            most.value = max(most.value, integrator.backlog().entries)
        if integrator.step(clock.now()) < integrator.batch:
            done.wait(IDLE_SECONDS)
    while integrator.step(clock.now()):
        pass
    pool.close()


@contextmanager
def integrating(log: Log) -> Iterator[Any]:
    """Run the integrator in its own process; yields the largest backlog seen so far."""
    context = multiprocessing.get_context("spawn")
    ready, done, most = context.Event(), context.Event(), context.Value("q", 0)
    process = context.Process(target=_integrate, args=(log.roles["integrator"], ready, done, most))
    process.start()
    try:
        if not ready.wait(START_SECONDS):
            raise RuntimeError("the integrator did not start")
        yield most
    finally:
        done.set()
        process.join()


class Watch:
    """Collects when each append ended, counted from when it was due."""

    def __init__(self) -> None:
        self._taken: list[float] = []
        self.failed: list[BaseException] = []
        self.pushed_back = 0

    def done(self, due: float, error: BaseException | None) -> None:
        """Note one append that ended now."""
        self._taken.append(1e3 * (time.perf_counter() - due))
        if error is not None:
            self.failed.append(error)

    def rate(self, writer: str, offered: float, seconds: float, backlog: int) -> Rate:
        """Sum up; an append that failed is no figure."""
        if self.failed:
            raise RuntimeError(f"{len(self.failed)} appends failed") from self.failed[0]
        taken = np.array(self._taken)
        timing = Timing(float(np.median(taken)), float(np.quantile(taken, 0.99)), len(taken))
        return Rate(
            writer=writer,
            offered=offered,
            appended=len(taken),
            pushed_back=self.pushed_back,
            per_second=len(taken) / seconds,
            latency=timing,
            largest=float(taken.max()),
            backlog=backlog,
        )


def at_rate(log: Log, per_second: float, count: int) -> Rate:
    """Offer appends to one committer at a steady rate, whether the earlier ones have ended or not."""
    drafts, watch = [draft() for _ in range(count)], Watch()
    with integrating(log) as backlog, opened(log) as audit:
        committer = GroupCommitter(audit, SystemClock())
        _warm(committer)
        started = time.perf_counter()
        for number, one in enumerate(drafts):
            due = started + number / per_second
            if (early := due - time.perf_counter()) > 0:
                time.sleep(early)
            try:
                committer.submit(one).add_done_callback(_noting(watch, due))
            except Overloaded:
                watch.pushed_back += 1
        committer.close()
        seconds = time.perf_counter() - started
        most = backlog.value
    return watch.rate("group commit", per_second, seconds, most)


def in_flight(log: Log, count: int, limit: int = IN_FLIGHT) -> Rate:
    """Keep as many appends under way in one committer as are allowed."""
    drafts, watch = [draft() for _ in range(count)], Watch()
    free = threading.Semaphore(limit)
    with integrating(log) as backlog, opened(log) as audit:
        committer = GroupCommitter(audit, SystemClock())
        _warm(committer)
        started = time.perf_counter()
        for one in drafts:
            free.acquire()
            note = _noting(watch, time.perf_counter())
            future = committer.submit(one)
            future.add_done_callback(note)
            future.add_done_callback(lambda _: free.release())
        committer.close()
        seconds = time.perf_counter() - started
        most = backlog.value
    return watch.rate("group commit", 0, seconds, most)


def one_by_one(log: Log, count: int, connections: int) -> Rate:
    """Let each of so many connections commit one entry after the other."""
    drafts, watch = iter([draft() for _ in range(count)]), Watch()
    turn, clock = threading.Lock(), SystemClock()

    def work(audit: AuditLog) -> None:
        while True:
            with turn:
                one = next(drafts, None)
            if one is None:
                return
            due = time.perf_counter()
            audit.append_one(one, clock.now())
            watch.done(due, None)

    with integrating(log) as backlog, opened(log) as audit, ThreadPoolExecutor(connections) as threads:
        audit.append_one(draft(), clock.now())
        started = time.perf_counter()
        for future in [threads.submit(work, audit) for _ in range(connections)]:
            future.result()
        seconds = time.perf_counter() - started
        most = backlog.value
    name = "one connection" if connections == 1 else f"a pool of {connections}"
    return watch.rate(f"{name}, one by one", 0, seconds, most)


def floor(log: Log, count: int, limit: int = IN_FLIGHT) -> Rate:
    """Commit rows of 2 KB to a plain table without an index, as many at a time as are allowed to wait."""
    rows, watch = [secrets.token_bytes(2048) for _ in range(count)], Watch()
    with psycopg.connect(log.admin, autocommit=True) as connection:
        connection.execute("create table if not exists public.floor (id uuid, data bytea)")
        statement = "insert into public.floor select * from unnest(%b::uuid[], %b::bytea[])"
        started = time.perf_counter()
        for at in range(0, count, limit):
            due, batch = time.perf_counter(), rows[at : at + limit]
            connection.execute(statement, ([uuid.uuid4() for _ in batch], batch))
            for _ in batch:
                watch.done(due, None)
        seconds = time.perf_counter() - started
    return watch.rate("floor: bare rows of 2 KB", 0, seconds, 0)


def _noting(watch: Watch, due: float) -> Callable[[Future[Appended]], None]:
    return lambda future: watch.done(due, future.exception())


def _warm(committer: GroupCommitter) -> None:
    for future in [committer.submit(draft()) for _ in range(256)]:
        future.result()


def appended(logs: Callable[[str], Log], seconds: float, offered: Sequence[float], runs: int) -> list[Rate]:
    """Measure each writer on logs of its own, for about so many seconds each, all once in each run."""
    rates = []
    for run in range(runs):
        rates += [at_rate(logs(f"rate_{rate:.0f}_{run}"), rate, int(rate * seconds)) for rate in offered]
        rates.append(in_flight(logs(f"in_flight_{run}"), int(2500 * seconds)))
        rates.append(one_by_one(logs(f"one_{run}"), int(250 * seconds), 1))
        rates.append(one_by_one(logs(f"pool_{run}"), int(500 * seconds), POOL))
        rates.append(floor(logs(f"floor_{run}"), int(4000 * seconds)))
    return rates
