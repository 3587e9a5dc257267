"""Whether decisions can be explained and put on record now; each check says what fails, or nothing."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import date, timedelta

from records.health import reach, why_not_writable
from records.reaching import reaching
from service.context import Services

logger = logging.getLogger("service.readiness")


def examine(services: Services) -> dict[str, str | None]:
    """Every check by name, with its failure or None; one that fails does not stop the others."""
    checks: dict[str, Callable[[Services], str | None]] = {
        "start": lambda found: found.warming.failure(),
        "database": _database,
        "keys": lambda found: reach(found.keys_pool),
        "log": lambda found: why_not_writable(found.single_statements),
        "partitions": _partitions,
        "models": _models,
    }
    return {name: _guarded(name, check, services) for name, check in checks.items()}


def warn(services: Services) -> dict[str, str]:
    """What does not keep us from serving and should be looked at, by name."""
    said = _guarded("integration", lambda found: found.lag.warning(), services)
    return {} if said is None else {"integration": said}


def _guarded(name: str, check: Callable[[Services], str | None], services: Services) -> str | None:
    try:
        return check(services)
    except Exception as error:
        logger.warning("a readiness check failed", exc_info=error, extra={"kind": name})
        return "cannot be checked"


def _database(services: Services) -> None:
    for pool in (services.pool, services.single_statements):
        reach(pool)


def _partitions(services: Services) -> str | None:
    """This month's and next month's: an entry must never be refused for want of a place."""
    today = services.clock.now().date()
    missing = [
        name
        for month in (today.replace(day=1), _next(today))
        for name in services.log.missing_partitions(month)
    ]
    return f"no partition for {', '.join(missing)}" if missing else None


def _next(day: date) -> date:
    return (day.replace(day=1) + timedelta(days=32)).replace(day=1)


def _models(services: Services) -> str | None:
    if services.warming.failure() is not None:
        return "not yet loaded"
    with reaching():
        services.versions.load_all_approved()
    return None
