"""What a model's owner should know before it serves, though nothing about it is wrong enough to refuse."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

MOST_TOLD = 10
"""So many warnings of one kind are told."""

MOST_NAMED = 20
"""So many factors and so many features are named in one warning."""


@dataclass(frozen=True, slots=True)
class ModelWarning:
    """One warning: its code, what is the matter, and the factors and features it is about."""

    code: str
    detail: str
    factors: tuple[str, ...]
    features: tuple[str, ...]

    @classmethod
    def of(cls, code: str, detail: str, factors: Sequence[str], features: Sequence[str]) -> ModelWarning:
        """Name as many factors and features as may be named, and say how many there are."""
        longest = max(len(factors), len(features))
        more = f" ({longest} in all)" if longest > MOST_NAMED else ""
        return cls(code, detail + more, tuple(factors[:MOST_NAMED]), tuple(features[:MOST_NAMED]))
