"""The integrator's loop: pending entries get their index, the tree grows, the checkpoint is signed.

It needs PostgreSQL and the checkpoint key, and no queue. A second integrator is harmless. What contradicts
what was signed stops it by name; it must not be started again before somebody has looked.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence

from audit.errors import IntegrityHalt, LimitContradicted
from audit.integrate import Integrator
from runtime.clock import Clock, SystemClock
from runtime.errors import SettingsError
from runtime.metrics import PENDING_AGE_SECONDS, PENDING_ENTRIES
from runtime.settings import Settings
from workers.log_keys import log_keys, log_signers, witness_keys
from workers.looping import loop, loop_pool
from workers.publishing import Publishing, publishing

_LOG = logging.getLogger(__name__)

IDLE_SECONDS = 0.1
REPORT_SECONDS = 10.0
OVERDUE_SECONDS = 60  # an entry that waits longer is an alarm, long before its receipt's promise is broken
HALTED = 3  # the exit code of a process that met an IntegrityHalt


def run(settings: Settings, stop: threading.Event, *, clock: Clock | None = None) -> None:
    """Run until `stop` is set; an absent database is waited for, an IntegrityHalt is raised."""
    clock = clock or SystemClock()
    signers, known = log_signers(settings), log_keys(settings)
    witnesses = [key.vkey for key, _ in witness_keys(settings)]
    with (
        loop_pool(settings.database_url, "ofrecord-integrator") as pool,
        publishing(settings, stop) as published,
    ):
        integrator = Integrator(pool, signers, settings.log_origin, trusted=known)
        try:
            loop(pool, integrator_step(integrator, clock, published, witnesses), stop)
        except IntegrityHalt as halt:
            _LOG.critical("halted: what is stored contradicts what was signed", extra={"reason": str(halt)})
            raise


def integrator_step(
    integrator: Integrator, clock: Clock, published: Publishing, witnesses: Sequence[str]
) -> Callable[[], float]:
    """One turn of the integrator, as a function that returns the seconds to rest: none while a batch is full.

    The first turn checks the tree's right edge against the signed root, waits for what witnesses and the
    public folder say of it, and makes the keys known. Nothing is signed before, nor after a contradiction,
    nor while none of those that are configured could be asked.
    Under load it gives places to a tenth of a second of entries at a time: each turn costs a transaction
    and a signature, and each checkpoint is one to verify, for ever.
    """
    ready = False
    reported_at = clock.now()

    def step() -> float:
        nonlocal ready, reported_at
        if not ready:
            size = integrator.verify_edge()
            if not published.wait_for_first_look():
                return 0.0
            try:
                integrator.publish_keys(clock.now(), witnesses)
            except LimitContradicted as error:
                raise SettingsError("OFRECORD_LOG_VERIFIER_KEYS", str(error)) from error
            _LOG.info("the tree's right edge is as signed", extra={"tree_size": size})
            ready = True
        published.check()
        count = integrator.step(clock.now())
        if count:
            _LOG.debug("integrated", extra={"count": count})
        if (clock.now() - reported_at).total_seconds() >= REPORT_SECONDS:
            reported_at = clock.now()
            _report(integrator, clock)
        return 0.0 if count >= integrator.batch else IDLE_SECONDS

    return step


def _report(integrator: Integrator, clock: Clock) -> None:
    """Tell how much waits and for how long."""
    backlog = integrator.backlog()
    age = 0.0 if backlog.oldest is None else (clock.now() - backlog.oldest).total_seconds()
    PENDING_ENTRIES.set(backlog.entries)
    PENDING_AGE_SECONDS.set(age)
    level = logging.CRITICAL if age > OVERDUE_SECONDS else logging.DEBUG
    _LOG.log(level, "backlog", extra={"pending": backlog.entries, "duration_ms": round(age * 1000)})
