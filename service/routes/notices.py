"""Notices: made, sent, answered, listed."""

from __future__ import annotations

import base64
import hashlib
import re
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import Response

from records.tokens import Principal
from reports.letters.letter import TemplateName
from schemas.notice import NoticeList, NoticeListState, NoticeResponse, NoticeSent, NoticeStep
from service.bodies import answered, read_document
from service.context import services_of
from service.letters.negotiating import choose
from service.letters.noticing import listed, record_response, record_sent
from service.letters.rendering_once import Document, Wanted, notice_document
from service.openapi import body_of
from service.renderer import MEDIA_TYPES
from service.routes.ids import entry_id
from service.security import needs

router = APIRouter(tags=["notices"])

Explainer = Annotated[Principal, Depends(needs("explain"))]
Reader = Annotated[Principal, Depends(needs("read"))]

_SUFFIXES = {"application/json": "json", "text/html": "html", "application/pdf": "pdf"}
_STYLE = re.compile(rb"<style>(.*?)</style>", re.DOTALL)


@router.get("/v1/notices", responses={200: {"model": NoticeList}}, dependencies=[Depends(needs("read"))])
async def list_all(
    request: Request,
    state: NoticeListState | None = None,
    model: Annotated[str | None, Query(min_length=1, max_length=64)] = None,
    cursor: Annotated[str | None, Query(min_length=1, max_length=256)] = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
) -> Response:
    """Notices that are or were owed, those that wait longest first.

    A state picks those that are overdue, due, sent, undated, blocked or overridden. The list holds ids, dates
    and words from closed lists, nothing about a person; looking at it is not put on record. `as_of` says how
    far it has read the log.
    """
    services = services_of(request)
    return answered(await services.desk.run(listed, services, state, model, cursor, limit))


@router.get(
    "/v1/explanations/{explanation_id}/notice",
    responses={
        200: {"description": "the letter", "content": {media_type: {} for media_type in MEDIA_TYPES}},
    },
)
async def get_notice(
    explanation_id: str,
    request: Request,
    principal: Reader,
    template: TemplateName = "adverse_action",
    language: Annotated[str | None, Query(pattern="^[a-z]{2,3}(-[A-Z]{2})?$")] = None,
) -> Response:
    """The letter about a decision, as JSON, HTML or PDF by `Accept`; the reading is logged first.

    The first request renders it and puts its bytes on record; later ones get those bytes. The header
    `Ofrecord-Rendering` says how they compare with a rendering of today: `first`, `identical`, or `stored`
    where the renderer has changed since. `Ofrecord-Standing: overridden` says that the decision which the
    letter is about holds no longer; a notice that is not on record as sent is refused then.
    """
    media_type = choose(request.headers.get("accept"), MEDIA_TYPES)
    wanted = Wanted(entry_id(explanation_id), template, language, media_type)
    document = await notice_document(services_of(request), wanted, principal)
    return Response(document.content, 200, _headers(wanted, document), _content_type(media_type))


@router.post(
    "/v1/explanations/{explanation_id}/notice/sent",
    status_code=201,
    responses={201: {"model": NoticeStep}},
    openapi_extra=body_of(NoticeSent),
)
async def post_sent(explanation_id: str, request: Request, principal: Explainer) -> Response:
    """Put on record that a notice was sent; its clock stops. The same again returns the first receipt."""
    sent = await read_document(request, NoticeSent)
    step = await record_sent(services_of(request), entry_id(explanation_id), sent, principal)
    return answered(step, 201)


@router.post(
    "/v1/explanations/{explanation_id}/notice/response",
    status_code=201,
    responses={201: {"model": NoticeStep}},
    openapi_extra=body_of(NoticeResponse),
)
async def post_response(explanation_id: str, request: Request, principal: Explainer) -> Response:
    """Put on record what the applicant answered: a counteroffer accepted, or reasons asked for."""
    response = await read_document(request, NoticeResponse)
    step = await record_response(services_of(request), entry_id(explanation_id), response, principal)
    return answered(step, 201)


def _content_type(media_type: str) -> str:
    return f"{media_type}; charset=utf-8" if media_type.startswith("text/") else media_type


def _headers(wanted: Wanted, document: Document) -> dict[str, str]:
    """The tag names the entry that holds the bytes: a digest of them would confirm a guessed letter."""
    suffix = _SUFFIXES[document.media_type]
    shown = "attachment" if document.media_type == "application/pdf" else "inline"
    name = f"{wanted.explanation_id}.{wanted.template}.{document.language}.{suffix}"
    headers = {
        "Content-Disposition": f'{shown}; filename="{name}"',
        "Content-Language": document.language,
        "ETag": f'"{document.entry_id}"',
        "Ofrecord-Rendering": document.how,
        "Referrer-Policy": "no-referrer",
        "Vary": "Accept",
    }
    if document.overridden:
        headers["Ofrecord-Standing"] = "overridden"
    if document.media_type == "text/html":
        headers["Content-Security-Policy"] = _policy(document.content)
    return headers


def _policy(page: bytes) -> str:
    """Nothing may be loaded or run; only the page's own style sheets apply, by their digests."""
    sheets = [base64.b64encode(hashlib.sha256(sheet).digest()).decode() for sheet in _STYLE.findall(page)]
    styles = " ".join(f"'sha256-{digest}'" for digest in sheets) or "'none'"
    return (
        f"default-src 'none'; style-src {styles}; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )
