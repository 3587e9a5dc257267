"""Who tries what on the log, and what becomes of it: the rows of docs/attacks.md, as statements.

A cell says what stops or tells: `rights` (PostgreSQL's own), `trigger` (append-only), `guard` (event triggers
and the guard's functions), `fsck` (not stopped: found), `nothing` (allowed: the log is untouched by it).
"""

from __future__ import annotations

from dataclasses import dataclass

LOGINS = ("service", "worker", "auditor", "custodian")
COLUMNS = ("logins", "integrator", "owner", "superuser")

PART = "audit.payload_clinical_2026_11"
SWALLOW = (
    "create function elsewhere.quiet() returns trigger language plpgsql as $$ begin return null; end $$",
    "create trigger quiet before insert on audit.entry for each row execute function elsewhere.quiet()",
)
_EMPTY_APPEND = (
    "create or replace function audit.append_v1(p_canonicals bytea[], p_ciphertexts bytea[], p_keys bytea[],"
    " p_fingerprints bytea[]) returns table (outcome text, entry_id uuid, leaf_hash bytea,"
    ' "time" timestamptz)'
    " language sql as $$ select null::text, null::uuid, null::bytea, null::timestamptz $$"
)


@dataclass(frozen=True, slots=True)
class Attack:
    """One row: the statements, one after the other, and what becomes of them for each kind of role."""

    what: str
    statements: tuple[str, ...]
    logins: str = "rights"
    integrator: str = "rights"
    owner: str = "guard"
    superuser: str = "guard"
    finds: str = ""

    def cells(self) -> tuple[str, ...]:
        """Return the row as the document has it."""
        return (self.what, *(getattr(self, column) for column in COLUMNS))


def _rows(what: str, *statements: str, by: str) -> Attack:
    return Attack(what, statements, owner=by, superuser=by)


_ROWS_CHANGED = tuple(
    _rows(what, statement, by="trigger")
    for what, statement in (
        ("UPDATE of an entry", "update audit.entry set type = type"),
        ("UPDATE of the payload", "update audit.payload set month = month"),
        ("UPDATE of one partition", f"update {PART} set month = month"),
        ("DELETE of entries", "delete from audit.entry"),
        ("DELETE of leaves", "delete from audit.leaf"),
        ("DELETE from one partition", f"delete from {PART}"),
        ("TRUNCATE of the payload", "truncate audit.payload"),
        ("TRUNCATE of one partition", f"truncate {PART}"),
        (
            "TRUNCATE … CASCADE of several tables",
            "truncate audit.entry, audit.leaf, audit.checkpoint cascade",
        ),
        (
            "INSERT … ON CONFLICT DO UPDATE",
            "insert into audit.checkpoint select * from audit.checkpoint"
            " on conflict (tree_size) do update set note = 'x'",
        ),
        (
            "MERGE that updates",
            "merge into audit.checkpoint c using audit.checkpoint s on c.tree_size = s.tree_size"
            " when matched then update set note = 'x'",
        ),
        (
            "MERGE that deletes",
            "merge into audit.leaf l using audit.leaf s on l.index = s.index when matched then delete",
        ),
    )
)

CHANGES = (
    *_ROWS_CHANGED,
    Attack(
        "session_replication_role = replica, then DELETE",
        ("set session_replication_role = replica", "delete from audit.entry"),
        owner="rights",
        superuser="trigger",
    ),
    Attack(
        "session_replication_role = replica, then DISABLE TRIGGER",
        ("set session_replication_role = replica", "alter table audit.leaf disable trigger append_only"),
        owner="rights",
    ),
)

_BEFORE_RIGHTS = {"logins": "guard", "integrator": "guard"}

TABLES = tuple(
    Attack(what, statements, **(_BEFORE_RIGHTS if "CONCURRENTLY" in what else {}))
    for what, statements in {
        "DROP TABLE": ("drop table audit.leaf cascade",),
        "DROP TABLE of one partition": (f"drop table {PART}",),
        "DROP SCHEMA … CASCADE": ("drop schema audit cascade",),
        "DETACH PARTITION": (f"alter table audit.payload_clinical detach partition {PART}",),
        "DETACH PARTITION … CONCURRENTLY": (
            f"alter table audit.payload_clinical detach partition {PART} concurrently",
        ),
        "A partition in another schema": (
            "create table elsewhere.p partition of audit.payload for values in ('x')",
        ),
        "A table that inherits from the log": ("create table elsewhere.p () inherits (audit.entry)",),
        "CREATE TABLE, VIEW or TYPE in the log's schema": ("create table audit.more (id int)",),
        "DISABLE TRIGGER by name": ("alter table audit.entry disable trigger append_only",),
        "DISABLE TRIGGER of one partition": (f"alter table {PART} disable trigger append_only",),
        "DISABLE TRIGGER ALL": ("alter table audit.entry disable trigger all",),
        "ENABLE REPLICA TRIGGER": ("alter table audit.entry enable replica trigger append_only",),
        "DROP TRIGGER": ("drop trigger append_only on audit.entry",),
        "ALTER TRIGGER … RENAME": ("alter trigger append_only on audit.entry rename to x",),
        "CREATE RULE … DO INSTEAD NOTHING": (
            "create rule quiet as on insert to audit.entry do instead nothing",
        ),
        "A trigger that swallows inserts": SWALLOW,
        "ADD COLUMN": ("alter table audit.entry add column note text",),
        "DROP COLUMN": ("alter table audit.entry drop column about",),
        "A column of another type": ("alter table audit.leaf alter column index type numeric",),
        "DROP CONSTRAINT": ("alter table audit.leaf drop constraint leaf_pkey",),
        "A constraint that refuses every entry": (
            "alter table audit.entry add constraint never check (false) not valid",
        ),
        "A foreign key from outside": (
            "create table elsewhere.f (id uuid references audit.entry on delete cascade)",
        ),
        "SET UNLOGGED": ("alter table audit.checkpoint set unlogged",),
        "RENAME of a table": ("alter table audit.pending rename to queue",),
        "RENAME of a column": ("alter table audit.pending rename column entry_id to x",),
        "SET SCHEMA, out": ("alter table audit.pending set schema elsewhere",),
        "SET SCHEMA, in": ("create table elsewhere.t ()", "alter table elsewhere.t set schema audit"),
        "Storage parameters": ("alter table audit.entry set (autovacuum_enabled = off)",),
        "REPLICA IDENTITY": ("alter table audit.pending replica identity nothing",),
        "ENABLE ROW LEVEL SECURITY": ("alter table audit.entry enable row level security",),
        "DISABLE ROW LEVEL SECURITY": ("alter table audit.entry disable row level security",),
        "CREATE POLICY": ("create policy p on audit.entry using (false)",),
        "CREATE INDEX": ("create unique index u on audit.entry (leaf_hash)",),
        "CREATE INDEX CONCURRENTLY": ("create index concurrently u on audit.entry (retention_class)",),
        "DROP INDEX": ("drop index audit.entry_about",),
        "DROP INDEX CONCURRENTLY": ("drop index concurrently audit.entry_about",),
        "ALTER SCHEMA … RENAME": ("alter schema audit rename to audit_old",),
        "ALTER TABLE … OWNER": ("alter table audit.entry owner to current_user",),
    }.items()
)

FUNCTIONS = (
    Attack("CREATE OR REPLACE of append_v1", (_EMPTY_APPEND,)),
    Attack("DROP FUNCTION", ("drop function audit.append_v1",)),
    Attack("ALTER FUNCTION … SECURITY INVOKER", ("alter function audit.append_v1 security invoker",)),
    Attack("ALTER FUNCTION … SET SCHEMA", ("alter function audit.append_v1 set schema elsewhere",)),
    Attack(
        "CREATE FUNCTION in the log's schema",
        ("create function audit.f() returns int language sql as 'select 1'",),
    ),
    Attack("GRANT on a table", ("grant insert on audit.leaf to ofrecord_service",)),
    Attack("GRANT to PUBLIC on a function", ("grant execute on function audit.run_migration_v1 to public",)),
    Attack("REVOKE from the integrator", ("revoke all on audit.leaf from ofrecord_integrator",)),
    Attack("GRANT on the schema", ("grant create on schema audit to ofrecord_service",)),
    Attack(
        "ALTER DEFAULT PRIVILEGES",
        ("alter default privileges for role ofrecord_owner grant all on tables to ofrecord_service",),
    ),
    Attack("DROP OWNED BY the owner", ("drop owned by ofrecord_owner cascade",)),
    Attack(
        "DROP OWNED BY the integrator",
        ("drop owned by ofrecord_integrator",),
        owner="rights",
    ),
    Attack(
        "REASSIGN OWNED",
        ("reassign owned by ofrecord_owner to ofrecord_auditor",),
        owner="rights",
        superuser="fsck",
        finds="not as the last announced change left it",
    ),
    Attack("The partitions' function, called directly", ("select audit.make_partitions_v1('2031-01-01')",)),
    Attack(
        "The expiry's functions without a manifest entry",
        ("select audit.drop_partition_v1('clinical', '2026-11-01', gen_random_uuid())",),
    ),
    Attack(
        "A migration's function, called directly", ("select audit.run_migration_v1('drop table audit.leaf')",)
    ),
)

ROWS_IN = tuple(
    Attack(what, (statement,), owner="fsck", superuser="fsck", finds=finds, integrator=integrator)
    for what, statement, finds, integrator in (
        (
            "INSERT of an entry past append_v1",
            "insert into audit.entry (entry_id, type, time, retention_class, canonical, leaf_hash)"
            " values (gen_random_uuid(), 'a.b', '2026-11-20Z', 'standard', '{}', sha256('x'))",
            "is neither in the tree nor waits for it",
            "rights",
        ),
        (
            "COPY … FROM into entries",
            "copy audit.entry (entry_id, type, time, retention_class, canonical, leaf_hash) from stdin",
            "is neither in the tree nor waits for it",
            "rights",
        ),
        (
            "INSERT of a leaf",
            "insert into audit.leaf values (9000, gen_random_uuid(), sha256('x'))",
            "leaf 9000 stands beyond",
            "fsck",
        ),
        (
            "INSERT of a tile",
            "insert into audit.tile values (3, 9, decode(repeat('00', 8192), 'hex'), sha256('x'))",
            "tiles are stored; a tree of",
            "fsck",
        ),
        (
            "INSERT of a checkpoint",
            "insert into audit.checkpoint values (9000, sha256('x'), 'x', '2026-11-20Z')",
            "checkpoint 9000",
            "fsck",
        ),
        (
            "INSERT into what waits",
            "insert into audit.pending values (gen_random_uuid())",
            "pending entry",
            "rights",
        ),
        (
            "DELETE of what waits",
            "delete from audit.pending",
            "is neither in the tree nor waits for it",
            "fsck",
        ),
    )
)
