"""The integrator gives every committed entry one place, and stops when the past has changed."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from audit import merkle
from audit.checkpoint import verify_checkpoint
from audit.entry import Draft
from audit.errors import EntryNotFound, IntegrityHalt, MalformedProof
from audit.integrate import Integrator
from audit.note import Signer

NOW = datetime(2026, 11, 20, 10, 15, tzinfo=UTC)


def fill(rig, count: int) -> list:
    return rig.log.append([Draft("a.b", "x", {"n": number}) for number in range(count)], NOW)


def leaves(rig) -> list[bytes]:
    with psycopg.connect(rig.database.url("auditor")) as connection:
        rows = connection.execute("select index, leaf_hash from audit.leaf order by index").fetchall()
    assert [row[0] for row in rows] == list(range(len(rows)))
    return [row[1] for row in rows]


def test_an_empty_log_has_no_checkpoint(rig):
    assert rig.integrator.verify_edge() == 0
    assert rig.integrator.step(NOW) == 0
    assert rig.log.newest_checkpoint() is None
    with pytest.raises(MalformedProof):
        rig.log.inclusion_path(0, 1)
    report = rig.fsck()
    assert (report.passed, report.tree_size, report.root) == (True, 0, merkle.EMPTY_ROOT)


def test_entries_get_places_and_the_checkpoint_their_root(rig):
    appended = fill(rig, 5)
    assert rig.log.backlog().entries == 5
    assert rig.log.backlog().oldest == NOW
    assert rig.integrator.step(NOW) == 5
    assert rig.integrator.backlog().entries == 0
    newest = rig.log.newest_checkpoint()
    checkpoint, _ = verify_checkpoint(newest.note, [rig.signer.verifier])
    assert (checkpoint.tree_size, checkpoint.origin) == (5, rig.origin)
    assert checkpoint.root == newest.root == merkle.root(leaves(rig))
    assert {rig.log.entry_at(index).entry.entry_id for index in range(5)} == {
        one.entry_id for one in appended
    }
    with pytest.raises(EntryNotFound):
        rig.log.entry_at(5)


def test_proofs_at_every_kind_of_size(rig):
    rig_step = Integrator(rig.integrator_pool, [rig.signer], rig.origin, batch=777)
    for start in range(0, 2600, 650):
        fill(rig, 650)
        while rig_step.step(NOW + timedelta(seconds=start)):
            pass
    hashes = leaves(rig)
    root = rig.log.newest_checkpoint().root
    for index, size in (
        (0, 2600),
        (255, 256),
        (256, 2600),
        (2559, 2600),
        (2560, 2600),
        (2599, 2600),
        (1300, 1301),
        (7, 2561),
    ):
        path = rig.log.inclusion_path(index, size)
        assert merkle.verify_inclusion(index, size, hashes[index], path, merkle.root(hashes[:size]))
    for old, new in (
        (1, 2600),
        (256, 2600),
        (2599, 2600),
        (650, 1300),
        (2560, 2561),
        (2600, 2600),
        (511, 512),
    ):
        path = rig.log.consistency_path(old, new)
        assert merkle.verify_consistency(old, new, merkle.root(hashes[:old]), merkle.root(hashes[:new]), path)
    assert root == merkle.root(hashes)
    with pytest.raises(MalformedProof):
        rig.log.inclusion_path(0, 2601)
    with pytest.raises(MalformedProof):
        rig.log.consistency_path(0, 2600)
    report = rig.fsck()
    assert report.passed, report.problems
    assert (report.entries, report.tree_size, report.tiles, report.checkpoints) == (2600, 2600, 10, 4)


def test_a_new_integrator_goes_on_where_the_last_one_stopped(rig):
    for count in (300, 1, 300, 55):
        fill(rig, count)
        fresh = rig.another_integrator()
        fresh.verify_edge()
        assert fresh.step(NOW) == count
    assert rig.integrator.verify_edge() == 656
    assert rig.fsck().passed


def test_two_integrators_at_once_are_harmless(rig):
    total, done = 1500, threading.Event()

    def integrate(_: int) -> int:
        integrator = Integrator(rig.integrator_pool, [rig.signer], rig.origin, batch=40)
        count = 0
        while not done.is_set() or rig.log.backlog().entries:
            count += integrator.step(NOW)
        return count

    with ThreadPoolExecutor(3) as threads:
        runs = [threads.submit(integrate, number) for number in range(3)]
        for _ in range(total // 50):
            fill(rig, 50)
        done.set()
        assert sum(run.result() for run in runs) == total
    assert len(leaves(rig)) == total
    report = rig.fsck()
    assert report.passed, report.problems


def test_the_primary_key_alone_keeps_two_integrators_apart(rig, monkeypatch):
    monkeypatch.setitem(__import__("audit.queries").queries.LOG, "integrators_turn", "select")
    for _ in range(12):
        fill(rig, 20)
        barrier = threading.Barrier(2)

        def integrate(integrator: Integrator, barrier: threading.Barrier = barrier) -> int:
            barrier.wait()
            return integrator.step(NOW)

        with ThreadPoolExecutor(2) as threads:
            results = list(threads.map(integrate, (rig.integrator, rig.another_integrator())))
        assert sum(results) == 20
    assert rig.fsck().passed


@pytest.mark.parametrize("role", ["service", "worker", "auditor", "custodian"])
def test_nobody_else_can_take_the_integrators_turn(rig, role):
    fill(rig, 5)
    with psycopg.connect(rig.database.url(role)) as other:
        other.execute("select pg_advisory_xact_lock(hashtext('audit.integrate'))")
        other.execute("select pg_advisory_xact_lock(hashtext('audit.ensure_partitions'))")
        for lock in ("select from audit.integrators_turn for update", "lock audit.integrators_turn"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege), other.transaction():
                other.execute(lock)
        assert rig.integrator.step(NOW) == 5
        assert len(rig.log.ensure_partitions(NOW + timedelta(days=200))) == 12


def test_who_finds_the_turn_taken_does_not_wait_and_nobody_can_take_it_away(rig):
    fill(rig, 5)
    with psycopg.connect(rig.database.url("integrator")) as other:
        assert other.execute("select from audit.integrators_turn for update").fetchone() is not None
        assert rig.integrator.step(NOW) == 0
        for change in (
            "delete from audit.integrators_turn",
            "update audit.integrators_turn set turn = false",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege), other.transaction():
                other.execute(change)
    assert rig.integrator.step(NOW) == 5


def test_a_late_committer_is_never_lost(rig):
    with psycopg.connect(rig.database.url("service")) as late:
        slow = rig.log.append_one(Draft("late.entry", "x", {}), NOW, late)
        fill(rig, 3)
        assert rig.integrator.step(NOW) == 3
        fill(rig, 2)
        assert rig.integrator.step(NOW) == 2
        late.commit()
    assert rig.integrator.step(NOW) == 1
    assert rig.log.read(slow.entry_id).index == 5
    assert rig.fsck().passed


def test_what_is_rolled_back_is_not_remembered(rig):
    fill(rig, 3)
    rig.integrator.step(NOW)
    fill(rig, 300)
    with psycopg.connect(rig.database.admin_url) as blocker:
        blocker.execute(
            "insert into audit.checkpoint select 303, root, note, signed_at from audit.checkpoint"
        )
        with ThreadPoolExecutor(1) as threads:
            step = threads.submit(rig.integrator.step, NOW)
            while not blocker.execute("select 1 from pg_locks where not granted").fetchone():
                assert not step.done()
            blocker.execute("select pg_terminate_backend(pid) from pg_locks where not granted")
            blocker.rollback()
            with pytest.raises(Exception, match="did not confirm"):
                step.result()
    rig.integrator_pool.check()
    assert rig.integrator.step(NOW) == 300
    assert rig.fsck().passed


TAMPERING = {
    "a leaf right of the tiles": "update audit.leaf set leaf_hash = sha256('x') where index = 300",
    "a tile's root": "update audit.tile set root = sha256('x')",
    "a checkpoint's root": "update audit.checkpoint set root = sha256('x') where tree_size = 310",
    "a checkpoint's note": "update audit.checkpoint set note = replace(note, '310', '311')",
    "a missing leaf": "delete from audit.leaf where index = 309",
    "a leaf too many": "insert into audit.leaf values (310, gen_random_uuid(), sha256('x'))",
    "a leaf further on": "insert into audit.leaf values (9000, gen_random_uuid(), sha256('x'))",
    "a log cut back": "delete from audit.checkpoint where tree_size = 310",
}


@pytest.mark.parametrize("name", TAMPERING)
def test_a_changed_past_halts_the_integrator(rig, name):
    for count in (300, 10):
        fill(rig, count)
        rig.integrator.step(NOW)
    rig.tamper(TAMPERING[name])
    fill(rig, 1)
    fresh = rig.another_integrator()
    with pytest.raises(IntegrityHalt):
        fresh.verify_edge()
    with pytest.raises(IntegrityHalt):
        fresh.step(NOW)
    assert rig.log.backlog().entries == 1


TAKEN = {
    "leaf_entry_once": "insert into audit.pending select entry_id from audit.leaf where index = 7",
    "tile_pkey": "insert into audit.tile select 0, 1, hashes, root from audit.tile",
}


@pytest.mark.parametrize("name", TAKEN)
def test_a_place_that_is_taken_halts_and_does_not_stall(rig, name):
    fill(rig, 510)
    assert rig.integrator.step(NOW) == 510
    rig.tamper(TAKEN[name])
    fill(rig, 5)
    with pytest.raises(IntegrityHalt, match=f"the tree of 510 is taken already .{name}"):
        rig.integrator.step(NOW)
    assert rig.log.newest_checkpoint().tree_size == 510


def test_a_foreign_key_or_origin_halts(rig):
    fill(rig, 3)
    rig.integrator.step(NOW)
    with pytest.raises(IntegrityHalt, match="no known key"):
        Integrator(rig.integrator_pool, [Signer(rig.origin, b"\x07" * 32)], rig.origin).verify_edge()
    other = Signer("other.example", b"\x07" * 32)
    with pytest.raises(IntegrityHalt, match="origin"):
        Integrator(rig.integrator_pool, [other], "other.example").verify_edge()


def test_keys_change_with_overlapping_signatures(rig):
    new = Signer(rig.origin, b"\x07" * 32)
    for signers in ([rig.signer], [rig.signer, new], [new]):
        fill(rig, 2)
        integrator = Integrator(rig.integrator_pool, signers, rig.origin)
        integrator.verify_edge()
        integrator.publish_keys(NOW)
        assert integrator.step(NOW) == 2
    assert {key.vkey for key in rig.log.verifier_keys()} == {rig.signer.verifier.vkey, new.verifier.vkey}
