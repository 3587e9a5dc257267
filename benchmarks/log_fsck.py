"""The whole check of a log, in one process and in as many as there are cores; and its smallest parts.

The log is filled by the product's own appends and integrator. Beside the check stands the floor: reading the
same rows without looking at them, and hashing bytes of the same lengths.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256

import psycopg

from audit.fsck import fsck
from audit.integrate import Integrator
from benchmarks.log_append import draft, opened
from benchmarks.log_server import ORIGIN, SIGNER, Log
from runtime.clock import SystemClock
from runtime.postgres import open_pool

BATCH = 256
READ = "copy (select canonical, leaf_hash from audit.entry) to stdout (format binary)"
READ_PAYLOADS = "copy (select ciphertext from audit.payload) to stdout (format binary)"


@dataclass(frozen=True)
class Verified:
    """Entries a second: the median and the extremes of a few runs of one number of processes."""

    processes: int
    entries: int
    checkpoints: int
    per_second: float
    slowest: float
    fastest: float


@dataclass(frozen=True)
class Floor:
    """Entries a second: rows read by one connection, and their two hashes made by one core."""

    read_per_second: float
    hashed_per_second: float


def fill(log: Log, entries: int) -> float:
    """Append and integrate so many entries; return how many a second."""
    clock, pool = SystemClock(), open_pool(log.roles["integrator"], max_size=2)
    integrator = Integrator(pool, [SIGNER], ORIGIN)
    started = time.perf_counter()
    with opened(log) as audit:
        for number, at in enumerate(range(0, entries, BATCH)):
            audit.append([draft() for _ in range(min(BATCH, entries - at))], clock.now())
            if number % 2:
                integrator.step(clock.now())
    while integrator.step(clock.now()):
        pass
    pool.close()
    with psycopg.connect(log.admin, autocommit=True) as connection:
        connection.execute("vacuum (analyze)")
        connection.execute("checkpoint")
    return entries / (time.perf_counter() - started)


def verified(log: Log, processes: Sequence[int], runs: int) -> list[Verified]:
    """Check with each number of processes in turn, so many times; one that fails is no figure."""
    taken: dict[int, list[float]] = {number: [] for number in processes}
    for _ in range(runs):
        for number in processes:
            started = time.perf_counter()
            with psycopg.connect(log.roles["auditor"]) as connection:
                report = fsck(connection, [SIGNER.verifier.vkey], ORIGIN, processes=number)
            taken[number].append(report.entries / (time.perf_counter() - started))
            if not report.passed or report.payloads != report.entries:
                raise RuntimeError(f"the check failed: {report.problems[:3]}")
    return [
        Verified(
            number, report.entries, report.checkpoints, sorted(rates)[len(rates) // 2], min(rates), max(rates)
        )
        for number, rates in taken.items()
    ]


def floor(log: Log, entries: int) -> Floor:
    """Measure what no check can do without."""
    started = time.perf_counter()
    with psycopg.connect(log.roles["auditor"]) as connection:
        for statement in (READ, READ_PAYLOADS):
            with connection.cursor().copy(statement) as rows:
                for _ in rows:
                    pass
    read = entries / (time.perf_counter() - started)
    clear, private = bytes(1160), bytes(2108)
    started = time.perf_counter()
    for _ in range(entries):
        sha256(clear).digest()
        sha256(private).digest()
    return Floor(read, entries / (time.perf_counter() - started))
