"""Whether the process lives, whether it can serve, and its numbers."""

from __future__ import annotations

import ipaddress
from contextlib import suppress
from functools import partial
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from fastapi.security import HTTPAuthorizationCredentials
from starlette.responses import Response

from audit.errors import AuditUnavailable
from records.reaching import RecordsUnavailable
from runtime.metrics import QUEUE_DEPTH, SEARCHES_WAITING, exposition
from service.bodies import answered
from service.context import Services, services_of
from service.errors import TooBusy
from service.letters.noticing import measure
from service.readiness import examine, warn
from service.security import bearer, needs

router = APIRouter(tags=["operation"])


@router.get("/healthz")
async def healthz() -> Response:
    """The process lives."""
    return answered({"status": "ok"})


@router.get("/readyz", responses={503: {"description": "names each check that fails"}})
async def readyz(request: Request) -> Response:
    """Whether decisions can be explained and put on record now, check by check."""
    services = services_of(request)
    checks, warnings = await services.desk.run(_examine, services)
    ready = all(failure is None for failure in checks.values())
    body = {
        "status": "ready" if ready else "not ready",
        "checks": {name: failure or "ok" for name, failure in checks.items()},
        "warnings": warnings,
    }
    return answered(body, 200 if ready else 503, None if ready else {"Retry-After": "1"})


@router.get("/metrics", responses={200: {"content": {"text/plain": {}}}})
async def metrics(
    request: Request, credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)]
) -> Response:
    """Prometheus: open to this machine itself, for anybody else with a token that may `read`.

    The numbers hold no personal data, but model names and volumes are nobody else's business.
    """
    if not _is_local(request):
        await needs("read")(request, credentials)
    services = services_of(request)
    QUEUE_DEPTH.set(services.committer.waiting())
    SEARCHES_WAITING.set(services.seek.waiting)
    for work in (partial(measure, services), services.lag.measure):
        with suppress(RecordsUnavailable, AuditUnavailable, TooBusy):  # the others are worth more than none
            await services.desk.run(work)
    body, content_type = exposition()
    return Response(body, media_type=content_type)


def _examine(services: Services) -> tuple[dict[str, str | None], dict[str, str]]:
    return examine(services), warn(services)


def _is_local(request: Request) -> bool:
    if request.client is None:
        return False
    try:
        return ipaddress.ip_address(request.client.host).is_loopback
    except ValueError:
        return False
