"""Keys of subjects: one for each, whoever asks first, and no entry without its key."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import psycopg
import pytest

from audit.entry import Draft
from audit.errors import AuditUnavailable, PayloadErased

NOW = datetime(2026, 11, 20, 10, 15, 0, 123456, tzinfo=UTC)


def draft(number: int, *, subject: str | None = "S-1") -> Draft:
    return Draft("explanation.created", "svc-lending", {}, private=b"%d" % number, subject=subject)


def test_of_subjects_known_and_new_each_entry_opens_with_its_own_key(rig):
    rig.log.append([draft(1, subject="S-1"), draft(2, subject="S-2")], NOW)
    mixed = [
        draft(3, subject="S-2"),
        draft(4, subject="S-3"),
        draft(5, subject="S-3"),
        draft(6, subject=None),
    ]
    found = rig.log.append(mixed, NOW)
    opened = [rig.log.open(rig.log.read(one.entry_id)) for one in found]
    assert opened == [one.private for one in mixed]
    with psycopg.connect(rig.database.keys_admin_url) as connection:
        owned = connection.execute(
            "select count(*) from keys.entry_key group by subject_key_id order by subject_key_id is null, 1"
        ).fetchall()
        assert connection.execute("select count(*) from keys.subject_key").fetchone() == (3,)
    assert owned == [(1,), (2,), (2,), (1,)]


def test_many_at_once_about_one_new_subject_agree_on_its_key(rig):
    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(lambda number: rig.log.append_one(draft(number), NOW), range(24)))
    assert [rig.log.open(rig.log.read(one.entry_id)) for one in found] == [
        draft(n).private for n in range(24)
    ]
    with psycopg.connect(rig.database.keys_admin_url) as connection:
        assert connection.execute("select count(*) from keys.subject_key").fetchone() == (1,)
        assert connection.execute("select count(*) from keys.entry_key").fetchone() == (24,)


def test_a_subject_that_is_erased_during_an_append_leaves_no_entry_without_a_key(rig):
    rig.log.append_one(draft(1), NOW)
    erase = "select keys.destroy_subject_key_v1(subject_key_id, %s) from keys.subject_key"
    with ThreadPoolExecutor(2) as threads, psycopg.connect(rig.database.keys_admin_url) as blocking:
        blocking.execute("lock table keys.entry_key in share mode")  # as an index that is rebuilt does
        appended = threads.submit(rig.log.append_one, draft(2), NOW)
        _wait_for_a_lock(blocking, 1)
        erased = threads.submit(_execute, rig.database.keys_admin_url, erase, NOW)
        _wait_for_a_lock(blocking, 2)
        blocking.commit()
        erased.result(10)
        try:  # whichever of the two is let on first
            entry_id = appended.result(10).entry_id
        except AuditUnavailable:
            assert rig.count("entry") == 1
        else:
            with pytest.raises(PayloadErased):  # and not `KeyMissing`
                rig.log.open(rig.log.read(entry_id))
    after = rig.log.append_one(draft(3), NOW)
    assert rig.log.open(rig.log.read(after.entry_id)) == draft(3).private


def _execute(url: str, statement: str, moment: datetime) -> None:
    with psycopg.connect(url) as connection:
        connection.execute(statement, (moment,))


def _wait_for_a_lock(connection: psycopg.Connection, count: int) -> None:
    waiting = (
        "select count(*) from pg_stat_activity"
        " where wait_event_type = 'Lock' and datname = current_database()"
    )
    until = time.monotonic() + 10.0
    while connection.execute(waiting).fetchone()[0] < count:
        assert time.monotonic() < until
        connection.execute("select pg_stat_clear_snapshot()")
        time.sleep(0.01)


def test_one_subject_has_one_key(rig):
    rig.log.append([draft(1), draft(2), draft(3, subject="S-2")], NOW)
    rig.log.append_one(draft(4), NOW)
    with psycopg.connect(rig.database.keys_admin_url) as connection:
        counts = connection.execute("select count(*) from keys.entry_key group by subject_key_id").fetchall()
    assert sorted(counts) == [(1,), (3,)]


@pytest.mark.parametrize("indexes", ["array['x', 'x']::bytea[]", "array['x', null]::bytea[]", "null"])
def test_a_subject_that_is_named_twice_or_not_at_all_is_refused_at_once(rig, indexes):
    keep = (
        f"select * from keys.keep_v1({indexes}, array[gen_random_uuid(), gen_random_uuid()],"
        " array['y', 'z']::bytea[], '{}', '{}', '{}', 'm')"
    )
    with psycopg.connect(rig.database.keys_url("worker")) as connection:
        connection.execute("set statement_timeout = '2s'")
        with pytest.raises(psycopg.DataError, match="named twice, or not at all"):
            connection.execute(keep)
