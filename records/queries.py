"""Named SQL: each file of `sql/queries` holds statements headed by `-- name: …`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType

_FOLDER = Path(__file__).parent / "sql" / "queries"
_HEAD = re.compile(r"^-- name: (\w+)$", re.MULTILINE)


@cache
def queries(chapter: str) -> Mapping[str, bytes]:
    """The statements of one file by name, as bytes: psycopg takes text only where it is a literal."""
    parts = _HEAD.split((_FOLDER / f"{chapter}.sql").read_text("utf-8"))
    names, statements = parts[1::2], parts[2::2]
    return MappingProxyType({n: s.strip().encode() for n, s in zip(names, statements, strict=True)})
