"""Attacks on what runs with more rights than its caller: look-alikes, search paths, lost announcements."""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from uuid import UUID

import psycopg
import pytest

from audit import guarding
from audit.changes import SchemaChanges
from audit.entry import Draft, Entry, entry_bytes, new_id
from audit.guarding import ddl_guard, guard_problems
from audit.merkle import leaf_hash
from runtime.postgres import connect, open_pool
from tests.integration.audit.conftest import NOW, Rig

APPLY = "select audit_guard.apply_v1(%s, %s)"
APPEND = "select leaf_hash from audit.append_v1(%s::bytea[], %s::bytea[], %s::bytea[], %s::bytea[])"
HARMLESS = "comment on table audit.entry is 'x'"


@pytest.fixture
def owner(rig: Rig) -> Iterator[psycopg.Connection]:
    """A session of the owner, with a schema of his own beside the log's."""
    with psycopg.connect(rig.database.admin_url) as connection:
        connection.execute("create schema elsewhere authorization ofrecord_owner")
        connection.execute("set session authorization ofrecord_owner")
        connection.commit()
        yield connection
        connection.rollback()


def announce(connection: psycopg.Connection, text: str) -> UUID:
    digest = f"sha256:{sha256(text.encode()).hexdigest()}"
    return SchemaChanges().enter(connection, [("audit", "0099_x.sql", digest)], NOW)[0]


def test_an_announced_change_passes_and_cannot_be_hidden(rig: Rig, owner: psycopg.Connection) -> None:
    text = "create function audit.more() returns int language sql as $$ select 1 $$"
    owner.execute(APPLY, (announce(owner, text), text))
    owner.commit()
    rig.integrator.step(NOW)
    assert rig.count("leaf") == 1
    assert rig.fsck().problems == ("function audit.more is not as it was published",)
    with psycopg.connect(rig.database.admin_url) as connection:
        kept = connection.execute("select type, canonical from audit.entry").fetchone()
    assert kept[0] == "schema.change"
    assert sha256(text.encode()).hexdigest().encode() in kept[1]


@pytest.mark.parametrize(
    "how", ["another text", "twice", "within a savepoint", "an earlier transaction", "no entry"]
)
def test_an_announcement_is_for_one_text_in_its_own_transaction(owner: psycopg.Connection, how: str) -> None:
    if how == "within a savepoint":
        with owner.transaction():
            owner.execute("savepoint s")
            entry_id = announce(owner, HARMLESS)
            owner.execute("release savepoint s")
            refuse(owner, entry_id, HARMLESS)
        return
    entry_id = announce(owner, HARMLESS)
    if how == "twice":  # once more in the same transaction is the same change: it is what was announced
        owner.execute(APPLY, (entry_id, HARMLESS))
        owner.execute(APPLY, (entry_id, HARMLESS))
        return
    if how == "an earlier transaction":
        owner.commit()
    if how == "no entry":
        entry_id = new_id(NOW)
    refuse(owner, entry_id, "drop table audit.leaf" if how == "another text" else HARMLESS)


def refuse(connection: psycopg.Connection, entry_id: UUID, text: str) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege, match="no entry of this transaction announces"):
        connection.execute(APPLY, (entry_id, text))


@pytest.mark.parametrize(
    "text",
    [
        "alter table audit.entry disable trigger append_only; delete from audit.entry;"
        " alter table audit.entry enable always trigger append_only",
        "delete from audit.pending",
        "alter table audit.entry disable trigger append_only; update audit.entry set canonical = '{}'",
    ],
)
def test_a_change_does_not_take_its_own_announcement_away(owner: psycopg.Connection, text: str) -> None:
    refuse(owner, announce(owner, text), text)


def test_another_kind_of_entry_announces_nothing(rig: Rig, owner: psycopg.Connection) -> None:
    digest = f"sha256:{sha256(HARMLESS.encode()).hexdigest()}"
    entry = Entry(new_id(NOW), "model.approved", NOW, "x", {"digest": digest})
    owner.execute(APPEND, ([entry_bytes(entry)], [None], [None], [None]))
    refuse(owner, entry.entry_id, HARMLESS)


def test_a_change_leaves_no_gate_open_behind_it(owner: psycopg.Connection) -> None:
    owner.execute(APPLY, (announce(owner, HARMLESS), HARMLESS))
    with pytest.raises(psycopg.errors.InsufficientPrivilege, match="is guarded"):
        owner.execute("drop table audit.leaf")
    owner.rollback()
    assert len(owner.execute("select audit.ensure_partitions_v1('2031-01-01')").fetchall()) == 12
    with pytest.raises(psycopg.errors.InsufficientPrivilege, match="is guarded"):
        owner.execute("drop table audit.payload_clinical_2031_01")


def test_a_change_may_not_touch_the_guard(owner: psycopg.Connection) -> None:
    for text in (
        "create function audit_guard.f() returns int language sql as $$ select 1 $$",
        "alter function audit_guard.apply_v1 owner to ofrecord_owner",
        "insert into audit_guard.permit values (pg_current_xact_id(), 'expiry', 'x')",
        "set role ofrecord_guard",
        "reset session authorization",
    ):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            owner.execute(APPLY, (announce(owner, text), text))
        owner.rollback()


def test_a_change_that_moves_the_search_path_runs_nothing_as_the_guard(owner: psycopg.Connection) -> None:
    """The owner's operators would be found before the system's, with the guard's rights."""
    owner.execute("create table elsewhere.ran (who text); grant all on elsewhere.ran to public")
    owner.execute("grant usage on schema elsewhere to public")
    for kind in ("xid8", "text", "xid"):
        owner.execute(
            f"create function elsewhere.spy(a {kind}, b {kind}) returns boolean language plpgsql as"
            " $$ begin insert into elsewhere.ran values (current_user); return true; end $$"
        )
        owner.execute(
            f"create operator elsewhere.= (leftarg = {kind}, rightarg = {kind}, function = elsewhere.spy)"
        )
    text = f"set search_path = elsewhere, pg_catalog; {HARMLESS}"
    owner.execute(APPLY, (announce(owner, text), text))
    assert owner.execute("select count(*) from elsewhere.ran").fetchone() == (0,)
    owner.execute("set search_path = elsewhere, pg_catalog")
    owner.execute("select 'a'::text = 'b'::text")
    assert owner.execute("select who from elsewhere.ran").fetchall() == [("ofrecord_owner",)]


def test_look_alikes_and_search_paths_do_not_reach_append_v1(rig: Rig, owner: psycopg.Connection) -> None:
    owner.execute(
        "create function elsewhere.sha256(bytea) returns bytea language sql as $$ select '\\x00'::bytea $$"
    )
    owner.execute("grant usage on schema elsewhere to public")
    owner.execute(f"grant temporary on database {rig.database.name} to ofrecord_service")
    owner.commit()
    entry = Entry(new_id(NOW), "a.b", NOW, "x", {})
    with psycopg.connect(rig.database.url("service")) as service:
        service.execute(
            "create temp table entry (like audit.entry); create temp table pending (entry_id uuid)"
        )
        service.execute("create temp table idempotency (like audit.idempotency)")
        service.execute("set search_path = pg_temp, elsewhere, pg_catalog")
        found = service.execute(APPEND, ([entry_bytes(entry)], [None], [None], [None])).fetchone()
    assert found == (leaf_hash(entry_bytes(entry)),)
    assert rig.count("entry") == rig.count("pending") == 1


def test_connections_do_not_take_over_a_path_that_somebody_made_the_default(
    rig: Rig, owner: psycopg.Connection
) -> None:
    owner.execute(f"alter database {rig.database.name} set search_path = elsewhere, pg_catalog")
    owner.commit()
    with psycopg.connect(rig.database.url("auditor")) as connection:
        assert connection.execute("show search_path").fetchone() == ("elsewhere, pg_catalog",)
    with connect(rig.database.url("auditor")) as connection:
        assert connection.execute("show search_path").fetchone() == ("pg_catalog, pg_temp",)
    pool = open_pool(rig.database.url("service"))
    with pool.connection() as connection:
        assert connection.execute("show search_path").fetchone() == ("pg_catalog, pg_temp",)
    pool.close()


def test_what_a_session_prefers_changes_neither_shape_nor_meaning(rig: Rig) -> None:
    for file in (Path(guarding.__file__).parent / "sql" / "guard").glob("*.sql"):
        assert "\\" not in file.read_text(encoding="utf-8")
    with psycopg.connect(rig.database.url("service"), autocommit=True) as service:
        for setting in (
            "quote_all_identifiers = on",
            "datestyle = 'SQL, DMY'",
            "bytea_output = 'escape'",
            "timezone = 'Asia/Tokyo'",
            "standard_conforming_strings = off",
            "escape_string_warning = off",
        ):
            service.execute(f"set {setting}")
        assert ddl_guard(service) == "present"
        assert len(service.execute("select audit.ensure_partitions_v1('2031-05-01')").fetchall()) == 12
        assert guard_problems(service) == []
    assert rig.fsck().passed


def test_index_upkeep_passes(rig: Rig) -> None:
    rig.log.append([Draft("a.b", "x", {})] * 3, NOW)
    with psycopg.connect(rig.database.admin_url, autocommit=True) as connection:
        connection.execute("set session authorization ofrecord_owner")
        for statement in (
            "reindex table audit.entry",
            "reindex index concurrently audit.entry_type_time",
            "reindex table audit.payload",
            "vacuum audit.pending",
            "analyze audit.entry",
        ):
            connection.execute(statement)
    assert rig.fsck().passed


def test_what_is_beside_the_log_is_not_guarded(rig: Rig, owner: psycopg.Connection) -> None:
    for statement in (
        "create table elsewhere.a (id int primary key, n text)",
        "create index on elsewhere.a (n)",
        "alter table elsewhere.a alter column id type bigint",
        "create view elsewhere.v as select entry_id from audit.entry",
        "grant select on elsewhere.a to ofrecord_service",
        "drop view elsewhere.v; drop table elsewhere.a",
    ):
        owner.execute(statement)
    owner.commit()
    with psycopg.connect(rig.database.url("auditor")) as auditor:
        assert ddl_guard(auditor) == "present"
        assert guard_problems(auditor) == []
        assert auditor.execute("select has_table_privilege('audit_guard.permit', 'insert')").fetchone() == (
            False,
        )
    with psycopg.connect(rig.database.admin_url) as connection:
        assert connection.execute("select count(*) from audit_guard.permit").fetchone() == (0,)
