"""Results as the log wants them."""

from __future__ import annotations

from collections.abc import Mapping

from audit.canonical import JsonValue, decimal


def without_reals(value: object) -> JsonValue:
    """The same with every real as a decimal string; a NaN or an infinity raises."""
    if isinstance(value, float):
        return decimal(value)
    if isinstance(value, Mapping):
        return {str(name): without_reals(member) for name, member in value.items()}
    if isinstance(value, list | tuple):
        return [without_reals(item) for item in value]
    assert value is None or isinstance(value, bool | int | str)  # noqa: S101  results are plain
    return value
