"""The register of a million decisions (P6): `python -m benchmarks.reports [JSON-FILE]`.

A scratch PostgreSQL with fsync on, a million synthetic decisions that were put into the log's tables directly
and projected from the first entry on as the scheduler does; then the whole register, as CSV and as JSON, from
the request to its last byte: without HTTP, pull entry included, and over HTTP from a process of its own.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from functools import partial
from http.client import HTTPConnection
from pathlib import Path

import psycopg

from audit.keys import KeyStore
from audit.log import AuditLog
from audit.receipt import issue_receipt
from benchmarks.machine import machine
from benchmarks.scratch import ORIGIN, Bench, bench, load, project
from records.tokens import issue_token
from reports.registers.offered import find_report
from reports.registers.pulling import Bounds, Desk, make
from reports.registers.report import FORMS, Asked, Form
from runtime.clock import SystemClock
from runtime.postgres import open_pool

ROWS = 1_000_000
TURNS = 3
CHUNK = 1 << 20


@dataclass(frozen=True)
class Pulled:
    """One way to pull the register: seconds of each turn, from the request to the last byte."""

    form: Form
    over_http: bool
    rows: int
    mib: float
    seconds: list[float]
    first_byte_seconds: list[float]


@dataclass(frozen=True)
class Result:
    """What one run found.

    `busy_before` is the load of the machine, in processes, when it began; `peak_mib` the most memory that
    this process had after the pulls without HTTP.
    """

    rows: int
    busy_before: float
    load_seconds: float
    project_seconds: float
    table_mib: float
    peak_mib: float
    pulled: list[Pulled]


@contextmanager
def desk(place: Bench) -> Iterator[Desk]:
    """Open what a pull needs."""
    with (
        open_pool(place.url("service"), max_size=4, statement_timeout_ms=0) as pool,
        open_pool(place.url("service", keys=True), autocommit=True) as keys,
    ):
        yield Desk(
            pool=pool,
            log=AuditLog(pool, KeyStore(keys, bytes(32)), origin=ORIGIN),
            clock=SystemClock(),
            organisation="Benchmark",
            vkeys=(place.checkpoint_key.verifier.vkey,),
            receipt=lambda appended, _: issue_receipt(place.receipt_key, ORIGIN, appended),
            folder=place.folder / "reports",
        )


def pull(at: Desk, form: Form) -> tuple[float, float, int, int]:
    """Pull the register and read every byte; return the seconds, those to the first byte, rows, size."""
    started = time.perf_counter()
    made = make(at, find_report("period-register"), Asked(), form, Bounds())
    try:
        recorded = at.log.append(made.drafts("benchmark"), at.clock.now())[-1]
        size = len(made.opening(recorded.entry_id, "benchmark"))
        first = time.perf_counter() - started
        size += sum(len(chunk) for chunk in made.chunks()) + len(made.closing())
        return time.perf_counter() - started, first, made.written.rows, size
    finally:
        made.close()


@contextmanager
def serving(place: Bench, port: int) -> Iterator[None]:
    """Run the API as it is run, in a process of its own."""
    told = {
        "OFRECORD_DATABASE_URL": place.url("service"),
        "OFRECORD_KEYS_DATABASE_URL": place.url("service", keys=True),
        "OFRECORD_BROKER_URL": place.broker_url,
        "OFRECORD_MASTER_KEY": bytes(32).hex(),
        "OFRECORD_RECEIPT_KEY": place.receipt_key.private_text(),
        "OFRECORD_LOG_ORIGIN": ORIGIN,
        "OFRECORD_CACHE_DIR": str(place.folder / "cache"),
        "OFRECORD_LOG_LEVEL": "ERROR",
    }
    command = [sys.executable, "-m", "cli", "serve", "--port", str(port)]
    process = subprocess.Popen(command, env={**os.environ, **told})
    try:
        until = time.monotonic() + 180
        while _status(port) != 200:
            if time.monotonic() > until or process.poll() is not None:
                raise RuntimeError("the API does not become ready")
            time.sleep(0.2)
        yield
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=60)


def _status(port: int) -> int:
    connection = HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", "/readyz")
        return connection.getresponse().status
    except OSError:
        return 0
    finally:
        connection.close()


def fetch(port: int, token: str, form: Form) -> tuple[float, float, int, int]:
    """The same over HTTP; the digest in the header is compared with the bytes that came, outside the time."""
    connection = HTTPConnection("127.0.0.1", port, timeout=300)
    parts: list[bytes] = []
    started = time.perf_counter()
    connection.request(
        "GET", f"/v1/reports/period-register?format={form}", headers={"Authorization": f"Bearer {token}"}
    )
    answer = connection.getresponse()
    first = time.perf_counter() - started
    while chunk := answer.read(CHUNK):
        parts.append(chunk)
    seconds = time.perf_counter() - started
    connection.close()
    body = b"".join(parts)
    if form == "json":
        start, end = body.index(b"\n", body.index(b"\n") + 1) + 1, len(body) - len(b"]}\n")
        rows = body.count(b"\n", start, end)
    else:
        start, end = body.index(b"\n", body.index(b"\n# data") + 1) + 1, len(body)
        rows = body.count(b"\n", start, end) - 1
    digest = hashlib.sha256(memoryview(body)[start:end]).hexdigest()
    assert answer.getheader("Ofrecord-Digest") == f"sha256:{digest}"
    return seconds, first, rows, len(body)


def measure(rows: int) -> Result:
    """Load, project, pull."""
    busy = os.getloadavg()[0]
    with bench() as place:
        load_seconds, project_seconds = load(place, rows), project(place)
        with psycopg.connect(place.admin_url, autocommit=True) as conn:
            conn.execute("vacuum analyze records.decision")
            size = conn.execute("select pg_total_relation_size('records.decision') / 1048576.0").fetchone()
        assert size is not None
        pulled = []
        with desk(place) as at:
            now = at.clock.now()
            with at.pool.connection() as conn:
                token = issue_token(conn, at.log, "benchmark", ["audit"], now, issued_by="benchmark").secret
            pulled += [_turns(form, partial(pull, at, form), rows) for form in FORMS]
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        port = 18_320 + os.getpid() % 1000
        with serving(place, port):
            pulled += [
                _turns(form, partial(fetch, port, token, form), rows, over_http=True) for form in FORMS
            ]
    return Result(rows, busy, load_seconds, project_seconds, float(size[0]), peak, pulled)


def _turns(
    form: Form, call: partial[tuple[float, float, int, int]], rows: int, *, over_http: bool = False
) -> Pulled:
    turns = [call() for _ in range(TURNS)]
    assert {turn[2] for turn in turns} == {rows}
    return Pulled(
        form=form,
        over_http=over_http,
        rows=rows,
        mib=turns[0][3] / (1 << 20),
        seconds=[turn[0] for turn in turns],
        first_byte_seconds=[turn[1] for turn in turns],
    )


def main() -> None:
    """Measure, print, and write what was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("output", nargs="?", type=Path)
    parser.add_argument("--rows", type=int, default=ROWS)
    arguments = parser.parse_args()
    document = {"machine": machine(), "result": asdict(measure(arguments.rows))}
    text = json.dumps(document, indent=1) + "\n"
    print(text, end="")
    if arguments.output is not None:
        arguments.output.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
