"""Explanations computed again from their record."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from records.tokens import Principal
from schemas.replay import Replay
from service.bodies import answered
from service.context import services_of
from service.replaying.replaying import replay
from service.routes.ids import entry_id
from service.security import needs

router = APIRouter(tags=["explanations"])

Reader = Annotated[Principal, Depends(needs("read"))]


@router.post("/v1/explanations/{explanation_id}/replay", responses={200: {"model": Replay}})
async def post_replay(explanation_id: str, request: Request, principal: Reader) -> Response:
    """Compute an explanation again from its record, with the very version that decided, and compare.

    Takes no body. The replay is on record before it is answered; the explanation stays what it is.
    """
    services = services_of(request)
    return answered(await replay(services, entry_id(explanation_id), principal))
