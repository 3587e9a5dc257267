"""RFC 9457 problem documents, and how a validation failure becomes pointers."""

from __future__ import annotations

from collections.abc import Iterable

from pydantic import Field, ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError

from schemas.base import Many, Wire

DETAIL_LIMIT = 500
LISTED_FAULTS = 1000


class PointedError(Wire):
    """One thing that is wrong, and where."""

    pointer: str = Field(description="RFC 6901 JSON pointer into what was sent; empty for the whole document")
    detail: str = Field(description="what is wrong there")


class Problem(Wire):
    """A problem document (RFC 9457), sent as `application/problem+json`."""

    type: str = Field(description="an address that names the kind of problem")
    title: str = Field(description="the kind of problem in a few words")
    status: int = Field(ge=400, le=599, description="the HTTP status")
    detail: str | None = Field(default=None, description="what happened this time")
    instance: str | None = Field(default=None, description="names this occurrence")
    errors: Many[PointedError] | None = Field(default=None, description="each invalid input with its pointer")


def pointer(parts: Iterable[str | int]) -> str:
    """Write a path of keys and indexes as an RFC 6901 JSON pointer."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in parts)


def pointed_errors(error: ValidationError, *, under: str = "") -> tuple[PointedError, ...]:
    """Turn a schema failure into pointers, below the pointer `under`; input values are never repeated.

    A flood of them becomes one: listing a hundred thousand takes seconds and helps nobody.
    """
    if error.error_count() > LISTED_FAULTS:
        return (PointedError(pointer=under, detail=f"has {error.error_count()} faults, too many to list"),)
    found = (
        PointedError(pointer=under + pointer(item["loc"]), detail=_detail(item["type"], item["msg"]))
        for item in error.errors(include_url=False, include_context=False, include_input=False)
    )
    return tuple(found)


_PLAIN = {
    "missing": "is required",
    "extra_forbidden": "is not a known field",
    "float_type": "must be a number",
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "bool_type": "must be true or false",
    "string_type": "must be a text",
    "tuple_type": "must be an array",
    "dict_type": "must be an object",
    "model_type": "must be an object",
    "model_attributes_type": "must be an object",
    "finite_number": "must be finite",
}


def _detail(kind: str, message: str) -> str:
    """Prefer a plain sentence to the validator's own words."""
    return _PLAIN.get(kind, message)[:DETAIL_LIMIT]


def refusal(title: str, errors: Iterable[tuple[tuple[str | int, ...], str]]) -> ValidationError:
    """Build the failure of a check that looks at several fields, each error at its own place."""
    details = [
        InitErrorDetails(
            type=PydanticCustomError("inconsistent", "{detail}", {"detail": detail}), loc=loc, input=None
        )
        for loc, detail in errors
    ]
    return ValidationError.from_exception_data(title, details)
