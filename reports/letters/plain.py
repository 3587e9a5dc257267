"""Foreign text in a letter: whatever it holds, it stays text and stays in its place."""

from __future__ import annotations

import unicodedata

_DIRECTIONS = frozenset("\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Embeddings, overrides and isolates: left open they would turn around the letter's own words behind them."""


def one_line(text: str) -> str:
    """Return a text as one line: breaks and control characters become single spaces."""
    return " ".join("".join(_kept(sign) for sign in text).split())


def lines(text: str) -> tuple[str, ...]:
    """Return the lines of a text, each by itself, without empty ones."""
    found = (one_line(line) for line in text.splitlines())
    return tuple(line for line in found if line)


def _kept(sign: str) -> str:
    if sign in _DIRECTIONS:
        return ""
    return " " if unicodedata.category(sign) in ("Cc", "Zl", "Zp", "Cs") else sign
