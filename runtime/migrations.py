"""Bring a database to the shape this version expects: roles, databases, and ordered SQL files, once each.

Files called `NNNN_name.sql` (three or four digits) are applied in order, each in its own transaction as
`ofrecord_owner`, and recorded with their digest in `runtime.migration`. An advisory lock makes a second
migrator wait and then find nothing to do. A file that was edited after it was applied is refused by name.

Each file is also announced in the log that is in one of the databases, in the transaction that applies it;
files that are older than the log, and those of other databases, are entered afterwards.
"""

from __future__ import annotations

import hashlib
import logging
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol
from uuid import UUID

import psycopg
from psycopg import errors, sql

from runtime.addresses import database_of, with_database
from runtime.clock import Clock, SystemClock
from runtime.errors import MigrationRefused
from runtime.postgres import Connection, connect

OWNER = "ofrecord_owner"
SERVICE = "ofrecord_service"
WORKER = "ofrecord_worker"
INTEGRATOR = "ofrecord_integrator"
AUDITOR = "ofrecord_auditor"
CUSTODIAN = "ofrecord_custodian"
LOGIN_ROLES = (SERVICE, WORKER, INTEGRATOR, AUDITOR, CUSTODIAN)
KEY_ROLES = (
    SERVICE,
    WORKER,
    CUSTODIAN,
)  # the others never see a key; the custodian destroys what it cannot read

_LOG = logging.getLogger(__name__)
_LOCK = 0x0F2EC02D
_FILE = re.compile(r"\d{3,4}_[a-z0-9_]+\.sql")


@dataclass(frozen=True, slots=True)
class Source:
    """One room's folder of migrations; the room's name keeps equal file names apart."""

    room: str
    folder: Path

    def files(self) -> list[tuple[str, str]]:
        """Return (recorded name, text) of every migration, in order; a missing folder has none."""
        found = sorted(path for path in self.folder.glob("*.sql") if _FILE.fullmatch(path.name))
        return [(f"{self.room}/{path.name}", path.read_text(encoding="utf-8")) for path in found]


Change = tuple[str, str, str]
"""Room, file name and digest of a migration."""


class Announcing(Protocol):
    """What the log does about changes of the schema; it may not be there yet."""

    def missing(self, connection: Connection, changes: Sequence[Change]) -> list[Change]:
        """Return those that no entry names."""

    def enter(self, connection: Connection, changes: Collection[Change], now: datetime) -> list[UUID]:
        """Append an entry for each."""

    def apply(self, connection: Connection, change: Change, text: str, now: datetime) -> None:
        """Announce one change and make it, in the transaction that is open."""

    def guard(self, connection: Connection, now: datetime) -> list[str]:
        """Set up what refuses every other change; return the names of what was set up."""


@dataclass(frozen=True, slots=True)
class Target:
    """One database: an administrator's address, what belongs into it, and who may connect.

    `log` is given for the database with the log, where changes are to be announced.
    """

    url: str
    sources: tuple[Source, ...]
    roles: tuple[str, ...] = LOGIN_ROLES
    log: Announcing | None = None


def migrate(
    targets: Sequence[Target], passwords: Mapping[str, str], *, clock: Clock | None = None
) -> list[str]:
    """Create what is missing and apply what is new; return the names of the files applied.

    Databases that do not exist are made, roles too; a role named in `passwords` gets that password (as a
    SCRAM verifier computed here: the server never sees the password itself).
    """
    clock = clock or SystemClock()
    applied: list[str] = []
    for target in targets:
        _create_database(target.url)
    servers: set[tuple[str, int]] = set()
    for target in targets:
        with connect(target.url, autocommit=True) as connection, _locked(connection):
            server = (connection.info.host, connection.info.port)
            if server not in servers:  # roles are a whole server's; the keys database may have one of its own
                servers.add(server)
                _create_roles(connection, passwords)
            restrict_database(connection, target.roles)
            applied += _apply(connection, target, clock)
    _announce_the_rest(targets, clock)
    return applied


def restrict_database(connection: Connection, roles: Sequence[str]) -> None:
    """Give the database to the owner role and let only these roles connect; template copies need both."""
    name = sql.Identifier(connection.info.dbname)
    listed = sql.SQL(", ").join(sql.Identifier(role) for role in roles)
    connection.execute(sql.SQL("alter database {} owner to {}").format(name, sql.Identifier(OWNER)))
    with connection.transaction():
        _become_owner(connection)
        connection.execute(sql.SQL("revoke all on database {} from public").format(name))
        connection.execute(sql.SQL("grant connect on database {} to {}").format(name, listed))


def _become_owner(connection: Connection) -> None:
    """Act as the owner until the transaction ends."""
    connection.execute(sql.SQL("set local role {}").format(sql.Identifier(OWNER)))


def _create_database(url: str) -> None:
    """Create the database of this address when it is missing, from a neighbour."""
    try:
        connect(url).close()
    except psycopg.OperationalError as error:
        if "does not exist" not in str(error):
            raise
    else:
        return
    statement = sql.SQL("create database {} template template0 encoding 'UTF8'").format(
        sql.Identifier(database_of(url))
    )
    with connect(with_database(url, "postgres"), autocommit=True) as connection:
        try:
            connection.execute(statement)
        except (errors.DuplicateDatabase, errors.UniqueViolation):
            _LOG.info("another migrator created the database first")


@contextmanager
def _locked(connection: Connection) -> Iterator[None]:
    """Hold the migrators' lock of this database."""
    connection.execute("select pg_advisory_lock(%s)", (_LOCK,))
    try:
        yield
    finally:
        connection.execute("select pg_advisory_unlock(%s)", (_LOCK,))


def _create_roles(connection: Connection, passwords: Mapping[str, str]) -> None:
    """Create the roles that are missing; they are the whole server's, so another migrator may be first."""
    for role in (OWNER, *LOGIN_ROLES):
        login = "nologin" if role == OWNER else "login"
        options = sql.SQL(f"{login} nosuperuser nocreatedb nocreaterole noreplication")
        if not connection.execute("select 1 from pg_roles where rolname = %s", (role,)).fetchone():
            try:
                connection.execute(sql.SQL("create role {} {}").format(sql.Identifier(role), options))
            except (errors.DuplicateObject, errors.UniqueViolation):
                _LOG.info("another migrator created the role first", extra={"role": role})
    member = "select pg_has_role(current_user, %s, 'set')"
    if connection.execute(member, (OWNER,)).fetchone() != (True,):  # an administrator who is no superuser
        connection.execute(sql.SQL("grant {} to current_user with set true").format(sql.Identifier(OWNER)))
    for role, password in passwords.items():
        verifier = connection.pgconn.encrypt_password(
            password.encode(), role.encode(), b"scram-sha-256"
        ).decode()
        statement = sql.SQL("alter role {} password {}").format(sql.Identifier(role), sql.Literal(verifier))
        connection.execute(statement)


def _apply(connection: Connection, target: Target, clock: Clock) -> list[str]:
    """Apply the new files of one database, and let its log guard what they made."""
    _prepare(connection)
    recorded = _recorded(connection)
    files = [entry for source in target.sources for entry in source.files()]
    for name, text in files:
        if recorded.get(name, _digest(text)) != _digest(text):
            raise MigrationRefused(name, "was edited after it was applied; put it back and write a new one")
    new = [(name, text) for name, text in files if name not in recorded]
    for name, text in new:
        _apply_one(connection, target, name, text, clock)
    guarded = target.log.guard(connection, clock.now()) if target.log else []
    return [*(name for name, _ in new), *guarded]


def _prepare(connection: Connection) -> None:
    """Make the table of what was applied; where it is, nothing is changed: a guard may refuse even that."""
    with connection.transaction():
        _become_owner(connection)
        if connection.execute("select to_regclass('runtime.migration') is not null").fetchone() == (True,):
            return
        connection.execute("create schema if not exists runtime")
        connection.execute(
            "create table runtime.migration "
            "(name text primary key, digest text not null, applied_at timestamptz not null)"
        )
        # What a room does not grant, nobody has: functions would otherwise be everybody's.
        connection.execute("alter default privileges revoke execute on functions from public")


def _apply_one(connection: Connection, target: Target, name: str, text: str, clock: Clock) -> None:
    """Apply one file and record it, both or neither."""
    try:
        with connection.transaction():
            _become_owner(connection)
            if target.log:
                target.log.apply(connection, _change(name, _digest(text)), text, clock.now())
            else:
                connection.execute(text.encode())
            connection.execute(
                "insert into runtime.migration (name, digest, applied_at) values (%s, %s, %s)",
                (name, _digest(text), clock.now()),
            )
    except psycopg.Error as error:
        raise MigrationRefused(name, str(error)) from error


def _announce_the_rest(targets: Sequence[Target], clock: Clock) -> None:
    """Enter into the log what was applied before there was one, or in another database."""
    applied: list[Change] = []
    for target in targets:
        with connect(target.url) as connection:
            applied += [_change(name, digest) for name, digest in _recorded(connection).items()]
    for target in targets:
        if target.log:
            with (
                connect(target.url, autocommit=True) as connection,
                _locked(connection),
                connection.transaction(),
            ):
                _become_owner(connection)
                target.log.enter(connection, target.log.missing(connection, applied), clock.now())


def _recorded(connection: Connection) -> dict[str, str]:
    """Return the digest of each file that was applied here, in the order of application."""
    with connection.transaction():
        _become_owner(connection)
        rows = connection.execute("select name, digest from runtime.migration order by applied_at, name")
        return dict(rows.fetchall())


def _change(name: str, digest: str) -> Change:
    """Return what is announced of a file recorded under this name."""
    room, _, file = name.rpartition("/")
    return room, file, digest


def _digest(text: str) -> str:
    """Return the digest a file is known by."""
    return f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"
