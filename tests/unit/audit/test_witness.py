"""The witness's judgement: what it cosigns, what it refuses and with which name, and what it keeps of it."""

from __future__ import annotations

import gc
import hashlib
import logging
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from audit.checkpoint import verify_checkpoint
from audit.cosignature import Cosigner, read_cosignatures
from audit.errors import MalformedNote, MalformedProof
from audit.note import Signer, sign_note
from audit.receipt import receipt_key_name
from audit.refusals import (
    CheckpointConflict,
    InconsistentCheckpoint,
    UnknownLog,
    UnsignedCheckpoint,
    WitnessUnavailable,
)
from audit.submission import SUBMISSION_LIMIT_BYTES, Submission
from audit.witness import Witness
from audit.witness_store import WitnessStore
from tests.oracles.histories import History, consistency

ORIGIN = "log.example/ofrecord"
SIGNER = Signer(ORIGIN, bytes(range(32)))
NEXT = Signer(ORIGIN, bytes(range(1, 33)))
RECEIPTS = Signer(receipt_key_name(ORIGIN), bytes(range(2, 34)))
COSIGNER = Cosigner("witness.example/w1", bytes(range(40, 72)))
NOW = datetime(2026, 11, 20, 10, 15, 0, tzinfo=UTC)
KEYS = [SIGNER.verifier.vkey, RECEIPTS.verifier.vkey, COSIGNER.key.vkey]
TEN = History.of(SIGNER, 10)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[WitnessStore]:
    opened = WitnessStore(tmp_path / "witness.sqlite")
    yield opened
    opened.close()


@pytest.fixture
def witness(store: WitnessStore) -> Witness:
    return Witness(store, COSIGNER, KEYS)


@pytest.mark.parametrize("sizes", [(10,), (1, 2, 3, 10), (7, 8, 9), (4, 4, 8, 8)])
def test_growth_is_cosigned(witness, sizes):
    old = 0
    for size in sizes:
        history = TEN.cut(size)
        line = witness.add_checkpoint(history.submission(old), NOW)
        (found,) = read_cosignatures(history.note() + line, [COSIGNER.key])
        assert found.time == NOW
        old = size
    assert [(origin, latest.size) for origin, latest in witness.latest()] == [(ORIGIN, old)]
    assert witness.refused() == []


def test_an_empty_tree_is_cosigned_only_as_the_empty_tree(witness):
    empty = TEN.cut(0)
    assert witness.add_checkpoint(empty.submission(0), NOW)
    forged = sign_note(f"{ORIGIN}\n0\n{'A' * 43}=\n", [SIGNER])
    with pytest.raises(InconsistentCheckpoint):
        witness.add_checkpoint(Submission(0, (), forged).to_text().encode(), NOW)
    assert witness.add_checkpoint(TEN.submission(0), NOW)


def test_the_latest_checkpoint_is_given_to_monitors(witness):
    digest = hashlib.sha256(ORIGIN.encode()).hexdigest()
    assert witness.checkpoint(digest) is None
    line = witness.add_checkpoint(TEN.submission(0), NOW)
    note = witness.checkpoint(digest)
    assert note == TEN.note() + line
    assert verify_checkpoint(note, [SIGNER.verifier])[0].tree_size == 10
    assert witness.checkpoint("0" * 64) is None


def test_whoever_does_not_know_where_the_witness_stands_is_told(witness):
    witness.add_checkpoint(TEN.cut(4).submission(0), NOW)
    for old in (0, 3, 5, 10):
        with pytest.raises(CheckpointConflict) as caught:
            witness.add_checkpoint(TEN.submission(old), NOW)
        assert caught.value.tree_size == 4
    assert witness.refused() == []


@pytest.mark.parametrize(
    ("proof", "old"),
    [([], 4), ([bytes(32)], 4), ([bytes(32)] * 63, 4), ([bytes(32)], 0)],
)
def test_a_proof_that_does_not_hold_is_refused(witness, proof, old):
    if old:
        witness.add_checkpoint(TEN.cut(old).submission(0), NOW)
    with pytest.raises(InconsistentCheckpoint):
        witness.add_checkpoint(TEN.submission(old, proof), NOW)
    (kept,) = witness.refused()
    assert (kept.kind, kept.size, kept.note, kept.resolved) == ("unproved", 10, TEN.note(), False)
    assert (kept.old_size, kept.proof) == (old, tuple(proof))
    assert witness.add_checkpoint(TEN.submission(old), NOW)
    assert witness.refused()[0].resolved, "an honest log was only slandered"


@pytest.mark.parametrize("other", [TEN.rewritten(2), TEN.rewritten(9)])
def test_two_roots_of_one_size_are_a_fork_and_both_notes_are_kept(witness, caplog, other):
    line = witness.add_checkpoint(TEN.submission(0), NOW)
    for old in (10, 0):
        with pytest.raises(CheckpointConflict if old == 0 else InconsistentCheckpoint):
            witness.add_checkpoint(other.submission(old), NOW + timedelta(seconds=old))
    (kept,) = witness.refused()
    assert (kept.kind, kept.note, kept.against) == ("fork", other.note(), TEN.note() + line)
    assert kept.times == 2
    roots = {verify_checkpoint(note, [SIGNER.verifier])[0].root for note in (kept.note, kept.against)}
    assert len(roots) == 2
    assert [record.levelno for record in caplog.records] == [logging.CRITICAL], "told once"


def test_a_rewritten_history_that_has_grown_is_refused_for_ever(witness):
    witness.add_checkpoint(TEN.submission(0), NOW)
    forged = TEN.rewritten(3).grown(5)
    with pytest.raises(InconsistentCheckpoint):
        witness.add_checkpoint(forged.submission(10), NOW)
    assert [(kept.kind, kept.note) for kept in witness.refused()] == [("unproved", forged.note())]
    assert witness.add_checkpoint(TEN.grown(5).submission(10), NOW)
    assert (witness.refused()[0].kind, witness.refused()[0].resolved) == ("fork", False)
    assert witness.refused()[0].against.startswith(TEN.grown(5).note()), "now there are two of one size"
    with pytest.raises(CheckpointConflict):
        witness.add_checkpoint(forged.submission(10), NOW)
    assert witness.refused()[0].kind == "fork"


def test_a_log_cut_back_is_noticed(witness, caplog):
    for size, old in ((4, 0), (10, 4)):
        witness.add_checkpoint(TEN.cut(size).submission(old), NOW + timedelta(minutes=size))
    with pytest.raises(CheckpointConflict):
        witness.add_checkpoint(TEN.cut(4).submission(0), NOW)
    assert witness.refused() == [], "an old checkpoint that comes again is no news"
    other = TEN.cut(3).grown(2, "after the restore")
    with pytest.raises(CheckpointConflict):
        witness.add_checkpoint(other.submission(3), NOW)
    assert witness.refused() == [], "anybody may bring it, and it contradicts nothing that is known"
    fork = TEN.cut(3).grown(1, "after the restore")
    with pytest.raises(CheckpointConflict):
        witness.add_checkpoint(fork.submission(3), NOW)
    assert [kept.kind for kept in witness.refused()] == ["fork"]
    assert [record.levelno for record in caplog.records] == [logging.CRITICAL]


def test_only_the_logs_own_key_counts(witness):
    note = TEN.note()
    text = note.partition("\n\n")[0] + "\n"
    stranger = Signer("elsewhere.example/log", bytes(32))
    with pytest.raises(UnknownLog):
        witness.add_checkpoint(History.of(stranger, 3).submission(0), NOW)
    for signer in (RECEIPTS, Signer(ORIGIN, bytes(32)), stranger):
        body = Submission(0, (), sign_note(text, [signer])).to_text().encode()
        with pytest.raises(UnsignedCheckpoint):
            witness.add_checkpoint(body, NOW)
    damaged = Submission(0, (), note.replace("\n10\n", "\n11\n")).to_text().encode()
    with pytest.raises(UnsignedCheckpoint, match="wrong"):
        witness.add_checkpoint(damaged, NOW)
    assert witness.refused() == [], "what the log did not sign proves nothing"


def test_what_strangers_add_to_a_note_is_not_kept(witness):
    text = TEN.note().partition("\n\n")[0] + "\n"
    note = sign_note(text, [Signer("elsewhere.example/log", bytes(32)), SIGNER])
    witness.add_checkpoint(Submission(0, (), note).to_text().encode(), NOW)
    assert witness.latest()[0][1].note == TEN.note()


def test_a_key_is_replaced_under_the_witness(store):
    before = Witness(store, COSIGNER, KEYS)
    before.add_checkpoint(TEN.cut(5).submission(0), NOW)
    both = TEN.cut(7)
    body = Submission(5, tuple(consistency(5, both.entries)), both.note([SIGNER, NEXT])).to_text().encode()
    before.add_checkpoint(body, NOW)
    after = Witness(store, COSIGNER, [*KEYS, NEXT.verifier.vkey])
    later = History(NEXT, TEN.entries)
    after.add_checkpoint(later.submission(7), NOW)
    assert after.latest()[0][1].note == later.note()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"old 0\n",
        b"old 00\n\n" + TEN.note().encode(),
        b"old -1\n\n" + TEN.note().encode(),
        b"OLD 0\n\n" + TEN.note().encode(),
        b"old 0 \n\n" + TEN.note().encode(),
        b"old 99999999999999999999\n\n" + TEN.note().encode(),
        b"old 4\nnot base64\n\n" + TEN.note().encode(),
        b"old 4\nAAAA\n\n" + TEN.note().encode(),
        TEN.submission(4, [bytes(32)] * 64),
        TEN.submission(11, []),
        b"old 0\n\n" + TEN.note().encode()[:-1],
        b"old 0\n\n\xff\xfe" + TEN.note().encode(),
        b"old 0\n\nno checkpoint\n\n" + TEN.note().encode().split(b"\n\n")[1],
        b"x" * (SUBMISSION_LIMIT_BYTES + 1),
    ],
)
def test_what_is_no_submission_is_refused(witness, body):
    with pytest.raises((MalformedNote, MalformedProof)):
        witness.add_checkpoint(body, NOW)
    assert witness.latest() == []


def test_a_witness_without_a_log_does_not_start(store):
    with pytest.raises(MalformedNote, match="none of the verifier keys"):
        Witness(store, COSIGNER, [RECEIPTS.verifier.vkey, COSIGNER.key.vkey])
    with pytest.raises(MalformedNote):
        Witness(store, COSIGNER, ["nonsense"])


def test_about_one_former_checkpoint_a_minute_is_remembered(witness, tmp_path):
    history = History.of(SIGNER, 1)
    witness.add_checkpoint(history.submission(0), NOW)
    for second in range(1, 300, 3):
        old, history = len(history.entries), history.grown(1, f"at {second}")
        witness.add_checkpoint(history.submission(old), NOW + timedelta(seconds=second))
    with sqlite3.connect(tmp_path / "witness.sqlite") as connection:
        kept = connection.execute("select size, cosigned_at / 60 from cosigned order by size").fetchall()
    connection.close()
    assert [minute for _, minute in kept[:-1]] == sorted({minute for _, minute in kept})
    assert kept[-1][0] == len(history.entries)


def test_the_memory_outlives_the_process(tmp_path, store):
    Witness(store, COSIGNER, KEYS).add_checkpoint(TEN.submission(0), NOW)
    store.close()
    again = WitnessStore(tmp_path / "witness.sqlite")
    assert not again.created
    with pytest.raises(CheckpointConflict):
        Witness(again, COSIGNER, KEYS).add_checkpoint(TEN.submission(0), NOW)
    again.close()
    assert (tmp_path / "witness.sqlite").stat().st_mode & 0o777 == 0o600


def test_what_cannot_be_written_is_not_cosigned(tmp_path, store):
    witness = Witness(store, COSIGNER, KEYS)
    with sqlite3.connect(tmp_path / "witness.sqlite") as connection:
        connection.execute(
            "create trigger full before insert on cosigned begin select raise(abort, 'full'); end"
        )
    connection.close()
    with pytest.raises(WitnessUnavailable, match="full"):
        witness.add_checkpoint(TEN.submission(0), NOW)
    with sqlite3.connect(tmp_path / "witness.sqlite") as connection:
        connection.execute("drop trigger full")
    connection.close()
    assert witness.add_checkpoint(TEN.submission(0), NOW)


def test_a_file_of_another_kind_is_refused(tmp_path):
    (tmp_path / "other").write_text("this is no database, and it is longer than a header" * 10)
    with pytest.raises(WitnessUnavailable):
        WitnessStore(tmp_path / "other")
    gc.collect()  # a connection left open would be told of here, as a warning
    with pytest.raises(WitnessUnavailable):
        WitnessStore(tmp_path / "missing" / "witness.sqlite")
