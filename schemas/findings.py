"""What a check of several fields finds: where, and what."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

Location = tuple[str | int, ...]
Finding = tuple[Location, str]


def repeated(names: Iterable[str], at: Location) -> Iterator[Finding]:
    """Find the second and later places of a name."""
    seen: Counter[str] = Counter()
    for index, name in enumerate(names):
        seen[name] += 1
        if seen[name] > 1:
            yield (*at, index), f'"{name}" is named twice'
