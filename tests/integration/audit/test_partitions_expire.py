"""A partition goes only behind the entry that says so, by the one way that the guard leaves open."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from hashlib import sha256
from uuid import UUID

import psycopg
import pytest

from audit.canonical import JsonValue
from audit.custody import append_clear
from audit.entry import Appended, Draft
from audit.retention import RULES
from tests.integration.audit.conftest import NOW, Rig

MONTH = date(2026, 11, 1)
OVER = datetime(2032, 12, 1, tzinfo=UTC)  # 72 months after it
DROP = "select audit.drop_partition_v1(%s, %s, %s)"


def append(rig: Rig, kind: str, count: int) -> list[UUID]:
    drafts = [Draft("a.b", "x", {}, private=b"p", retention_class=kind)] * count
    return [found.entry_id for found in rig.log.append(drafts, NOW) if isinstance(found, Appended)]


def declare(rig: Rig, kind: str, ids: list[UUID], at: datetime = OVER, **other: object) -> UUID:
    """Append the entry that says which payload goes: its class, month, and how many of which entries."""
    digest = sha256(b"".join(entry.bytes for entry in sorted(ids, key=str))).hexdigest()
    body: dict[str, JsonValue] = {
        "retention_class": kind,
        "month": "2026-11",
        "entries": len(ids),
        "entries_digest": f"sha256:{digest}",
        "keys": len(ids),
    }
    body.update(other)  # type: ignore[arg-type]
    draft = Draft(str(body.pop("type", "retention.expired")), "expiry", body)
    with psycopg.connect(rig.database.admin_url) as connection:
        return append_clear(connection, draft, at).entry_id


def begin(rig: Rig, kind: str, entry_id: UUID, at: datetime = OVER) -> None:
    """Note when the expiry began and what its manifest is, as the custodian does."""
    with psycopg.connect(rig.database.url("custodian")) as connection:
        connection.execute("select records.start_expiry_v1(%s, %s, %s)", (kind, MONTH, at))
        noted = "select records.manifest_expiry_v1(%s, %s, %s, 0, 0, %s)"
        connection.execute(noted, (kind, MONTH, at, entry_id))


def manifest(rig: Rig, kind: str, ids: list[UUID], **other: object) -> UUID:
    """The same with its place in the tree and its row."""
    entry_id = declare(rig, kind, ids, **other)
    begin(rig, kind, entry_id)
    rig.integrator.step(OVER)
    return entry_id


def drop(rig: Rig, kind: str, month: date, entry_id: UUID) -> None:
    """Drop as the owner, past the custodian's own function, by the way that the guard leaves open."""
    with psycopg.connect(rig.database.admin_url) as connection:
        connection.execute("set session authorization ofrecord_owner")
        connection.execute(DROP, (kind, month, entry_id))


def test_an_expired_partition_is_dropped_behind_its_entry(rig: Rig) -> None:
    ids = append(rig, "clinical", 5)
    kept = append(rig, "standard", 3)
    drop(rig, "clinical", MONTH, manifest(rig, "clinical", ids))
    assert rig.count("payload") == len(kept)
    assert rig.count("entry") == len(ids) + len(kept) + 1
    rig.integrator.step(OVER)
    assert rig.fsck().passed
    with psycopg.connect(rig.database.admin_url) as connection:
        found = connection.execute("select to_regclass('audit.payload_clinical_2026_11')").fetchone()
        assert found == (None,)
        assert connection.execute("select count(*) from audit_guard.permit").fetchone() == (0,)


@pytest.mark.parametrize(
    ("other", "said"),
    [
        ({"entries": 4}, "does not declare the entries"),
        ({"entries_digest": "sha256:" + "0" * 64}, "does not declare the entries"),
        ({"month": "2026-12"}, "is not that of clinical 2026-11"),
        ({"retention_class": "standard"}, "is not that of clinical 2026-11"),
        ({"type": "hold.placed"}, "is no manifest of an expiry that is in the tree"),
    ],
)
def test_an_entry_that_says_otherwise_drops_nothing(rig: Rig, other: dict[str, object], said: str) -> None:
    refused(rig, manifest(rig, "clinical", append(rig, "clinical", 5), **other), said)


def test_an_entry_that_is_not_in_the_tree_yet_drops_nothing(rig: Rig) -> None:
    waiting = declare(rig, "clinical", append(rig, "clinical", 5))
    begin(rig, "clinical", waiting)
    refused(rig, waiting, "is no manifest of an expiry that is in the tree")


def test_a_manifest_beside_that_of_the_expiry_drops_nothing(rig: Rig) -> None:
    ids = append(rig, "clinical", 5)
    other = declare(rig, "clinical", ids)
    refused(rig, other, "is no manifest")
    manifest(rig, "clinical", ids)
    refused(rig, other, "is not that of clinical 2026-11")


@pytest.mark.parametrize(
    ("at", "begun", "signed"),
    [
        (OVER - timedelta(days=1), OVER - timedelta(days=1), OVER),  # before it can be over
        (OVER, NOW, OVER),  # looked before it could be
        (OVER, OVER + timedelta(seconds=1), OVER),  # looked when it was declared already
        (datetime(2099, 1, 1, tzinfo=UTC), OVER, NOW),  # in a time that has not come
        (OVER, OVER, OVER - timedelta(minutes=6)),
    ],
)
def test_a_manifest_of_another_time_drops_nothing(
    rig: Rig, at: datetime, begun: datetime, signed: datetime
) -> None:
    entry_id = declare(rig, "clinical", append(rig, "clinical", 5), at)
    begin(rig, "clinical", entry_id, begun)
    rig.integrator.step(signed)
    refused(rig, entry_id, "is dated before clinical 2026-11 can be over, or after it was signed")


def test_the_owner_drops_nothing_that_is_held(rig: Rig) -> None:
    entry_id = manifest(rig, "clinical", append(rig, "clinical", 5))
    with psycopg.connect(rig.database.admin_url) as connection:
        connection.execute(
            "insert into records.hold (hold_id, kind, placed_at, placed_by, placed_entry_id)"
            " values (gen_random_uuid(), 'everything', %s, 'x', gen_random_uuid())",
            (NOW,),
        )
    refused(rig, entry_id, "a hold may cover entries of clinical 2026-11")


def refused(rig: Rig, entry_id: UUID, said: str) -> None:
    """Neither the log's own function nor the guard's takes it away."""
    for function in (
        "audit.drop_partition_v1",
        "audit_guard.remove_partition_v1",
        "audit.remove_partition_v1",
    ):
        with psycopg.connect(rig.database.admin_url) as connection:
            connection.execute("set session authorization ofrecord_owner")
            with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState, match=said):
                connection.execute(f"select {function}('clinical', '2026-11-01', %s)", (entry_id,))
    assert rig.count("payload") == 5


def test_the_periods_are_those_of_the_rules(rig: Rig) -> None:
    with psycopg.connect(rig.database.admin_url) as connection:
        found = connection.execute("select name, audit.retention_months_v1(name) from audit.retention_class")
        assert dict(found.fetchall()) == {name: rule.months for name, rule in RULES.items()}


@pytest.mark.parametrize(
    ("kind", "month"), [("clinical", date(2020, 1, 1)), ("clinical", date(2026, 11, 2)), ("x", MONTH)]
)
def test_what_is_not_there_is_not_dropped(rig: Rig, kind: str, month: date) -> None:
    with pytest.raises(psycopg.errors.UndefinedTable, match="there is no payload of class"):
        drop(rig, kind, month, declare(rig, "clinical", []))


def test_two_who_make_partitions_at_once_wait_for_each_other(rig: Rig) -> None:
    with (
        psycopg.connect(rig.database.url("service")) as first,
        psycopg.connect(rig.database.url("worker")) as second,
    ):
        made = first.execute("select audit.ensure_partitions_v1('2031-05-01')").fetchall()
        second.execute("set lock_timeout = '200ms'")
        with pytest.raises(psycopg.errors.LockNotAvailable):
            second.execute("select audit.ensure_partitions_v1('2031-05-01')")
        second.rollback()
        first.commit()
        assert len(made) == 12
        assert second.execute("select audit.ensure_partitions_v1('2031-05-01')").fetchall() == []
    assert rig.fsck().passed
