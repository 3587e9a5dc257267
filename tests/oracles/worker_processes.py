"""Real worker processes and schedulers, to be killed as a machine that loses power would kill them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

import redis

from runtime.settings import Settings
from workers import scheduling
from workers.policy import Policy

ROOT = Path(__file__).resolve().parents[2]
POLICY = Policy(lease_seconds=1.5, heartbeat_seconds=0.1, unclaimed_seconds=0.5, tick_seconds=0.1)
PROGRAM = """
import sys
from pathlib import Path
from runtime.broker import QUEUE
from runtime.settings import Settings
from runtime.telemetry import configure_logging
from workers.app import create_worker
from workers.policy import Policy
names = ("database_url", "keys_database_url", "broker_url", "log_origin")
settings = Settings(**dict(zip(names, sys.argv[1:])), master_key=b"k" * 32, cache_dir=Path(sys.argv[5]))
policy = Policy(lease_seconds=1.5, heartbeat_seconds=0.1, search_effort=int(sys.argv[6]))
configure_logging("worker", "INFO")
worker = create_worker(settings, policy).Worker(
    pool="prefork", concurrency=1, queues=[QUEUE], quiet=True,
    without_gossip=True, without_mingle=True, without_heartbeat=True,
)
worker.start()
sys.exit(worker.exitcode or 0)
"""


def flush(url: str) -> None:
    password, _, path = url.removeprefix("redis+socket://:").partition("@")
    with redis.Redis(unix_socket_path=path.partition("?")[0], password=password) as client:
        client.flushall()


@contextmanager
def worker(settings: Settings, search_effort: int = 1_000_000) -> Iterator[subprocess.Popen[bytes]]:
    arguments = (
        settings.database_url,
        settings.keys_database_url,
        settings.broker_url,
        settings.log_origin,
        str(settings.cache_dir),
        str(search_effort),
    )
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, *arguments],
        cwd=ROOT,
        start_new_session=True,
    )
    try:
        yield process
    finally:
        kill_all(process)


def kill_all(process: subprocess.Popen[bytes]) -> None:
    """Kill the worker and its children, which are its session, as a machine that loses power would."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait(timeout=10)


@contextmanager
def schedulers(settings: Settings, count: int) -> Iterator[None]:
    stop = threading.Event()
    with ThreadPoolExecutor(count) as threads:
        running = [threads.submit(scheduling.run, settings, stop, policy=POLICY) for _ in range(count)]
        try:
            yield
        finally:
            stop.set()
    for future in running:
        future.result()
