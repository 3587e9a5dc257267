"""The integrator's loop: any number of them, stopped in time, through lost connections, halted by name."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest

from audit.entry import Draft
from audit.errors import IntegrityHalt
from audit.fsck import fsck
from audit.log import AuditLog
from audit.note import Signer
from runtime.clock import SystemClock
from runtime.postgres import Pool
from runtime.settings import Settings
from workers import integrating

ORIGIN = "test.example/log"
ROOT = Path(__file__).resolve().parents[3]


@contextmanager
def _running(count: int, settings: Settings) -> Iterator[list[Future[None]]]:
    stop = threading.Event()
    with ThreadPoolExecutor(count) as threads:
        running = [threads.submit(integrating.run, settings, stop) for _ in range(count)]
        try:
            yield running
        finally:
            stop.set()
    for future in running:
        future.result()


def _append(log: AuditLog, count: int) -> None:
    now = SystemClock().now()
    log.append([Draft(type="log.tested", actor="test", body={"n": n}) for n in range(count)], now)


def _size(log: AuditLog) -> int:
    checkpoint = log.newest_checkpoint()
    return checkpoint.tree_size if checkpoint else 0


def test_two_integrators_make_one_tree(
    database: Any,
    service: tuple[Pool, AuditLog],
    integrator_settings: Settings,
    until: Callable[..., Any],
) -> None:
    log = service[1]
    with _running(2, integrator_settings):
        for _ in range(15):
            _append(log, 20)
        until(lambda: _size(log) == 300)
        vkeys = [key.vkey for key in log.verifier_keys() if key.role == "checkpoint"]
    assert vkeys == [Signer.parse(integrator_settings.checkpoint_key).verifier.vkey]
    with psycopg.connect(database.url("auditor")) as conn:
        report = fsck(conn, vkeys, ORIGIN)
    assert report.problems == ()
    assert (report.entries, report.tree_size, report.passed) == (300, 300, True)


def test_an_absent_database_is_waited_for(
    database: Any,
    service: tuple[Pool, AuditLog],
    integrator_settings: Settings,
    until: Callable[..., Any],
) -> None:
    log = service[1]
    with _running(1, integrator_settings), psycopg.connect(database.server.url(), autocommit=True) as admin:
        _append(log, 5)
        until(lambda: _size(log) == 5)
        admin.execute(f"alter database {database.name} allow_connections false".encode())
        admin.execute(
            b"select pg_terminate_backend(pid) from pg_stat_activity where datname = %s", (database.name,)
        )
        time.sleep(0.8)
        admin.execute(f"alter database {database.name} allow_connections true".encode())
        service[0].check()
        until(lambda: _appended(log, 5))
        until(lambda: _size(log) == 10)


def _appended(log: AuditLog, count: int) -> bool:
    try:
        _append(log, count)
    except Exception:  # noqa: BLE001  (the service's own pool is recovering too)
        return False
    return True


def test_a_tree_that_is_not_what_was_signed_halts_the_integrator(
    service: tuple[Pool, AuditLog], integrator_settings: Settings, until: Callable[..., Any]
) -> None:
    log = service[1]
    with _running(1, integrator_settings):
        _append(log, 5)
        until(lambda: _size(log) == 5)
    stranger = replace(integrator_settings, checkpoint_key=Signer.generate(ORIGIN).private_text())
    with pytest.raises(IntegrityHalt, match="newest checkpoint"):
        integrating.run(stranger, threading.Event())
    command = subprocess.run(
        [sys.executable, "-m", "cli", "integrate"],
        cwd=ROOT,
        env={
            **os.environ,
            "OFRECORD_DATABASE_URL": stranger.database_url,
            "OFRECORD_CHECKPOINT_KEY": stranger.checkpoint_key,
            "OFRECORD_LOG_ORIGIN": ORIGIN,
            "OFRECORD_ALLOW_UNSAFE_DURABILITY": "1",
        },
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert command.returncode == integrating.HALTED
    assert "halted: what is stored contradicts what was signed" in command.stderr
    assert "the newest checkpoint: no known key has signed this note" in command.stderr


PROGRAM = """
import signal, sys, threading
from runtime.settings import Settings
from workers import integrating, scheduling
stop = threading.Event()
signal.signal(signal.SIGTERM, lambda *_: stop.set())
names = ("database_url", "broker_url", "checkpoint_key", "log_origin")
settings = Settings(**dict(zip(names, sys.argv[2:])))
print("started", flush=True)
{"integrate": integrating, "schedule": scheduling}[sys.argv[1]].run(settings, stop)
print("stopped", flush=True)
"""


@pytest.mark.parametrize("database_is_there", [True, False])
@pytest.mark.parametrize("what", ["integrate", "schedule"])
def test_a_loop_stops_within_a_second(
    database: Any,
    integrator_settings: Settings,
    settings: Settings,
    what: str,
    database_is_there: bool,
) -> None:
    url = {"integrate": integrator_settings, "schedule": settings}[what].database_url
    if not database_is_there:
        url = "postgresql://nobody@127.0.0.1:1/nothing"
    arguments = [what, url, settings.broker_url, integrator_settings.checkpoint_key, ORIGIN]
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, *arguments], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "started\n"
    time.sleep(0.5)
    told = time.monotonic()
    process.send_signal(signal.SIGTERM)
    assert process.communicate(timeout=10)[0] == "stopped\n"
    assert process.returncode == 0
    assert time.monotonic() - told < 1.0
