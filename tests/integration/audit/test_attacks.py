"""Every row of docs/attacks.md, tried as every role; what is refused leaves the log as it was."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

import psycopg
import pytest

from audit.changes import SchemaChanges
from audit.entry import Draft
from audit.fsck import fsck
from audit.guarding import ddl_guard
from tests.integration.audit.conftest import NOW, ORIGIN, Rig
from tests.oracles.attacks import COLUMNS, LOGINS, Attack
from tests.oracles.attacks_on_guard import ATTACKS

DOCUMENT = Path(__file__).resolve().parents[3] / "docs" / "attacks.md"
ROLES = {"logins": LOGINS, "integrator": ("integrator",), "owner": ("owner",), "superuser": ("superuser",)}
GUARDED = "the schema of the log is guarded: (.* is refused|a change that no entry)"
WORDS = {"rights", "trigger", "guard", "fsck", "nothing"}
TABLES = (
    "select oid::regclass::text from pg_class where relnamespace in ('audit'::regnamespace,"
    " 'audit_guard'::regnamespace) and relkind in ('r', 'p') order by 1"
)


@pytest.fixture
def filled(rig: Rig) -> Rig:
    """A log with a tree, something that waits for it, announced changes, and a schema beside it."""
    with psycopg.connect(rig.database.admin_url) as connection:
        earlier = f"sha256:{sha256(b'drop table audit.leaf').hexdigest()}"
        changes = [("audit", "0099_x.sql", earlier), ("audit/guard", "guard.sql", earlier)]
        SchemaChanges().enter(connection, changes, NOW)
        connection.execute("create schema elsewhere; grant all on schema elsewhere to public")
    rig.log.append([Draft("a.b", "x", {}, private=b"p", retention_class="clinical")] * 300, NOW)
    rig.integrator.step(NOW)
    rig.log.append_one(Draft("a.b", "x", {}), NOW)
    return rig


def everything(connection: psycopg.Connection) -> list[object]:
    """Return the content of the log and the shape of its schema and guard."""
    tables = [row[0] for row in connection.execute(TABLES).fetchall()]
    rows = " union all ".join(
        f"select '{t}', md5(string_agg(t::text, '|' order by t::text)) from only {t} t" for t in tables
    )
    return [
        *connection.execute(rows).fetchall(),
        *connection.execute("select audit_guard.lines_v1() as line order by line").fetchall(),
    ]


@contextmanager
def acting(rig: Rig, role: str) -> Iterator[psycopg.Connection]:
    """Connect as a role; the owner cannot log in, so an administrator's session becomes it for good."""
    url = rig.database.admin_url if role in ("owner", "superuser") else rig.database.url(role)
    with psycopg.connect(url, autocommit=True) as connection:
        if role == "owner":
            connection.execute("set session authorization ofrecord_owner")
        yield connection


def run(connection: psycopg.Connection, statements: Sequence[str]) -> None:
    for statement in statements:
        if statement.startswith("copy"):
            with connection.cursor().copy(statement) as copy:
                copy.write("01a20746-b4aa-7fd1-8baf-6070805cd823\ta.b\t2026-11-20 00:00:00Z\tstandard\t{}\t")
                copy.write("\\\\x" + "00" * 32 + "\n")
        else:
            connection.execute(statement)


def refusal(rig: Rig, role: str, attack: Attack) -> str:
    """Return which mechanism refused the attack."""
    warnings: list[str] = []
    with acting(rig, role) as connection:
        connection.add_notice_handler(lambda notice: warnings.append(notice.message_primary or ""))
        try:
            run(connection, attack.statements)
        except psycopg.errors.InsufficientPrivilege as error:
            if "is append-only" in str(error):
                return "trigger"
            return "guard" if re.search(GUARDED, str(error)) else "rights"
        except psycopg.errors.ObjectNotInPrerequisiteState as error:
            return "guard" if "is no manifest of an expiry" in str(error) else str(error)
        except psycopg.Error as error:
            return f"{error.sqlstate} {error}"
    # GRANT and REVOKE by somebody who may not do it are no error where he has some other right.
    return "rights" if any(warning.startswith("no privileges") for warning in warnings) else "not refused"


@pytest.mark.parametrize("column", COLUMNS)
def test_what_is_refused_leaves_the_log_as_it_was(filled: Rig, column: str) -> None:
    wrong = []
    with psycopg.connect(filled.database.admin_url, autocommit=True) as observer:
        before = everything(observer)
        for attack in ATTACKS:
            said = getattr(attack, column)
            if said not in ("rights", "trigger", "guard"):
                continue
            for role in ROLES[column]:
                found = refusal(filled, role, attack)
                if any("elsewhere" in statement for statement in attack.statements):
                    observer.execute("drop schema elsewhere cascade; create schema elsewhere")
                    observer.execute("grant all on schema elsewhere to public")
                if found != said or everything(observer) != before:
                    wrong.append((attack.what, role, found))
    assert not wrong, "\n".join(map(str, wrong))
    assert filled.fsck().passed


@pytest.mark.parametrize("column", COLUMNS)
def test_what_is_not_refused_is_found_or_of_no_account(filled: Rig, column: str) -> None:
    wrong = []
    for attack in ATTACKS:
        said = getattr(attack, column)
        if said not in ("fsck", "nothing"):
            continue
        (role,) = ROLES[column] if said == "fsck" else ROLES[column][:1]
        with psycopg.connect(filled.database.admin_url) as connection:
            name = {"owner": "ofrecord_owner", "superuser": "postgres"}.get(role, f"ofrecord_{role}")
            connection.execute(f"set local role {name}")
            run(connection, attack.statements)
            connection.execute("reset role")
            problems = fsck(connection, [filled.signer.verifier.vkey], ORIGIN).problems
            connection.rollback()
        found = any(attack.finds in problem for problem in problems) if said == "fsck" else not problems
        if not found:
            wrong.append((attack.what, role, problems))
    assert not wrong, "\n".join(map(str, wrong))
    assert filled.fsck().passed


def test_the_auditor_finds_a_guard_that_is_off(filled: Rig) -> None:
    assert filled.fsck().passed
    with psycopg.connect(filled.database.admin_url, autocommit=True) as connection:
        connection.execute("alter event trigger audit_guard_end disable")
        with psycopg.connect(filled.database.url("auditor")) as auditor:
            assert ddl_guard(auditor) == "disabled"
        assert filled.fsck().problems == ("the guard against changes of the log's schema is off or altered",)
        connection.execute("alter event trigger audit_guard_end enable always")
    assert filled.fsck().passed


def test_the_document_and_the_attacks_are_the_same_list() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    documented = [
        tuple(re.split(r" \| ", line.strip("| "))) for line in re.findall(r"^\|.*\|$", text, re.MULTILINE)
    ]
    rows = [row for row in documented if len(row) == 1 + len(COLUMNS) and set(row[1:]) <= WORDS]
    assert rows == [attack.cells() for attack in ATTACKS]
    assert len({attack.what for attack in ATTACKS}) == len(ATTACKS)
