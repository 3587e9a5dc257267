"""What one working process holds: connections, the log with its keys, the loaded models."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from audit.keys import KeyStore
from audit.log import AuditLog
from registry.loading import VersionCache
from registry.proposing import Proposer
from runtime.clock import Clock, SystemClock
from runtime.postgres import Pool, open_pool
from runtime.settings import Settings
from workers.policy import Policy

ACTOR = "worker"


@dataclass(frozen=True, slots=True)
class Resources:
    """Everything an evaluation needs; opened after the fork and never shared between processes."""

    pool: Pool
    log: AuditLog
    versions: VersionCache
    clock: Clock
    policy: Policy
    proposer: Proposer
    stopping: Callable[[], bool] = lambda: False


@contextmanager
def open_resources(
    settings: Settings,
    policy: Policy,
    *,
    clock: Clock | None = None,
    stopping: Callable[[], bool] = lambda: False,
) -> Iterator[Resources]:
    """Open the pools (in the background) and close them at the end."""
    with (
        open_pool(settings.database_url, max_size=4, name="ofrecord-worker") as pool,
        open_pool(settings.keys_database_url, max_size=2, name="ofrecord-worker-keys") as keys_pool,
    ):
        log = AuditLog(pool, KeyStore(keys_pool, settings.master_key), origin=settings.log_origin)
        versions = VersionCache(pool, cache_dir=settings.cache_dir, table_bytes=settings.table_memory_bytes)
        proposer = Proposer(settings.counterfactual_socket)
        yield Resources(pool, log, versions, clock or SystemClock(), policy, proposer, stopping)
