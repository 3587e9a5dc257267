"""Attacks on the guard itself, on what it trusts, and around it: the other rows of docs/attacks.md."""

from __future__ import annotations

from tests.oracles.attacks import CHANGES, FUNCTIONS, PART, ROWS_IN, SWALLOW, TABLES, Attack

_OFF = "the guard against changes of the log's schema is off or altered"
_SHAPE = "the log's schema is not as the last announced change left it"
_AROUND = "set event_triggers = off"
_EMPTY = "returns event_trigger language plpgsql as $$ begin end $$"


def _around(what: str, *statements: str, finds: str) -> Attack:
    """Return what takes a superuser, who is not stopped."""
    return Attack(what, statements, owner="rights", superuser="fsck", finds=finds)


GUARD = (
    Attack(
        "A permit of one's own",
        (
            "insert into audit_guard.permit values (pg_current_xact_id(), 'migration', 'x')",
            "alter table audit.leaf disable trigger append_only",
        ),
        owner="rights",
        superuser="fsck",
        finds="table audit.leaf has lost its append-only trigger",
    ),
    Attack(
        "The guard's record of the schema, rewritten",
        ("update audit_guard.shape set digest = ''",),
        owner="rights",
        superuser="fsck",
        finds=_SHAPE,
    ),
    Attack(
        "CREATE OR REPLACE of a guard's function",
        (f"create or replace function audit_guard.at_drop_v1() {_EMPTY}",),
        owner="rights",
    ),
    Attack(
        "CREATE OR REPLACE of the very function that would refuse it",
        (f"create or replace function audit_guard.at_end_v1() {_EMPTY}",),
        owner="rights",
        superuser="fsck",
        finds=_OFF,
    ),
    Attack(
        "ALTER of a guard's function",
        ("alter function audit_guard.apply_v1 security invoker",),
        owner="rights",
    ),
    Attack(
        "DROP of the guard's schema, event triggers and all",
        ("drop schema audit_guard cascade",),
        owner="rights",
        superuser="fsck",
        finds=_OFF,
    ),
    Attack(
        "GRANT on the guard's tables",
        ("grant all on audit_guard.permit to ofrecord_owner",),
        owner="rights",
        superuser="fsck",
        finds=_OFF,
    ),
    Attack("SET ROLE to the guard's role", ("set role ofrecord_guard",), owner="rights", superuser="nothing"),
    Attack(
        "A change that no entry announces",
        ("select audit_guard.apply_v1(gen_random_uuid(), 'drop table audit.leaf')",),
    ),
    Attack(
        "A change under an earlier announcement",
        (
            "select audit_guard.apply_v1(entry_id, 'drop table audit.leaf') from audit.entry"
            " where type = 'schema.change'",
        ),
    ),
)

AROUND = (
    _around("ALTER EVENT TRIGGER … DISABLE", "alter event trigger audit_guard_end disable", finds=_OFF),
    _around(
        "ALTER EVENT TRIGGER … ENABLE REPLICA",
        "alter event trigger audit_guard_drop enable replica",
        finds=_OFF,
    ),
    _around("DROP EVENT TRIGGER", "drop event trigger audit_guard_rewrite", finds=_OFF),
    _around(
        "event_triggers = off, then the guard's schema dropped",
        _AROUND,
        "drop schema audit_guard cascade",
        finds=_OFF,
    ),
    _around(
        "event_triggers = off, then a guard's function replaced",
        _AROUND,
        f"create or replace function audit_guard.at_end_v1() {_EMPTY}",
        finds=_OFF,
    ),
    _around(
        "event_triggers = off for a role",
        "alter role ofrecord_owner set event_triggers = off",
        finds=_OFF,
    ),
    _around("The guard's role given to a login", "grant ofrecord_guard to ofrecord_service", finds=_OFF),
    _around(
        "event_triggers = off, then DISABLE TRIGGER",
        _AROUND,
        f"alter table {PART} disable trigger append_only",
        finds=f"table {PART} has lost its append-only trigger",
    ),
    _around(
        "event_triggers = off, then a trigger that swallows inserts",
        _AROUND,
        *SWALLOW,
        finds="a part that is not its own: trigger quiet on audit.entry",
    ),
    _around(
        "event_triggers = off, then GRANT",
        _AROUND,
        "grant insert on audit.leaf to ofrecord_service",
        finds=_SHAPE,
    ),
    _around(
        "event_triggers = off, then append_v1 replaced and the guard's record rewritten",
        _AROUND,
        "alter function audit.append_v1 rename to append_v0",
        FUNCTIONS[0].statements[0],
        "update audit_guard.shape set digest = audit_guard.shape_v1()",
        finds="function audit.append_v1 is not as it was published",
    ),
    _around(
        "UPDATE of pg_trigger",
        "update pg_trigger set tgenabled = 'D' where tgname = 'append_only'",
        finds="table audit.entry has lost its append-only trigger",
    ),
    _around(
        "UPDATE of pg_event_trigger",
        "update pg_event_trigger set evtenabled = 'D'",
        finds=_OFF,
    ),
    _around(
        "UPDATE of pg_proc, with allow_system_table_mods",
        "set allow_system_table_mods = on",
        "update pg_proc set prosrc = 'begin return null; end' where oid = 'audit.refuse_change_v1'::regproc",
        finds="function audit.refuse_change_v1 is not as it was published",
    ),
    _around(
        "event_triggers = off, then an entry rewritten between DISABLE and ENABLE TRIGGER",
        _AROUND,
        "alter table audit.entry disable trigger append_only",
        "update audit.entry set canonical = sha256(canonical)",
        "alter table audit.entry enable always trigger append_only",
        finds="do not have its leaf hash",
    ),
    Attack(
        "A large object",
        ("select lo_from_bytea(0, 'x')",),
        logins="nothing",
        integrator="nothing",
        owner="nothing",
        superuser="nothing",
    ),
)

ATTACKS = (*CHANGES, *TABLES, *FUNCTIONS, *ROWS_IN, *GUARD, *AROUND)
