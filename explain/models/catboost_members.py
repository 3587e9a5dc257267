"""Checked access to the members of a CatBoost file."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from explain.errors import ModelCorrupt, ModelUnsupported


def known_members(value: object, known: frozenset[str], where: str) -> dict[str, object]:
    """Return an object; a member that we do not know may change what the model predicts."""
    if not isinstance(value, dict):
        raise ModelCorrupt(f"{where} is not an object")
    for name in value:
        if name not in known:
            raise ModelUnsupported(f"unknown field {where}.{name[:40]}")
    return value


def listed(parent: dict[str, object], name: str, where: str) -> list[object]:
    """Return a list; the library writes an empty one as null, or not at all."""
    value = parent.get(name)
    if value is None:
        return []
    if not isinstance(value, list):
        raise ModelCorrupt(f"{where}.{name} is not a list")
    return value


def numbers(value: object, where: str) -> NDArray[np.float64]:
    """Return a list of finite numbers, each as its nearest float64 (true and false are none)."""
    if not isinstance(value, list) or not set(map(type, value)) <= {int, float}:
        raise ModelCorrupt(f"{where} is not a list of numbers")
    try:
        read = np.array(value, dtype=np.float64)
    except OverflowError:
        raise ModelCorrupt(f"{where} holds a number that is not finite") from None
    if not np.all(np.isfinite(read)):
        raise ModelCorrupt(f"{where} holds a number that is not finite")
    return read


def whole(parent: dict[str, object], name: str, where: str, least: int = 0) -> int:
    """Return a required integer of 32 bits, `least` at least."""
    value = parent.get(name)
    if type(value) is not int or not least <= value < 2**31:
        raise ModelCorrupt(f"{where}.{name} is not a whole number in range")
    return value


def text(parent: dict[str, object], name: str, where: str) -> str:
    """Return a text, empty where the member is missing."""
    value = parent.get(name, "")
    if not isinstance(value, str):
        raise ModelCorrupt(f"{where}.{name} is not text")
    return value
