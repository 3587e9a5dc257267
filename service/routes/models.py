"""Models: registered, listed, approved."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import Response

from records.tokens import Principal
from schemas.model_version import ApprovalRequest, ModelList, ModelSummary, ModelVersion
from service.bodies import answered, read_document
from service.context import services_of
from service.models import listing
from service.models.approving import Change, decide_status
from service.models.registering import register
from service.models.uploads import read_upload
from service.openapi import body_of, registration_body
from service.security import needs

router = APIRouter(prefix="/v1/models", tags=["models"])

Registrar = Annotated[Principal, Depends(needs("register"))]
Approver = Annotated[Principal, Depends(needs("approve"))]
READING = Depends(needs("read"))


@router.post("", status_code=201, responses={201: {"model": ModelVersion}}, openapi_extra=registration_body())
async def post_model(request: Request, principal: Registrar) -> Response:
    """Register a model version: manifest, artifact and reference, examined before they are stored."""
    services = services_of(request)
    services.warming.require()
    upload = await read_upload(request)
    made = await services.gate.run(register, services, upload, principal.name)
    version = await services.desk.run(listing.version, services, made.model, made.version)
    where = {"Location": f"/v1/models/{made.model}/versions/{made.version}"}
    return answered({**version, "receipt": made.receipt.to_json()}, 201, where)


@router.get("", responses={200: {"model": ModelList}}, dependencies=[READING])
async def list_models(
    request: Request,
    cursor: Annotated[str, Query(max_length=64, pattern=r"^[A-Za-z0-9._-]*$")] = "",
    limit: Annotated[int, Query(ge=1, le=100)] = 100,
) -> Response:
    """The inventory, in order of name."""
    services = services_of(request)
    return answered(await services.desk.run(listing.models, services, cursor, limit))


@router.get("/{model}", responses={200: {"model": ModelSummary}}, dependencies=[READING])
async def get_model(model: str, request: Request) -> Response:
    """One model and its versions."""
    services = services_of(request)
    return answered(await services.desk.run(listing.model, services, model))


@router.get("/{model}/versions/{version}", responses={200: {"model": ModelVersion}}, dependencies=[READING])
async def get_version(model: str, version: str, request: Request) -> Response:
    """One version with its manifest and capability report."""
    services = services_of(request)
    return answered(await services.desk.run(listing.version, services, model, version))


@router.post(
    "/{model}/versions/{version}/approval",
    responses={200: {"model": ModelVersion}},
    openapi_extra=body_of(ApprovalRequest),
)
async def post_approval(model: str, version: str, request: Request, principal: Approver) -> Response:
    """Approve or retire a version; approval retires the one approved before."""
    services = services_of(request)
    wanted = await read_document(request, ApprovalRequest)
    change = Change(model, version, wanted, principal.name)
    receipt = await services.desk.run(decide_status, services, change)
    described = await services.desk.run(listing.version, services, model, version)
    return answered({**described, "receipt": receipt.to_json()})
