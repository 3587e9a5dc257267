"""Reason catalogues: registered, listed, and chosen for a model version."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import Response

from records.tokens import Principal
from registry.documents import JSON_TYPES, YAML_TYPES
from schemas.catalogue import CatalogueDocument
from schemas.catalogue_version import CatalogueBinding, CatalogueList, CatalogueSummary, CatalogueVersion
from schemas.model_version import ModelVersion
from service.bodies import answered, read_document
from service.context import services_of
from service.errors import UnsupportedMediaType
from service.models import cataloguing, listing
from service.openapi import body_of
from service.security import needs

router = APIRouter(prefix="/v1", tags=["catalogues"])

Registrar = Annotated[Principal, Depends(needs("register"))]
Approver = Annotated[Principal, Depends(needs("approve"))]
READING = Depends(needs("read"))


def _catalogue_body() -> dict[str, Any]:
    """The body of a registration: the document as JSON, or as YAML."""
    described = body_of(CatalogueDocument)
    described["requestBody"]["content"]["application/yaml"] = {"schema": {"type": "string"}}
    return described


@router.post(
    "/catalogues",
    status_code=201,
    responses={201: {"model": CatalogueVersion}},
    openapi_extra=_catalogue_body(),
)
async def post_catalogue(request: Request, principal: Registrar) -> Response:
    """Register one version of a catalogue, as JSON or YAML."""
    services = services_of(request)
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type not in JSON_TYPES | YAML_TYPES:
        raise UnsupportedMediaType("A catalogue is sent as application/json or application/yaml.")
    body = await request.body()
    made = await services.desk.run(cataloguing.register, services, body, media_type, principal.name)
    name, version = made.catalogue.name, made.catalogue.version
    described = await services.desk.run(cataloguing.version, services, name, version)
    where = {"Location": f"/v1/catalogues/{name}/versions/{version}"}
    return answered({**described, "receipt": made.receipt.to_json()}, 201, where)


@router.get("/catalogues", responses={200: {"model": CatalogueList}}, dependencies=[READING])
async def list_catalogues(
    request: Request,
    cursor: Annotated[str, Query(max_length=129, pattern=r"^[A-Za-z0-9._@-]*$")] = "",
    limit: Annotated[int, Query(ge=1, le=100)] = 100,
) -> Response:
    """All catalogues in order of name: registered, inside manifests, and shipped."""
    services = services_of(request)
    return answered(await services.desk.run(cataloguing.catalogues, services, cursor, limit))


@router.get("/catalogues/{name}", responses={200: {"model": CatalogueSummary}}, dependencies=[READING])
async def get_catalogue(name: str, request: Request) -> Response:
    """One catalogue and its versions."""
    services = services_of(request)
    return answered(await services.desk.run(cataloguing.catalogue, services, name))


@router.get(
    "/catalogues/{name}/versions/{version}",
    responses={200: {"model": CatalogueVersion}},
    dependencies=[READING],
)
async def get_catalogue_version(name: str, version: str, request: Request) -> Response:
    """One version of a catalogue with its words."""
    services = services_of(request)
    return answered(await services.desk.run(cataloguing.version, services, name, version))


@router.post(
    "/models/{model}/versions/{version}/catalogue",
    responses={200: {"model": ModelVersion}},
    openapi_extra=body_of(CatalogueBinding),
)
async def post_catalogue_of_version(
    model: str, version: str, request: Request, principal: Approver
) -> Response:
    """Let another catalogue word the reasons of a version from now on; what is on record keeps its words."""
    services = services_of(request)
    wanted = await read_document(request, CatalogueBinding)
    rebinding = cataloguing.Rebinding(model, version, wanted, principal.name)
    receipt = await services.desk.run(cataloguing.change, services, rebinding)
    described = await services.desk.run(listing.version, services, model, version)
    return answered({**described, "receipt": receipt.to_json()})
