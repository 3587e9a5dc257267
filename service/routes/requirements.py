"""The rules as data, and where each stood on a day."""

from __future__ import annotations

from datetime import date
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import Response

from reports.requirements.citing import cite
from reports.requirements.register import shipped
from schemas.requirement import RequirementList, RequirementRecord
from service.bodies import answered
from service.context import services_of
from service.errors import InvalidInput
from service.security import needs
from service.strict_json import Flaw

router = APIRouter(tags=["requirements"], dependencies=[Depends(needs("read"))])


@router.get("/v1/requirements", responses={200: {"model": RequirementList}})
async def list_requirements(
    request: Request,
    on: Annotated[str | None, Query(pattern=r"^\d{4}-\d{2}-\d{2}$", description="a day; today")] = None,
    language: Annotated[str, Query(pattern="^[a-z]{2}$")] = "en",
) -> Response:
    """Every rule that this software cites, with its status on a day; `as_of` says what it knows until."""
    day = services_of(request).clock.now().date() if on is None else _day(on)
    rules = shipped()
    listed = [
        {
            **{name: getattr(rule, name) for name in RequirementRecord.model_fields},
            "citations": dict(rule.citations),
            "effective_from": _written(rule.effective_from),
            "effective_to": _written(rule.effective_to),
            "status_on": rule.status_on(day),
            "printed": cite(rule.id, day, language).printed,
        }
        for rule in rules.requirements.values()
    ]
    answer = {
        "on": day.isoformat(),
        "as_of": rules.as_of.isoformat(),
        "version": rules.version,
        "digest": rules.digest,
        "language": language,
        "requirements": listed,
    }
    return answered(answer)


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise InvalidInput((Flaw("/on", "must be a day such as 2026-11-20"),)) from None


def _written(day: date | None) -> str | None:
    return None if day is None else day.isoformat()
