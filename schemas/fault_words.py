"""Which words each kind of schema failure becomes: this product's, never the validator's own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import get_args

from pydantic_core import ErrorDetails
from pydantic_core.core_schema import ErrorType

from schemas.base import ONE_LINE, PROSE

DETAIL_LIMIT = 500

_OWN_KINDS = frozenset(get_args(ErrorType))
_UNFORESEEN = "is not valid"

# Filled with what the validator says about the limit that was passed: `str.format_map` of its context.
_WORDS: Mapping[str, str] = {
    "missing": "is required",
    "extra_forbidden": "is not a known field",
    "invalid_key": "must have a text as its name",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "int_type": "must be a whole number",
    "int_from_float": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_parsing_size": "must be a whole number of fewer digits",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "string_type": "must be a text",
    "string_unicode": "must be a text",
    "tuple_type": "must be an array",
    "list_type": "must be an array",
    "dict_type": "must be an object",
    "model_type": "must be an object",
    "model_attributes_type": "must be an object",
    "finite_number": "must be finite",
    "none_required": "must be null",
    "literal_error": "must be {expected}",
    "enum": "must be {expected}",
    "greater_than": "must be greater than {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than": "must be less than {lt}",
    "less_than_equal": "must be at most {le}",
    "multiple_of": "must be a multiple of {multiple_of}",
}
_LENGTHS: Mapping[str, tuple[str, str]] = {
    "too_short": ("at least", "min_length"),
    "too_long": ("at most", "max_length"),
    "string_too_short": ("at least", "min_length"),
    "string_too_long": ("at most", "max_length"),
}
_PATTERNS: Mapping[str, str] = {
    ONE_LINE: "must be one line without control characters",
    PROSE: "must have no control characters but line ends",
}


def words_of(fault: ErrorDetails) -> str:
    """Say in a few words what is wrong; what was sent is never repeated.

    What our own checks say is kept; whatever kind of the validator's nobody foresaw says only that it is not
    valid.
    """
    kind = fault["type"]
    context = fault.get("ctx", {})
    if kind not in _OWN_KINDS:
        words = fault["msg"]
    elif kind in _LENGTHS:
        words = _length(kind, context)
    elif kind == "string_pattern_mismatch":
        pattern = str(context["pattern"])
        words = _PATTERNS.get(pattern, f"must match the pattern {pattern}")
    else:
        words = _WORDS.get(kind, _UNFORESEEN).format_map(context)
    return words[:DETAIL_LIMIT]


def _length(kind: str, context: Mapping[str, object]) -> str:
    """Say how long a text, an array or an object may be."""
    bound, name = _LENGTHS[kind]
    limit = context[name]
    unit = "item"
    if kind.startswith("string_"):
        unit = "character"
    elif context.get("field_type") == "Dictionary":
        unit = "member"
    return f"must have {bound} {limit} {unit}{'' if limit == 1 else 's'}"
