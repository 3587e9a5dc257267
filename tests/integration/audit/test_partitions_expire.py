"""A partition goes only behind the entry that says so, by the one way that the guard leaves open."""

from __future__ import annotations

from datetime import date
from hashlib import sha256
from uuid import UUID

import psycopg
import pytest

from audit.entry import Appended, Draft
from tests.integration.audit.conftest import NOW, Rig

MONTH = date(2026, 11, 1)
DROP = "select audit.drop_partition_v1(%s, %s, %s)"


def append(rig: Rig, kind: str, count: int) -> list[UUID]:
    drafts = [Draft("a.b", "x", {}, private=b"p", retention_class=kind)] * count
    return [found.entry_id for found in rig.log.append(drafts, NOW) if isinstance(found, Appended)]


def manifest(rig: Rig, kind: str, ids: list[UUID], **other: object) -> UUID:
    """Append the entry that says which payload goes: its class, month, and how many of which entries."""
    digest = sha256(b"".join(entry.bytes for entry in sorted(ids, key=str))).hexdigest()
    body = {
        "retention_class": kind,
        "month": "2026-11",
        "entries": len(ids),
        "entries_digest": f"sha256:{digest}",
        "keys": len(ids),
        **other,
    }
    kind = str(body.pop("type", "retention.expired"))
    entry_id = rig.log.append_one(Draft(kind, "expiry", body), NOW).entry_id
    rig.integrator.step(NOW)
    return entry_id


def drop(rig: Rig, kind: str, month: date, entry_id: UUID) -> None:
    with psycopg.connect(rig.database.admin_url) as connection:
        connection.execute("set session authorization ofrecord_owner")
        connection.execute(DROP, (kind, month, entry_id))


def test_an_expired_partition_is_dropped_behind_its_entry(rig: Rig) -> None:
    ids = append(rig, "clinical", 5)
    kept = append(rig, "standard", 3)
    drop(rig, "clinical", MONTH, manifest(rig, "clinical", ids))
    assert rig.count("payload") == len(kept)
    assert rig.count("entry") == len(ids) + len(kept) + 1
    rig.integrator.step(NOW)
    assert rig.fsck().passed
    with psycopg.connect(rig.database.admin_url) as connection:
        found = connection.execute("select to_regclass('audit.payload_clinical_2026_11')").fetchone()
        assert found == (None,)
        assert connection.execute("select count(*) from audit_guard.permit").fetchone() == (0,)


@pytest.mark.parametrize(
    "other",
    [
        {"entries": 4},
        {"entries_digest": "sha256:" + "0" * 64},
        {"month": "2026-12"},
        {"retention_class": "standard"},
        {"type": "hold.placed"},
    ],
)
def test_an_entry_that_says_otherwise_drops_nothing(rig: Rig, other: dict[str, object]) -> None:
    entry_id = manifest(rig, "clinical", append(rig, "clinical", 5), **other)
    with pytest.raises(
        psycopg.errors.InsufficientPrivilege, match="no entry in the tree says that the 5 entries"
    ):
        drop(rig, "clinical", MONTH, entry_id)
    assert rig.count("payload") == 5


def test_an_entry_that_is_not_in_the_tree_yet_drops_nothing(rig: Rig) -> None:
    append(rig, "clinical", 5)
    body = {"retention_class": "clinical", "month": "2026-11", "entries": 5, "entries_digest": "x", "keys": 5}
    waiting = rig.log.append_one(Draft("retention.expired", "expiry", body), NOW).entry_id
    with pytest.raises(psycopg.errors.InsufficientPrivilege, match="no entry in the tree says that"):
        drop(rig, "clinical", MONTH, waiting)


@pytest.mark.parametrize(
    ("kind", "month"), [("clinical", date(2020, 1, 1)), ("clinical", date(2026, 11, 2)), ("x", MONTH)]
)
def test_what_is_not_there_is_not_dropped(rig: Rig, kind: str, month: date) -> None:
    with pytest.raises(psycopg.errors.UndefinedTable, match="there is no payload of class"):
        drop(rig, kind, month, manifest(rig, kind, []))


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
