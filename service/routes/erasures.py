"""Erasures: asked for, looked at."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from records.tokens import Principal
from schemas.erasure import Erasure, ErasureRefusal, ErasureRequest
from service.bodies import answered, read_document
from service.context import services_of
from service.erasing import look, request
from service.openapi import body_of
from service.routes.ids import entry_id
from service.security import needs

router = APIRouter(tags=["erasures"])

Administrator = Annotated[Principal, Depends(needs("admin"))]


@router.post(
    "/v1/erasures",
    status_code=202,
    responses={202: {"model": Erasure}, 409: {"model": ErasureRefusal}},
    openapi_extra=body_of(ErasureRequest),
)
async def post_erasure(http: Request, principal: Administrator) -> Response:
    """Make everything about one person unreadable, at once or at a time to come.

    Refused while something must be kept or is held. A request for an earlier time brings one forward that is
    scheduled; any other is answered with it as it is, until a day after its end. 404: nothing is on record
    under this name.
    """
    asked = await read_document(http, ErasureRequest)
    told = await request(services_of(http), asked, principal)
    return answered(told, 202, {"Location": f"/v1/erasures/{told['erasure_id']}"})


@router.get(
    "/v1/erasures/{erasure_id}",
    responses={200: {"model": Erasure}},
    dependencies=[Depends(needs("audit"))],
)
async def get_erasure(erasure_id: str, http: Request) -> Response:
    """How far an erasure is; it names nobody."""
    services = services_of(http)
    return answered(await services.desk.run(look, services, entry_id(erasure_id)))
