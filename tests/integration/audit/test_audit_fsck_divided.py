"""A check divided among processes finds what one process finds, and asks for a tree known before."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import psycopg
import pytest

from audit import merkle
from audit.checkpoint import Checkpoint, sign_checkpoint
from audit.entry import Draft
from audit.errors import AuditUnavailable
from audit.fsck import Known, fsck
from audit.integrate import Integrator
from audit.note import Signer, Verifier, signature_line

NOW = datetime(2026, 11, 20, 10, 15, tzinfo=UTC)
LEAVES = 9000  # three stretches


@pytest.fixture
def long(rig):
    for start in range(0, LEAVES, 1000):
        drafts = [Draft("a.b", "x", {"n": start + n}, private=b"p", subject="S") for n in range(1000)]
        rig.log.append(drafts, NOW)
        while Integrator(rig.integrator_pool, [rig.signer], rig.origin, batch=700).step(NOW):
            pass
    return rig


def checked(rig, **arguments):
    with psycopg.connect(rig.database.url("auditor")) as connection:
        return fsck(connection, [rig.signer.verifier.vkey], rig.origin, **arguments)


def leaves(rig) -> list[bytes]:
    with psycopg.connect(rig.database.url("auditor")) as connection:
        return [row[0] for row in connection.execute("select leaf_hash from audit.leaf order by index")]


def at(index: int) -> str:
    return f"(select entry_id from audit.leaf where index = {index})"


TAMPERING = {
    "nothing": ("select 1", ()),
    "bytes in the last stretch": (
        f"update audit.entry set canonical = canonical || ' ' where entry_id = {at(8999)}",
        (
            "leaf 8999: the bytes of entry",
            "leaf 8999: entry .*: not canonical",
            "checkpoint 9000: the entries",
        ),
    ),
    "leaves on both sides of a border": (
        "delete from audit.leaf where index in (4095, 4096)",
        ("8998 leaves, but", "leaf 4095 is missing", "leaf 4096 is missing", "leaf 8999 stands beyond"),
    ),
    "a leaf far out": (
        "update audit.leaf set index = 1::bigint << 62 where index = 8999",
        ("leaf 8999 is missing", "leaf 4611686018427387904 stands beyond"),
    ),
    "a payload": (
        f"update audit.payload set ciphertext = ciphertext || '\\x00' where entry_id = {at(5000)}",
        ("leaf 5000: the payload of entry .* is not the one",),
    ),
    "payloads that belong nowhere": (
        "insert into audit.payload select gen_random_uuid(), retention_class, month, ciphertext"
        " from audit.payload limit 1",
        ("a payload belongs to no entry",),
    ),
    "a payload in another class": (
        f"with moved as (delete from audit.payload where entry_id = {at(5000)} returning *)"
        " insert into audit.payload select entry_id, 'clinical', month, ciphertext from moved",
        ("leaf 5000: the payload of entry .* is missing", "a payload belongs to no entry"),
    ),
    "the tile of a stretch's end": (
        "update audit.tile set root = sha256('x') where level = 0 and index = 15",
        ("tile 0/15 does not have",),
    ),
    "a checkpoint inside a stretch": (
        "update audit.checkpoint set root = sha256('x') where tree_size = 5000",
        ("checkpoint 5000: the note says otherwise", "checkpoint 5000: the entries do not have"),
    ),
}


def test_processes_find_what_one_finds(long):
    for name, (statements, problems) in TAMPERING.items():
        with long.tampering(statements) as connection:
            # What is not committed is seen by this process alone.
            open_one = fsck(connection, [long.signer.verifier.vkey], long.origin, processes=2)
            connection.rollback()
        for problem in problems:
            assert any(re.search(problem, found) for found in open_one.problems), (name, open_one.problems)
        assert open_one.passed == (not problems), (name, open_one.problems)
    long.tamper("; ".join(TAMPERING[name][0] for name in ("a payload", "the tile of a stretch's end")))
    one, two = checked(long, processes=1), checked(long, processes=2)
    assert one == two
    assert one.faults == {"payload": 1, "tile": 1}
    assert (one.entries, one.checkpoints, one.tiles, one.payloads) == (9000, 18, 35, 9000)


def test_processes_see_the_snapshot_of_an_open_transaction(long, monkeypatch):
    with psycopg.connect(long.database.url("service")) as connection:
        connection.execute("set transaction isolation level repeatable read read only")
        connection.execute("select from audit.entry limit 1")
        long.log.append([Draft("a.b", "x", {})] * 5, NOW)
        assert Integrator(long.integrator_pool, [long.signer], long.origin).step(NOW) == 5
        one, two = (
            fsck(connection, [long.signer.verifier.vkey], long.origin, processes=processes)
            for processes in (1, 2)
        )
        assert one == two
        assert (one.entries, one.tree_size, one.pending, one.passed) == (9000, 9000, 0, True)
        monkeypatch.setitem(__import__("audit.queries").queries.FSCK, "export_snapshot", "select 'none'")
        with pytest.raises(AuditUnavailable):  # as they are asked for, they are needed
            fsck(connection, [long.signer.verifier.vkey], long.origin, processes=2)
    assert checked(long, processes=1).entries == 9005


def test_inside_a_savepoint_one_process_checks(long):
    vkeys = [long.signer.verifier.vkey]
    with psycopg.connect(long.database.url("auditor")) as connection:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        with connection.transaction(), connection.transaction("named"):
            nested = fsck(connection, vkeys, long.origin, processes=2)
            assert connection.execute("select 1").fetchone() == (1,)
    with psycopg.connect(long.database.url("auditor")) as connection:
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        connection.execute("select 1")
        with connection.transaction():
            first = fsck(connection, vkeys, long.origin, processes=2)
            assert connection.execute("select 1").fetchone() == (1,)
        connection.execute("savepoint mine")
        with pytest.raises(AuditUnavailable, match="check it with one process"):
            fsck(connection, vkeys, long.origin, processes=2)
        connection.execute("rollback to savepoint mine")
    assert nested == first
    assert (nested.entries, nested.passed) == (9000, True)


def test_a_process_that_cannot_begin_is_no_pass(long, monkeypatch):
    monkeypatch.setitem(__import__("audit.queries").queries.FSCK, "export_snapshot", "select 'no snapshot'")
    with pytest.raises(AuditUnavailable):
        checked(long, processes=2)


def test_what_was_known_before_is_asked_for(long):
    hashes = leaves(long)
    for size in (1, 700, 4096, 4097, 8960, 9000):
        good = checked(long, since=Known(size, merkle.root(hashes[:size])))
        assert (good.passed, good.consistent) == (True, True), size
        other = checked(long, since=Known(size, merkle.root([*hashes[: size - 1], bytes(32)])))
        assert other.consistent is False
        assert other.problems == (f"the first {size} leaves do not have the root that was known from before",)
    beyond = checked(long, since=Known(9001, bytes(32)))
    assert beyond.consistent is False
    assert beyond.problems == ("the tree known from before had 9001 leaves; 9000 are there",)
    assert checked(long).consistent is None


def test_the_report_says_what_a_certificate_needs(rig, clock):
    rig.log.append([Draft("a.b", "x", {}, private=b"p")] * 3, NOW)
    rig.integrator.step(NOW)
    report = checked(rig, clock=clock)
    newest = rig.log.newest_checkpoint()
    assert (report.tree_size, report.root, report.checkpoint) == (3, newest.root, newest.note)
    assert (report.started_at, report.finished_at, report.ddl_guard) == (clock.now(), clock.now(), "present")
    assert (report.entries, report.payloads, report.missing, report.expired) == (3, 3, 0, ())
    assert (report.faults, report.passed) == ({}, True)


def test_checkpoints_with_several_signatures_pass(rig):
    new, stranger = Signer(rig.origin, b"\x07" * 32), Signer("witness.example", b"\x08" * 32)
    for signers in ([rig.signer], [rig.signer, new], [new]):
        rig.log.append([Draft("a.b", "x", {})] * 2, NOW)
        Integrator(rig.integrator_pool, signers, rig.origin).step(NOW)
    cosigned = rig.log.newest_checkpoint()
    line = signature_line(stranger.verifier, bytes(8) + stranger.sign(b"cosignature"))
    rig.tamper(f"update audit.checkpoint set note = note || '{line}' where tree_size = {cosigned.tree_size}")
    vkeys = [rig.signer.verifier.vkey, new.verifier.vkey]
    with psycopg.connect(rig.database.url("auditor")) as connection:
        assert fsck(connection, vkeys, rig.origin).problems == ()
        old = fsck(connection, vkeys[:1], rig.origin)
    assert old.problems == ("checkpoint 6: no known key has signed this note",)


def test_of_several_signatures_each_known_one_must_be_right(rig):
    new = Signer(rig.origin, b"\x07" * 32)
    rig.log.append([Draft("a.b", "x", {})] * 2, NOW)
    Integrator(rig.integrator_pool, [rig.signer], rig.origin).step(NOW)
    root = rig.log.newest_checkpoint().root
    good = sign_checkpoint(Checkpoint(rig.origin, 2, root), [rig.signer])
    wrong = good + signature_line(Verifier.parse(new.verifier.vkey), new.sign(b"something else"))
    rig.tamper(f"update audit.checkpoint set note = '{wrong}'")
    with psycopg.connect(rig.database.url("auditor")) as connection:
        found = fsck(connection, [rig.signer.verifier.vkey, new.verifier.vkey], rig.origin)
    assert found.faults == {"checkpoint": 1}
