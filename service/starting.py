"""The start-up work of the API, done in a thread: checks, keys, partitions, kernels, models."""

from __future__ import annotations

from audit.log import AuditLog
from audit.note import Signer
from records.reaching import reaching, transaction
from registry.loading import VersionCache
from registry.proposing import Proposer
from runtime.clock import Clock
from runtime.postgres import check_durability
from runtime.settings import Settings
from service.context import Pools
from service.explanations.rehearsing import rehearse, rehearse_statements
from service.tasks import TaskSender


def start_up(
    settings: Settings,
    clock: Clock,
    *,
    pools: Pools,
    log: AuditLog,
    signer: Signer,
    versions: VersionCache,
    proposer: Proposer,
    tasks: TaskSender,
) -> None:
    """Makes the process able to serve; whatever raises is tried again, but `DurabilityOff` is final."""
    if not settings.allow_unsafe_durability:
        for pool in (pools.pool, pools.keys_pool):
            with transaction(pool) as connection:
                check_durability(connection)
    log.publish_verifier_key("receipt", signer.verifier.vkey, clock.now())
    log.ensure_partitions(clock.now())
    warm_kernels(settings)
    with reaching():
        loaded = versions.load_all_approved()
    rehearse(log, clock, loaded, proposer)
    rehearse_statements(log, clock, pools)
    tasks.prepare()


def warm_kernels(settings: Settings) -> None:
    """Imports and compiles what the first explanation needs; about a second from the cache directory."""
    from explain import warming  # noqa: PLC0415 - pulls the compiler in: seconds

    warming.warm_answers(settings.cache_dir)
