"""Legal holds: placed, looked at, released."""

from __future__ import annotations

from typing import Annotated

import orjson
from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import Response

from records.tokens import Principal
from schemas.hold import Hold, HoldList, HoldRefusal, HoldRequest
from service.bodies import answered, read_document
from service.context import services_of
from service.holding import listed, place, read, release
from service.openapi import body_of
from service.routes.ids import entry_id
from service.security import needs

router = APIRouter(tags=["holds"])

Administrator = Annotated[Principal, Depends(needs("admin"))]
Auditor = Annotated[Principal, Depends(needs("audit"))]

RECEIPT_HEADER = "Ofrecord-Receipt"


@router.post(
    "/v1/holds",
    status_code=201,
    responses={201: {"model": Hold}, 409: {"model": HoldRefusal}},
    openapi_extra=body_of(HoldRequest),
)
async def post_hold(http: Request, principal: Administrator) -> Response:
    """Place a hold: from this answer on nothing that it covers is erased or expires.

    What had expired by then is not held, and `past_saving` says in which months that was. 409: it comes too
    late for what it covers, or for a month that is being destroyed; once that is over it can be placed.
    """
    asked = await read_document(http, HoldRequest)
    services = services_of(http)
    told = await services.desk.run(place, services, asked, principal.name)
    return answered(told, 201, {"Location": f"/v1/holds/{told['hold_id']}"})


@router.get("/v1/holds", responses={200: {"model": HoldList}}, dependencies=[Depends(needs("audit"))])
async def list_all(
    http: Request,
    active: bool | None = None,
    cursor: Annotated[str | None, Query(min_length=1, max_length=256)] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
) -> Response:
    """Holds in the order in which they were placed, without their reasons; looking is not put on record."""
    services = services_of(http)
    return answered(await services.desk.run(listed, services, active, cursor, limit))


@router.get("/v1/holds/{hold_id}", responses={200: {"model": Hold}})
async def get_hold(hold_id: str, http: Request, principal: Auditor) -> Response:
    """One hold with its reason; the reading is logged first."""
    return answered(await read(services_of(http), entry_id(hold_id), principal))


@router.delete(
    "/v1/holds/{hold_id}",
    status_code=204,
    responses={
        204: {
            "description": "released, now or before",
            "headers": {
                RECEIPT_HEADER: {
                    "description": "the receipt of the release, as JSON in one line",
                    "schema": {"type": "string"},
                }
            },
        }
    },
)
async def delete_hold(hold_id: str, http: Request, principal: Administrator) -> Response:
    """Release a hold; what waited for it goes on. An empty answer has its receipt in a header."""
    services = services_of(http)
    told = await services.desk.run(release, services, entry_id(hold_id), principal.name)
    receipt = orjson.dumps(told["released_receipt"]).decode()
    return Response(status_code=204, headers={RECEIPT_HEADER: receipt})
