"""The reports: which there are, and pulling one."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import Response

from records.tokens import Principal
from reports.registers.errors import ParameterRefused
from reports.registers.period import read_moment
from reports.registers.report import Asked
from schemas.report import ReportDocument, ReportFormat, ReportList
from service.bodies import answered
from service.context import id_of, services_of
from service.reporting import offered, pull
from service.security import needs
from service.sending import ReportResponse

router = APIRouter(prefix="/v1/reports", tags=["reports"])

Auditor = Annotated[Principal, Depends(needs("audit"))]
_NAMES = ("from", "to", "model", "explanation_id", "format")
_MOMENT = "a day (its midnight in UTC), or a time with its zone"


async def _asked(
    request: Request,
    start: Annotated[str | None, Query(alias="from", max_length=64, description=_MOMENT)] = None,
    end: Annotated[str | None, Query(alias="to", max_length=64, description=_MOMENT)] = None,
    model: Annotated[str | None, Query(min_length=1, max_length=64)] = None,
    explanation_id: Annotated[str | None, Query(max_length=64)] = None,
) -> Asked:
    """What the address asks for, and nothing that would be passed over."""
    _check_names(request)
    about = None if explanation_id is None else id_of(explanation_id)
    if explanation_id is not None and about is None:
        raise ParameterRefused("explanation_id", "must be an id as this service writes them")
    return Asked(
        start=None if start is None else read_moment("from", start),
        end=None if end is None else read_moment("to", end),
        model=model,
        explanation_id=about,
    )


def _check_names(request: Request) -> None:
    """Refuse a name that no report knows, and one given twice: the report would not be what was meant."""
    given = [name for name, _ in request.query_params.multi_items()]
    for name in given:
        if name not in _NAMES:
            raise ParameterRefused(name, f"is not a parameter of any report; there are {', '.join(_NAMES)}")
        if given.count(name) > 1:
            raise ParameterRefused(name, "must be given once")


@router.get("", responses={200: {"model": ReportList}}, dependencies=[Depends(needs("audit"))])
async def list_reports() -> Response:
    """Every report with its parameters and its columns."""
    return answered(offered())


@router.get(
    "/{report}",
    response_class=Response,
    responses={
        200: {
            "model": ReportDocument,
            "description": "the report; in CSV its header is the records that begin with `# `",
            "content": {"text/csv": {}},
        }
    },
)
async def get_report(
    report: str,
    request: Request,
    principal: Auditor,
    asked: Annotated[Asked, Depends(_asked)],
    form: Annotated[ReportFormat, Query(alias="format")] = "json",
) -> Response:
    """Pull a report over the half-open period [`from`, `to`); the pull is on record before it leaves.

    A report that discloses what is on record about a person needs the scope `read` as well.
    """
    return ReportResponse(await pull(services_of(request), report, asked, form, principal))
