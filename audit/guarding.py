"""Whether the guard against changes of the log's schema stands, and whether the schema is the announced one.

A superuser sets the guard up (`sql/guard/`); where there is none, the log works without and says so.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Literal, TypeAlias, cast

from psycopg import sql

from audit.database import Connection, named_failures
from audit.queries import LOG

GuardState: TypeAlias = Literal["present", "disabled", "absent"]

_FOLDER = Path(__file__).parent / "sql"
_GUARD = tuple(sorted((_FOLDER / "guard").glob("*.sql")))
_FUNCTION = re.compile(
    r"create\s+(?:or\s+replace\s+)?(?:function|procedure)\s+((?:audit|audit_guard)\.\w+)", re.IGNORECASE
)


def ddl_guard(connection: Connection) -> GuardState:
    """Tell whether changes of the log's schema are refused, are no longer, or never were."""
    with named_failures():
        row = connection.execute(LOG["ddl_guard"], {"digest": _digest_of_guard(connection)}).fetchone()
    return cast("GuardState", row[0]) if row else "disabled"


def guard_problems(connection: Connection) -> list[str]:
    """Return what an examiner has to know: a guard that is off, a schema that nobody announced."""
    problems: list[str] = []
    state = ddl_guard(connection)
    if state == "disabled":
        problems.append("the guard against changes of the log's schema is off or altered")
    with named_failures():
        recorded = connection.execute(LOG["is_schema_recorded"]).fetchone() == (True,)
        if recorded and connection.execute(LOG["schema_unchanged"]).fetchone() != (True,):
            problems.append("the log's schema is not as the last announced change left it")
        for (part,) in connection.execute(LOG["foreign_parts"]).fetchall():
            problems.append(f"the log's schema has a part that is not its own: {part}")
        for name, source in connection.execute(LOG["function_sources"]).fetchall():
            if source not in shipped_functions().get(name, ()):
                problems.append(f"function {name} is not as it was published")
    return problems


def install_guard(connection: Connection) -> list[tuple[str, str]]:
    """Set the guard up anew, in the caller's transaction; return name and digest of each file of its text.

    Where this connection's role is no superuser nothing is changed, and there are none.
    """
    with named_failures():
        if connection.execute(LOG["may_install_guard"]).fetchone() != (True,):
            return []
        for file in _GUARD:
            connection.execute(file.read_bytes())
        for kind, name, remark in (
            ("schema", "audit_guard", guard_digest()),
            ("event trigger", "audit_guard_end", _digest_of_guard(connection)),
        ):
            statement = sql.SQL("comment on {} {} is {}").format(
                sql.SQL(kind), sql.Identifier(name), sql.Literal(remark)
            )
            connection.execute(statement)
    return [(file.name, _sha256(file.read_bytes())) for file in _GUARD]


def guard_digest() -> str:
    """Return the digest of the guard's text in this release."""
    return _sha256(b"".join(file.read_bytes() for file in _GUARD))


def installed_guard(connection: Connection) -> str | None:
    """Return the digest of the text that the guard was set up with; None without a guard."""
    with named_failures():
        row = connection.execute(LOG["guard_installed"]).fetchone()
    return None if row is None else row[0]


def has_log(connection: Connection) -> bool:
    """Tell whether there is a log to announce a change in."""
    with named_failures():
        return connection.execute(LOG["has_log"]).fetchone() == (True,)


@cache
def shipped_functions() -> Mapping[str, tuple[str, ...]]:
    """Return every source that this release or one before it published for a function of the log."""
    found: dict[str, tuple[str, ...]] = {}
    for file in (*sorted(_FOLDER.glob("[0-9]*.sql")), *_GUARD):
        _, *parts = _FUNCTION.split(file.read_text(encoding="utf-8"))
        for name, text in zip(parts[0::2], parts[1::2], strict=True):
            head, *bodies = text.split("$$")
            # A body of standard SQL is kept parsed: it has no source.
            source = "" if "begin atomic" in head.lower() or not bodies else bodies[0]
            found[name] = (*found.get(name, ()), source)
    return found


def _sha256(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def _digest_of_guard(connection: Connection) -> str:
    """Digest the guard's functions and tables as the database has them."""
    row = connection.execute(LOG["guard_digest"]).fetchone()
    return str(row[0]) if row else ""
