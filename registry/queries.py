"""Named SQL: the statements of `sql/queries.sql`, each headed by `-- name: …`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType

_FILE = Path(__file__).parent / "sql" / "queries.sql"
_HEAD = re.compile(r"^-- name: (\w+)$", re.MULTILINE)


@cache
def queries() -> Mapping[str, bytes]:
    """Return the statements by name, as bytes: psycopg takes text only where it is a literal."""
    parts = _HEAD.split(_FILE.read_text("utf-8"))
    return MappingProxyType(
        {name: sql.strip().encode() for name, sql in zip(parts[1::2], parts[2::2], strict=True)}
    )
