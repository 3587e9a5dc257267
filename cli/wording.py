"""Values as a person reads them."""

from __future__ import annotations


def in_words(value: object) -> str:
    """Return a feature's value for a person: yes and no, missing, and no digits that say nothing."""
    if value is None:
        return "missing"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:.6g}" if isinstance(value, float) else str(value)
