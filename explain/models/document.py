"""Reading a model document: JSON or UBJSON bytes to plain values, and checked access to them."""

from __future__ import annotations

import json
import re

import numpy as np
from numpy.typing import NDArray

from explain.errors import ModelCorrupt, ModelUnsupported
from explain.models.ubjson import read_ubjson

JSON_START = re.compile(rb"\{[ \t\r\n]*\"")


def read_document(artifact: bytes) -> dict[str, object]:
    """Read a model file as one object, told apart by its first bytes as the native loader does."""
    if JSON_START.match(artifact):
        document = _read_json(artifact)
    elif artifact[:2] == b"{L":
        document = read_ubjson(artifact)
    else:
        raise ModelUnsupported("a file format other than JSON and UBJSON")
    if not isinstance(document, dict):
        raise ModelCorrupt("the document is not an object")
    return document


def _read_json(artifact: bytes) -> object:
    try:
        return json.loads(artifact.decode("utf-8"), object_pairs_hook=_members)
    except RecursionError:
        raise ModelCorrupt("nested too deeply") from None
    except ValueError as fault:  # undecodable text, broken JSON, integers of thousands of digits
        raise ModelCorrupt(f"not valid JSON: {fault}") from None


def _members(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """Refuse a name given twice: two readers could each believe another one."""
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ModelCorrupt("an object has the same member twice")
    return members


def member(parent: dict[str, object], name: str, where: str) -> object:
    """Return a required member."""
    if name not in parent:
        raise ModelCorrupt(f"{where} has no {name}")
    return parent[name]


def object_member(parent: dict[str, object], name: str, where: str) -> dict[str, object]:
    """Return a required member that is an object."""
    value = member(parent, name, where)
    if not isinstance(value, dict):
        raise ModelCorrupt(f"{where}.{name} is not an object")
    return value


def list_member(parent: dict[str, object], name: str, where: str) -> list[object]:
    """Return a required member that is a list (an empty typed array counts as one)."""
    value = member(parent, name, where)
    if isinstance(value, np.ndarray):
        return list(value.tolist())
    if not isinstance(value, list):
        raise ModelCorrupt(f"{where}.{name} is not a list")
    return value


def integer_member(parent: dict[str, object], name: str, where: str, default: int | None = None) -> int:
    """Return a member that is a non-negative integer, written as a number or, as XGBoost does, as text."""
    if name not in parent and default is not None:
        return default
    value = member(parent, name, where)
    if isinstance(value, str) and re.fullmatch(r"[0-9]{1,18}", value):
        return int(value)
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 10**18:
        return value
    raise ModelCorrupt(f"{where}.{name} is not a count: {str(value)[:40]!r}")


def integers(parent: dict[str, object], name: str, where: str) -> NDArray[np.int64]:
    """Return a required member as a vector of integers (true and false count as 1 and 0)."""
    numbers = _vector(parent, name, where)
    if numbers.dtype.kind not in "iub":
        raise ModelCorrupt(f"{where}.{name} holds something other than integers")
    return numbers.astype(np.int64)


def reals(parent: dict[str, object], name: str, where: str) -> NDArray[np.float64]:
    """Return a required member as a vector of numbers, rounded to the 32 bits the library keeps."""
    numbers = _vector(parent, name, where)
    if numbers.dtype.kind not in "iuf":
        raise ModelCorrupt(f"{where}.{name} holds something other than numbers")
    with np.errstate(over="ignore"):
        return numbers.astype(np.float32).astype(np.float64)


def _vector(parent: dict[str, object], name: str, where: str) -> NDArray[np.generic]:
    value = member(parent, name, where)
    if isinstance(value, list):
        try:
            value = np.array(value) if value else np.zeros(0, dtype=np.int64)
        except (ValueError, OverflowError):
            raise ModelCorrupt(f"{where}.{name} is not a flat list of numbers") from None
    if not isinstance(value, np.ndarray) or value.ndim != 1:
        raise ModelCorrupt(f"{where}.{name} is not a flat list of numbers")
    return value
