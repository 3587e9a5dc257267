"""Evaluations: asked for, looked at, cancelled."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import Response

from records import evaluations
from records.tokens import Principal
from schemas.base import format_moment
from schemas.evaluation import Evaluation, EvaluationRequest
from service.bodies import answered, read_document
from service.context import services_of
from service.openapi import body_of
from service.requesting import cancel, look, request
from service.routes.ids import entry_id
from service.security import needs

router = APIRouter(tags=["evaluations"])

Evaluator = Annotated[Principal, Depends(needs("evaluate"))]
CompareWith = Annotated[
    str | None,
    Query(description="of `reference_comparison`: the other reference, if the parameters name none"),
]


@router.post(
    "/v1/evaluations",
    status_code=202,
    responses={202: {"model": Evaluation}},
    openapi_extra=body_of(EvaluationRequest),
)
async def post_evaluation(http: Request, principal: Evaluator, reference: CompareWith = None) -> Response:
    """Ask a worker for one evaluation."""
    asked = await read_document(http, EvaluationRequest)
    services = services_of(http)
    requested = await services.desk.run(request, services, asked, principal.name, reference)
    where = {"Location": f"/v1/evaluations/{requested.evaluation_id}"}
    return answered(_wire(requested), 202, where)


@router.get(
    "/v1/evaluations/{evaluation_id}",
    responses={200: {"model": Evaluation}},
    dependencies=[Depends(needs("evaluate"))],
)
async def get_evaluation(evaluation_id: str, http: Request) -> Response:
    """How far an evaluation is, and its result."""
    services = services_of(http)
    return answered(_wire(await services.desk.run(look, services, entry_id(evaluation_id))))


@router.delete("/v1/evaluations/{evaluation_id}", status_code=202, responses={202: {"model": Evaluation}})
async def delete_evaluation(evaluation_id: str, http: Request, principal: Evaluator) -> Response:
    """Cancel an evaluation that has not finished."""
    services = services_of(http)
    cancelled = await services.desk.run(cancel, services, entry_id(evaluation_id), principal.name)
    return answered(_wire(cancelled), 202)


def _wire(found: evaluations.Evaluation) -> dict[str, object]:
    return {
        "evaluation_id": str(found.evaluation_id),
        "kind": found.kind,
        "model": found.model,
        "version": found.version,
        "parameters": dict(found.parameters),
        "state": found.state,
        "progress": found.progress,
        "result": None if found.result is None else dict(found.result),
        "failure": found.failure if found.state == "failed" else None,
        "attempts": found.attempts,
        "requested_at": format_moment(found.requested_at),
        "started_at": None if found.started_at is None else format_moment(found.started_at),
        "finished_at": None if found.finished_at is None else format_moment(found.finished_at),
        "requested_entry_id": str(found.requested_entry_id),
        "outcome_entry_id": None if found.outcome_entry_id is None else str(found.outcome_entry_id),
    }
