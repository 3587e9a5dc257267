"""RFC 9457 problem documents, and how a validation failure becomes pointers."""

from __future__ import annotations

from collections.abc import Iterable, Sized

from pydantic import Field, ValidationError
from pydantic_core import ErrorDetails, InitErrorDetails, PydanticCustomError

from schemas.base import Many, Wire
from schemas.fault_words import words_of

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
    incident_id: str | None = Field(default=None, description="log entry of the incident that was raised")


def pointer(parts: Iterable[str | int]) -> str:
    """Write a path of keys and indexes as an RFC 6901 JSON pointer."""
    return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in parts)


def pointed_errors(error: ValidationError, *, under: str = "") -> tuple[PointedError, ...]:
    """Turn a schema failure into pointers, below the pointer `under`; input values are never repeated.

    A flood of them becomes one: listing a hundred thousand takes seconds and helps nobody.
    """
    if error.error_count() > LISTED_FAULTS:
        return (PointedError(pointer=under, detail=f"has {error.error_count()} faults, too many to list"),)
    return tuple(_pointed(fault, under) for fault in error.errors(include_url=False) if not _follows(fault))


def _pointed(fault: ErrorDetails, under: str) -> PointedError:
    """A fault of a member's name is at the member.

    The validator writes such a place with a last part of its own, and has the name itself as input.
    """
    place, words = fault["loc"], words_of(fault)
    if place[-1:] == ("[key]",) and place[-2:-1] == (fault["input"],) and fault["type"] != "extra_forbidden":
        place, words = place[:-1], f"its name {words}"
    return PointedError(pointer=under + pointer(place), detail=words)


def _follows(fault: ErrorDetails) -> bool:
    """Whether it only counts too few because some of what was sent has faults of its own.

    Those are told in their own places; the array that was sent is long enough.
    """
    sent = fault["input"]
    return (
        fault["type"] == "too_short" and isinstance(sent, Sized) and len(sent) >= fault["ctx"]["min_length"]
    )


def refusal(title: str, errors: Iterable[tuple[tuple[str | int, ...], str]]) -> ValidationError:
    """Build the failure of a check that looks at several fields, each error at its own place."""
    details = [
        InitErrorDetails(
            type=PydanticCustomError("inconsistent", "{detail}", {"detail": detail}), loc=loc, input=None
        )
        for loc, detail in errors
    ]
    return ValidationError.from_exception_data(title, details)
