"""Explanations: made, read back, found, proved."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from starlette.background import BackgroundTask
from starlette.responses import Response

from records.tokens import Principal
from schemas.answer import BatchAnswer, Explanation, ExplanationMatches
from schemas.explanation import ExplanationBatch, ExplanationRequest
from service.bodies import answered, read_object, require_json
from service.context import services_of
from service.explanations.batch import read_batch
from service.explanations.batching import explain_batch
from service.explanations.explaining import explain, question_of
from service.explanations.proving import prove
from service.explanations.reading import find_by_decision, read_back
from service.explanations.submitting import left, observe_stages
from service.middleware import started_at
from service.openapi import body_of
from service.routes.ids import entry_id
from service.security import needs

router = APIRouter(tags=["explanations"])

Explainer = Annotated[Principal, Depends(needs("explain"))]
Reader = Annotated[Principal, Depends(needs("read"))]


@router.post(
    "/v1/models/{model}/explanations",
    status_code=201,
    responses={201: {"model": Explanation}},
    openapi_extra=body_of(ExplanationRequest),
)
async def post_explanation(model: str, request: Request, principal: Explainer) -> Response:
    """Explain one decision; the same decision again returns its first answer."""
    services = services_of(request)
    services.warming.require()
    question = question_of(model, await read_object(request))
    made = await explain(services, question, principal, started_at(request))
    if made.timings_ms is None:
        return answered(made.body, 201)
    observe_stages(made)
    timing = ", ".join(f"{stage};dur={milliseconds}" for stage, milliseconds in made.timings_ms.items())
    response = answered(made.body, 201, {"Server-Timing": timing})
    response.background = BackgroundTask(left, services, made)  # runs when it is sent
    return response


@router.post(
    "/v1/models/{model}/explanations/batch",
    status_code=201,
    responses={201: {"model": BatchAnswer}},
    openapi_extra=body_of(ExplanationBatch),
)
async def post_batch(model: str, request: Request, principal: Explainer) -> Response:
    """Explain many decisions, each recorded and answered alone, in order; 201 also where rows failed.

    A row's budget counts from when its own work starts; the whole call takes as long as all of them. What is
    wrong with one decision is its row's `problem`, and only what is wrong with the batch refuses all of it.
    """
    services = services_of(request)
    services.warming.require()
    require_json(request)
    body = await request.body()
    decisions = await services.desk.run(read_batch, body, services.settings.batch_limit)
    del body
    content = await explain_batch(services, model, decisions, principal.name, request.state.request_id)
    return Response(content, 201, media_type="application/json")


@router.get("/v1/explanations", responses={200: {"model": ExplanationMatches}})
async def find_explanations(
    request: Request,
    principal: Reader,
    model: Annotated[str, Query(min_length=1, max_length=64)],
    decision_id: Annotated[str, Query(min_length=1, max_length=200)],
) -> Response:
    """Find a decision's explanation by the caller's own id; the finding is logged before it is answered."""
    found = await find_by_decision(services_of(request), model, decision_id, principal)
    return answered({"explanations": [recalled.body for recalled in found]})


@router.get("/v1/explanations/{explanation_id}", responses={200: {"model": Explanation}})
async def get_explanation(explanation_id: str, request: Request, principal: Reader) -> Response:
    """Read an explanation back; the reading is logged before it is answered."""
    recalled = await read_back(services_of(request), entry_id(explanation_id), principal)
    return answered(recalled.body)


@router.get(
    "/v1/explanations/{explanation_id}/proof",
    responses={
        200: {"description": "the evidence file", "content": {"application/json": {}}},
        202: {"description": "not yet in the tree; ask again in a second"},
    },
)
async def get_proof(
    explanation_id: str,
    request: Request,
    principal: Reader,
    disclose: Annotated[str, Query(pattern="^(all|none)$")] = "all",
) -> Response:
    """The offline evidence file; `disclose=none` leaves out what opens the private part."""
    found = entry_id(explanation_id)
    evidence = await prove(services_of(request), found, principal, disclose=disclose == "all")
    if evidence is None:
        return answered({"explanation_id": str(found), "integrated": False}, 202, {"Retry-After": "1"})
    name = f'attachment; filename="{found}.ofrecord.json"'
    return Response(evidence.to_bytes(), 200, {"Content-Disposition": name}, "application/json")
