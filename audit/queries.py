"""The SQL that the log runs, read by name from the files under `sql` that are no migrations."""

from __future__ import annotations

import re
from pathlib import Path
from typing import LiteralString, cast

_NAME = re.compile(r"^-- name: (\w+)$", re.MULTILINE)
_FOLDER = Path(__file__).parent / "sql"


def load_queries(file: Path) -> dict[str, LiteralString]:
    """Read a file of statements, each under a line `-- name: …`."""
    parts = _NAME.split(file.read_text(encoding="utf-8"))
    # The text is a file of this package, as fixed as a literal in the source.
    return {
        name: cast("LiteralString", text.strip().rstrip(";"))
        for name, text in zip(parts[1::2], parts[2::2], strict=True)
    }


LOG = load_queries(_FOLDER / "queries.sql") | load_queries(_FOLDER / "vouched.sql")
FSCK = load_queries(_FOLDER / "fsck.sql")
CUSTODY = load_queries(_FOLDER / "custody.sql")
KEYS = load_queries(_FOLDER / "keys" / "queries.sql")
