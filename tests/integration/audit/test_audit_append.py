"""Entries go in once, come back as they were, and never disturb their neighbours."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from uuid import UUID

import psycopg
import pytest

from audit.entry import Appended, Draft, Idempotency
from audit.errors import Conflict, EntryNotFound, EntryRefused, KeyMissing, PayloadErased
from audit.keys import KeyStore
from audit.merkle import leaf_hash

NOW = datetime(2026, 11, 20, 10, 15, 0, 123456, tzinfo=UTC)


def draft(
    number: int = 0, *, key: bytes | None = None, fingerprint: bytes = b"f", subject: str = "S-1"
) -> Draft:
    return Draft(
        type="explanation.created",
        actor="svc-lending",
        body={"number": number},
        private=b'{"income":"56"}',
        subject=subject,
        retention_class="consumer_credit",
        idempotency=None if key is None else Idempotency(key, fingerprint),
    )


def test_an_entry_comes_back_as_it_was(rig):
    appended = rig.log.append_one(draft(7), NOW)
    stored = rig.log.read(appended.entry_id)
    assert stored.leaf_hash == appended.leaf_hash == leaf_hash(stored.canonical)
    assert stored.entry.body == {"number": 7}
    assert (stored.entry.time, stored.index) == (NOW, None)
    assert rig.log.open(stored) == b'{"income":"56"}'
    assert b"income" not in stored.canonical
    assert b"income" not in stored.ciphertext
    assert not appended.duplicate


def test_an_entry_without_a_private_part_has_no_key(rig):
    appended = rig.log.append_one(Draft("model.approved", "anna", {"model": "m"}), NOW)
    stored = rig.log.read(appended.entry_id)
    assert stored.entry.private is None
    assert rig.log.opening(stored) is None
    assert rig.log.open(stored) == b""


def test_a_private_part_without_a_subject_opens(rig):
    appended = rig.log.append_one(Draft("token.issued", "anna", {}, private=b"x"), NOW)
    assert rig.log.open(rig.log.read(appended.entry_id)) == b"x"


def test_entries_about_another_are_found(rig):
    first = rig.log.append_one(draft(), NOW)
    for second, actor in enumerate(("bob", "carol")):
        read = Draft("explanation.read", actor, {}, about=first.entry_id)
        rig.log.append_one(read, NOW + timedelta(seconds=second))
    assert [stored.entry.actor for stored in rig.log.about(first.entry_id)] == ["bob", "carol"]
    assert rig.log.about(UUID(int=5)) == []


def test_an_unknown_entry_has_a_name(rig):
    with pytest.raises(EntryNotFound):
        rig.log.read(UUID(int=1))
    with pytest.raises(EntryNotFound):
        rig.log.entry_at(0)


def test_the_same_key_and_content_is_one_entry(rig):
    first = rig.log.append_one(draft(key=b"k"), NOW)
    again = rig.log.append_one(draft(key=b"k"), NOW + timedelta(hours=1))
    assert again == Appended(first.entry_id, first.leaf_hash, NOW, duplicate=True)
    assert rig.log.find_duplicate(Idempotency(b"k", b"f")) == again
    assert rig.log.find_duplicate(Idempotency(b"unknown", b"f")) is None
    assert rig.count("entry") == 1


def test_the_same_key_and_other_content_is_a_conflict(rig):
    first = rig.log.append_one(draft(key=b"k"), NOW)
    with pytest.raises(Conflict) as caught:
        rig.log.append_one(draft(key=b"k", fingerprint=b"other"), NOW)
    assert caught.value.entry_id == first.entry_id
    found = rig.log.find_duplicate(Idempotency(b"k", b"other"))
    assert isinstance(found, Conflict)
    assert rig.count("entry") == 1


def test_duplicates_and_conflicts_leave_their_neighbours_alone(rig):
    first = rig.log.append_one(draft(key=b"k1"), NOW)
    batch = [
        draft(1),
        draft(key=b"k1"),
        draft(2, key=b"k2"),
        draft(key=b"k1", fingerprint=b"x"),
        draft(3, key=b"k2"),
    ]
    one, duplicate, two, conflict, same_batch = rig.log.append(batch, NOW)
    assert duplicate.duplicate
    assert duplicate.entry_id == first.entry_id
    assert isinstance(conflict, Conflict)
    assert same_batch == Appended(two.entry_id, two.leaf_hash, NOW, duplicate=True)
    assert not one.duplicate
    assert not two.duplicate
    assert rig.count("entry") == rig.count("pending") == rig.count("payload") == 3


def test_sixteen_threads_with_one_key_make_one_entry(rig):
    barrier = threading.Barrier(16)

    def attempt(number: int) -> Appended:
        barrier.wait()
        return rig.log.append_one(draft(number, key=b"k"), NOW)

    with ThreadPoolExecutor(16) as threads:
        results = list(threads.map(attempt, range(16)))
    assert len({result.entry_id for result in results}) == 1
    assert sum(not result.duplicate for result in results) == 1
    assert rig.count("entry") == 1


def test_overlapping_batches_in_opposite_order_do_not_deadlock(rig):
    keys = [b"%d" % number for number in range(40)]
    barrier = threading.Barrier(8)

    def attempt(number: int) -> int:
        ordered = keys if number % 2 else keys[::-1]
        barrier.wait()
        results = rig.log.append([draft(key=key) for key in ordered], NOW)
        return sum(isinstance(result, Appended) and not result.duplicate for result in results)

    with ThreadPoolExecutor(8) as threads:
        assert sum(threads.map(attempt, range(8))) == 40
    assert rig.count("entry") == 40


def test_large_private_parts_fit_into_one_batch(rig):
    large = Draft("a.b", "x", {}, private=b"p" * 300_000, subject="S")
    appended = rig.log.append([large] * 40, NOW)
    assert rig.log.open(rig.log.read(appended[-1].entry_id)) == b"p" * 300_000


def test_an_append_in_the_callers_transaction_lives_and_dies_with_it(rig):
    with psycopg.connect(rig.database.url("service")) as connection:
        gone = rig.log.append_one(draft(), NOW, connection)
        connection.rollback()
        kept = rig.log.append_one(draft(), NOW, connection)
        connection.commit()
    assert rig.log.read(kept.entry_id).entry.entry_id == kept.entry_id
    with pytest.raises(EntryNotFound):
        rig.log.read(gone.entry_id)


def test_what_the_database_cannot_hold_is_refused(rig):
    with pytest.raises(EntryRefused):
        rig.log.append_one(Draft("a.b", "x", {}, private=b"p", retention_class="unheard_of"), NOW)
    assert rig.count("entry") == 0


DISAGREEING = [
    (lambda canonical, ciphertext: (canonical, ciphertext + b"x"), psycopg.DataError),
    (lambda canonical, _: (canonical, None), psycopg.DataError),
    (lambda canonical, ciphertext: (canonical.replace(b'"v":1', b'"v":2'), ciphertext), psycopg.DataError),
    (lambda _, ciphertext: (b"{", ciphertext), psycopg.DataError),
    (
        lambda canonical, ciphertext: (canonical.replace(b'"time"', b'"tame"'), ciphertext),
        psycopg.DataError,
    ),
]


def test_append_v1_reads_the_bytes_itself(rig):
    with psycopg.connect(rig.database.url("service"), autocommit=True) as connection:
        for change, error in DISAGREEING:
            prepared = rig.log.prepare(draft(), NOW)
            canonical, ciphertext = change(prepared.canonical, prepared.ciphertext)
            given = ([canonical], [ciphertext], [None], [None])
            with pytest.raises(error):
                connection.execute("select * from audit.append_v1(%b, %b, %b, %b)", given)
        with pytest.raises(psycopg.DataError, match="differ in length"):
            connection.execute(
                "select * from audit.append_v1(%b, %b, %b, %b)", ([b"{}"], [None, None], [None], [None])
            )
    assert rig.count("entry") == 0


def test_no_plain_key_or_subject_reaches_a_database(rig):
    rig.log.append_one(draft(key=b"decision A-17", subject="Jane Roe"), NOW)
    with psycopg.connect(rig.database.admin_url) as connection:
        rows = str(connection.execute("select key, fingerprint from audit.idempotency").fetchall())
        rows += str(connection.execute("select * from audit.entry, audit.payload").fetchall())
    with psycopg.connect(rig.database.keys_admin_url) as connection:
        rows += str(connection.execute("select * from keys.subject_key, keys.entry_key").fetchall())
    assert "A-17" not in rows
    assert "Jane" not in rows


def test_a_destroyed_key_and_a_lost_key_are_two_things(rig):
    erased = rig.log.read(rig.log.append_one(draft(subject="S-1"), NOW).entry_id)
    other = rig.log.read(rig.log.append_one(draft(subject="S-2"), NOW).entry_id)
    expired = rig.log.read(rig.log.append_one(draft(subject="S-2"), NOW).entry_id)
    lost = rig.log.read(rig.log.append_one(draft(subject="S-2"), NOW).entry_id)
    with psycopg.connect(rig.database.keys_admin_url) as connection:
        subject = "select subject_key_id from keys.entry_key where key_id = %s"
        destroy = f"select keys.destroy_subject_key_v1(({subject}), %s)"
        assert connection.execute(destroy, (erased.entry.private.key_id, NOW)).fetchone() == (True,)
        connection.execute("select keys.destroy_entry_key_v1(%s, %s)", (expired.entry.private.key_id, NOW))
        connection.execute("delete from keys.entry_key where key_id = %s", (lost.entry.private.key_id,))
    for stored in (erased, expired):
        with pytest.raises(PayloadErased):
            rig.log.open(stored)
    with pytest.raises(KeyMissing):
        rig.log.open(lost)
    assert rig.log.open(other) == b'{"income":"56"}'
    again = rig.log.read(rig.log.append_one(draft(subject="S-1"), NOW).entry_id)
    assert rig.log.open(again) == b'{"income":"56"}'


def test_another_master_key_is_named(rig):
    stored = rig.log.read(rig.log.append_one(draft(), NOW).entry_id)
    other = KeyStore(rig.keys_pool, b"\x01" * 32)
    with pytest.raises(KeyMissing, match=rig.keystore.master_key_id):
        other.open(stored.entry.entry_id, stored.entry.private.key_id, stored.ciphertext)
