"""What every wire schema shares: strictness, names, numbers and times.

All models are immutable and strict: a text is no number, `true` is no number, unknown keys are refused and
every real is finite. Objects may be validated from parsed JSON (`model_validate`) or from its bytes
(`model_validate_json`); both give the same result.
"""

from __future__ import annotations

import math
from datetime import UTC, datetime
from typing import Annotated, TypeVar

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    PlainValidator,
    WithJsonSchema,
)
from pydantic_core import PydanticCustomError

T = TypeVar("T")

LARGEST_EXACT_INTEGER = 2**53
SCALAR_TEXT_LIMIT = 512
ONE_LINE = r"^[^\x00-\x1f\x7f]+$"
PROSE = (
    r"^[^\x00-\x09\x0b-\x1f\x7f]*$"  # lines of text; no other control character means anything to a reader
)

Scalar = float | int | bool | str | None


class Wire(BaseModel):
    """Base of everything that crosses the wire."""

    model_config = ConfigDict(
        strict=True,
        extra="forbid",
        frozen=True,
        allow_inf_nan=False,
        from_attributes=True,
        validate_by_alias=True,
        validate_by_name=True,
        serialize_by_alias=True,
        protected_namespaces=(),
    )


def number(given: object) -> int | float:
    """Accept a finite number and keep whole numbers whole; `true` and "12" are no numbers."""
    if isinstance(given, bool) or not isinstance(given, int | float):
        raise PydanticCustomError("number", "must be a number")
    if isinstance(given, int):
        if abs(given) > LARGEST_EXACT_INTEGER:
            raise PydanticCustomError("number", "must be within 2^53 of zero to be exact")
        return given
    if not math.isfinite(given):
        raise PydanticCustomError("number", "must be finite")
    return given


def _scalar(given: object) -> Scalar:
    """Accept a JSON scalar as it is; what it must be is said by the model's own feature space."""
    if isinstance(given, str) and len(given) > SCALAR_TEXT_LIMIT:
        raise PydanticCustomError(
            "scalar", "must not be longer than {limit} characters", {"limit": SCALAR_TEXT_LIMIT}
        )
    if given is None or isinstance(given, bool | int | float | str):
        return given
    raise PydanticCustomError("scalar", "must be a number, a text, true, false or null")


def _moment(given: object) -> object:
    """Accept an aware time, as `datetime` or as ISO 8601 text, and move it to UTC."""
    if isinstance(given, str):
        try:
            given = datetime.fromisoformat(given)
        except ValueError as error:
            raise PydanticCustomError(
                "time", "must be an ISO 8601 time such as 2026-11-20T10:15:00Z"
            ) from error
    if not isinstance(given, datetime) or given.tzinfo is None:
        raise PydanticCustomError(
            "time", "must be an ISO 8601 time with its offset, such as 2026-11-20T10:15:00Z"
        )
    try:
        return given.astimezone(UTC)
    except OverflowError as error:
        raise PydanticCustomError("time", "must lie between the years 1 and 9999") from error


def format_moment(moment: datetime) -> str:
    """Write a time as UTC ISO 8601 with six digits and `Z`."""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


Number = Annotated[int | float, PlainValidator(number), WithJsonSchema({"type": "number"})]
JsonScalar = Annotated[
    Scalar,
    PlainValidator(_scalar),
    WithJsonSchema({"type": ["number", "string", "boolean", "null"], "maxLength": SCALAR_TEXT_LIMIT}),
]
Moment = Annotated[
    datetime,
    BeforeValidator(_moment),
    PlainSerializer(format_moment, return_type=str),
    WithJsonSchema({"type": "string", "format": "date-time", "examples": ["2026-11-20T10:15:00.000000Z"]}),
]
# A JSON array is a list and our models are immutable: the container is converted, its items stay strict.
Many = Annotated[tuple[T, ...], Field(strict=False)]
Pair = Annotated[tuple[T, T], Field(strict=False)]

Identifier = Annotated[
    str,
    Field(pattern=r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$", description="a UUIDv7"),
]
Digest = Annotated[
    str, Field(pattern=r"^sha256:[0-9a-f]{64}$", description="`sha256:` and 64 hexadecimal digits")
]
HexHash = Annotated[
    str, Field(pattern=r"^[0-9a-f]{64}$", description="a SHA-256 hash, 64 hexadecimal digits")
]
ResourceName = Annotated[
    str,
    Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$",
        description="up to 64 letters, digits, dots, underscores, hyphens; first a letter or digit",
    ),
]
CallerId = Annotated[
    str,
    Field(
        min_length=1,
        max_length=200,
        pattern=r"^[^\x00-\x1f\x7f]+$",
        description="the caller's own id, one line",
    ),
]
Word = Annotated[
    str, Field(pattern=r"^[a-z][a-z0-9_]{0,63}$", description="lower-case words joined by underscores")
]
ReasonCode = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,31}$", description="a reason code")]
LanguageTag = Annotated[
    str, Field(pattern=r"^[a-z]{2,3}(-[A-Z]{2})?$", description="a language, for instance `en` or `pt-BR`")
]
