"""Narratives: one explanation in plain sentences."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import Response

from records.tokens import Principal
from schemas.narrative import Narrative
from service.bodies import answered
from service.context import services_of
from service.letters.narrating import Narrators, narrative
from service.routes.ids import entry_id
from service.security import needs

router = APIRouter(tags=["explanations"])

Reader = Annotated[Principal, Depends(needs("read"))]


@router.get("/v1/explanations/{explanation_id}/narrative", responses={200: {"model": Narrative}})
async def get_narrative(
    explanation_id: str,
    request: Request,
    principal: Reader,
    language: Annotated[str | None, Query(pattern="^[a-z]{2,3}(-[A-Z]{2})?$")] = None,
) -> Response:
    """The explanation in plain sentences, made from its record; the reading is logged before it is answered.

    Template sentences come out the same each time. Where a language model is set up, its sentences are
    checked one by one against the record and put on record first; one that fails gives the template's
    instead, and `fallback` says why.
    """
    narrators: Narrators = request.app.state.narrators
    found = entry_id(explanation_id)
    return answered(await narrative(services_of(request), narrators, found, language, principal))
