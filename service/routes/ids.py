"""Ids in addresses."""

from __future__ import annotations

from uuid import UUID

from service.context import id_of
from service.errors import NotFound


def entry_id(text: str) -> UUID:
    """The id an address names; what is not an id names nothing, so it is not found rather than invalid."""
    found = id_of(text)
    if found is None:
        raise NotFound
    return found
