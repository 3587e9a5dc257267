"""From a request's bytes to a validated document, and from an answer to bytes."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TypeVar

import orjson
from fastapi import Request
from pydantic import ValidationError
from starlette.responses import Response

from schemas.base import Wire
from schemas.problem import pointed_errors
from service.errors import InvalidInput, UnsupportedMediaType
from service.strict_json import Flaw, JsonValue, read_json

W = TypeVar("W", bound=Wire)


async def read_document(request: Request, schema: type[W]) -> W:
    """Reads a JSON body strictly and checks it against its schema."""
    return validated(await read_object(request), schema)


async def read_object(request: Request) -> dict[str, JsonValue]:
    """Reads a JSON body that must be an object."""
    require_json(request)
    document = read_json(await request.body())
    if not isinstance(document, dict):
        raise InvalidInput((Flaw("", "must be an object"),))
    return document


def require_json(request: Request) -> None:
    """Refuses a body that does not say it is JSON."""
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/json":
        raise UnsupportedMediaType("This address takes application/json.")


def validated(document: dict[str, JsonValue], schema: type[W]) -> W:
    """Checks a parsed document against its schema; every fault comes back with its pointer."""
    try:
        return schema.model_validate(document)
    except ValidationError as error:
        flaws = tuple(Flaw(found.pointer, found.detail) for found in pointed_errors(error))
        raise InvalidInput(flaws) from None


def json_bytes(answer: object) -> bytes:
    """Serialises an answer; a NaN or an infinity would silently become null, so it is refused here."""
    for number in _reals(answer):
        if not math.isfinite(number):
            raise ValueError("an answer must hold finite numbers only")
    return orjson.dumps(answer)


def answered(answer: object, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """A JSON answer, already in its final form: no response model looks at it again."""
    return Response(json_bytes(answer), status, headers, "application/json")


def _reals(answer: object) -> Iterator[float]:
    waiting = [answer]
    while waiting:
        item = waiting.pop()
        if isinstance(item, float):
            yield item
        elif isinstance(item, dict):
            waiting.extend(item.values())
        elif isinstance(item, list | tuple):
            waiting.extend(item)
