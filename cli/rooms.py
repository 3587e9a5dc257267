"""Which rooms bring SQL, and which roles may enter which database. No other place knows all of them."""

from __future__ import annotations

from pathlib import Path

from audit.changes import SchemaChanges
from runtime.addresses import database_of, with_database
from runtime.migrations import KEY_ROLES, LOGIN_ROLES, Source, Target

_HOUSE = Path(__file__).resolve().parent.parent
MAIN_SOURCES = tuple(Source(room, _HOUSE / room / "sql") for room in ("audit", "registry", "records"))
KEY_SOURCES = (Source("audit/keys", _HOUSE / "audit" / "sql" / "keys"),)


def keys_address(main_url: str) -> str:
    """Return the keys database's address on the same server."""
    return with_database(main_url, f"{database_of(main_url)}_keys")


def targets(main_url: str, keys_url: str, *, restore_guard: bool = False) -> tuple[Target, Target]:
    """Return what is migrated: the main database and the keys database, by administrators' addresses.

    The log is in the main database; both databases' changes are announced there.
    """
    log = SchemaChanges(restore_guard=restore_guard)
    return Target(main_url, MAIN_SOURCES, LOGIN_ROLES, log), Target(keys_url, KEY_SOURCES, KEY_ROLES)
