"""What people did about a decision, put on record."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from starlette.responses import Response

from records.tokens import Principal
from schemas.review import Review, ReviewRequest
from service.bodies import answered, read_document
from service.context import services_of
from service.openapi import body_of
from service.reviewing import review
from service.routes.ids import entry_id
from service.security import needs

router = APIRouter(tags=["explanations"])

# Whoever puts decisions on record says what became of them, as with notices: `approve` is about models.
Explainer = Annotated[Principal, Depends(needs("explain"))]


@router.post(
    "/v1/explanations/{explanation_id}/review",
    status_code=201,
    responses={201: {"model": Review}},
    openapi_extra=body_of(ReviewRequest),
)
async def post_review(explanation_id: str, request: Request, principal: Explainer) -> Response:
    """Put on record that a review was asked for or made, a decision overridden, something corrected.

    Appended, never written over; the same again returns the first. Reading the explanation shows them all.
    """
    asked = await read_document(request, ReviewRequest)
    return answered(await review(services_of(request), entry_id(explanation_id), asked, principal), 201)
