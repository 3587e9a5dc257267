"""The two sides of an evaluation: the service that asks and the workers that answer, on one real database."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from audit.keys import KeyStore
from audit.log import AuditLog
from audit.note import Signer
from runtime.clock import SystemClock
from runtime.postgres import Pool, open_pool
from runtime.settings import Settings

ORIGIN = "test.example/log"
MASTER_KEY = b"k" * 32
Side = tuple[Pool, AuditLog]


@pytest.fixture
def service(database: Any) -> Iterator[Side]:
    """The service's pool and log; partitions exist for the present and for the tests' fixed clock."""
    with open_pool(database.url("service")) as pool, open_pool(database.keys_url("service")) as keys:
        log = AuditLog(pool, KeyStore(keys, MASTER_KEY), origin=ORIGIN)
        log.ensure_partitions(SystemClock().now())
        yield pool, log


@pytest.fixture
def worker(database: Any) -> Iterator[Side]:
    """The worker's pool and log."""
    with open_pool(database.url("worker")) as pool, open_pool(database.keys_url("worker")) as keys:
        yield pool, AuditLog(pool, KeyStore(keys, MASTER_KEY), origin=ORIGIN)


@pytest.fixture
def settings(database: Any, valkey_url: str, tmp_path: Path) -> Settings:
    """The worker's own settings."""
    return Settings(
        database_url=database.url("worker"),
        keys_database_url=database.keys_url("worker"),
        broker_url=valkey_url,
        master_key=MASTER_KEY,
        log_origin=ORIGIN,
        cache_dir=tmp_path / "cache",
    )


@pytest.fixture
def integrator_settings(database: Any) -> Settings:
    """The integrator's own settings."""
    return Settings(
        database_url=database.url("integrator"),
        checkpoint_key=Signer.generate(ORIGIN).private_text(),
        log_origin=ORIGIN,
    )


@pytest.fixture
def until() -> Callable[..., Any]:
    """Wait for a value that is true, and return it."""

    def wait(read: Callable[[], Any], seconds: float = 20.0) -> Any:
        end = time.monotonic() + seconds
        while not (value := read()):
            assert time.monotonic() < end, "waited in vain"
            time.sleep(0.02)
        return value

    return wait
