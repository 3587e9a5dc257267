"""What strangers can do to a witness: frame an honest log, fill its file; and a clock that goes back."""

from __future__ import annotations

import base64
import hashlib
import logging
import os
import sqlite3
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson
import pytest

from audit.cosignature import Cosigner, read_cosignatures
from audit.errors import MalformedNote
from audit.note import Signer, sign_note
from audit.refusals import CheckpointConflict, InconsistentCheckpoint, WitnessError
from audit.submission import Submission
from audit.witness import TEXT_LIMIT_BYTES, Witness
from audit.witness_store import WitnessStore
from cli.witnessing.state import misbehaved, state_of
from tests.oracles.histories import History

ORIGIN = "log.example/ofrecord"
SIGNER = Signer(ORIGIN, bytes(range(32)))
COSIGNER = Cosigner("witness.example/w1", bytes(range(40, 72)))
NOW = datetime(2026, 11, 20, 10, 15, 0, tzinfo=UTC)
FORTY = History.of(SIGNER, 40)
# The file as its first form had it, with one refusal of each kind.
FIRST_FORM = """
create table cosigned (origin text not null, size integer not null, root blob not null, note text not null,
    cosignature text not null, cosigned_at integer not null, primary key (origin, size)) strict;
create table refused (origin text not null, kind text not null, size integer not null, root blob not null,
    note text not null, submission text not null, against text not null, first_at integer not null,
    last_at integer not null, times integer not null, resolved_at integer,
    primary key (origin, size, root)) strict;
insert into refused values ('o', 'fork', 1, zeroblob(32), 'n', 's', 'a', 1, 2, 3, null),
    ('o', 'inconsistent', 2, zeroblob(32), 'n', 's', 'a', 1, 2, 3, 4),
    ('o', 'behind', 3, zeroblob(32), 'n', 's', 'a', 1, 2, 3, null);
pragma user_version = 1;
"""


@pytest.fixture
def store(tmp_path: Path) -> Iterator[WitnessStore]:
    opened = WitnessStore(tmp_path / "witness.sqlite")
    yield opened
    opened.close()


@pytest.fixture
def witness(store: WitnessStore) -> Witness:
    return Witness(store, COSIGNER, [SIGNER.verifier.vkey])


def test_a_strangers_false_proof_frames_nobody(witness, caplog):
    witness.add_checkpoint(FORTY.cut(8).submission(0), NOW)
    with pytest.raises(InconsistentCheckpoint):
        witness.add_checkpoint(FORTY.cut(9).submission(8, [bytes(32)] * 3), NOW)
    (kept,) = witness.refused()
    assert (kept.kind, kept.resolved, misbehaved(kept)) == ("unproved", False, False)
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    witness.add_checkpoint(FORTY.cut(11).submission(8), NOW)
    assert witness.refused()[0].resolved, "the log was proved to have grown past it"


def test_a_cosigned_checkpoint_with_a_false_proof_is_no_news(witness):
    witness.add_checkpoint(FORTY.cut(8).submission(0), NOW)
    with pytest.raises(InconsistentCheckpoint):
        witness.add_checkpoint(FORTY.cut(8).submission(8, [bytes(32)]), NOW)
    assert witness.refused() == []


def test_what_was_unproved_and_is_a_fork_is_told(witness, caplog):
    witness.add_checkpoint(FORTY.cut(8).submission(0), NOW)
    forged = FORTY.cut(9).rewritten(3)
    with pytest.raises(InconsistentCheckpoint):
        witness.add_checkpoint(forged.submission(8), NOW)
    line = witness.add_checkpoint(FORTY.cut(9).submission(8), NOW)
    (kept,) = witness.refused()
    assert (kept.kind, kept.note, kept.against) == ("fork", forged.note(), FORTY.cut(9).note() + line)
    assert misbehaved(kept)
    assert [record.levelno for record in caplog.records] == [logging.WARNING, logging.CRITICAL]


def test_old_public_checkpoints_with_junk_lines_do_not_grow_the_file(witness, tmp_path):
    witness.add_checkpoint(FORTY.submission(0), NOW)
    before = sum(file.stat().st_size for file in tmp_path.iterdir())
    junk = "".join(f"— x{n} {base64.b64encode(os.urandom(1500)).decode()}\n" for n in range(60))
    for size in range(1, 40):
        submission = Submission(0, (), FORTY.cut(size).note() + junk)
        with pytest.raises(CheckpointConflict) as caught:
            witness.add_checkpoint(submission.to_text().encode(), NOW)
        assert caught.value.behind
    assert sum(file.stat().st_size for file in tmp_path.iterdir()) == before
    assert witness.refused() == []


def _signed(size: int, number: int, extension: str = "") -> bytes:
    root = base64.b64encode(hashlib.sha256(number.to_bytes(4, "big")).digest()).decode()
    note = sign_note(f"{ORIGIN}\n{size}\n{root}\n{extension}", [SIGNER])
    return Submission(40, (bytes(32),), note).to_text().encode()


def test_a_log_cannot_fill_the_file_of_its_witness(witness):
    witness.add_checkpoint(FORTY.submission(0), NOW)
    with pytest.raises(MalformedNote, match="at most"):
        witness.add_checkpoint(_signed(50, 0, ("e" * 1000 + "\n") * 5), NOW)
    extension = "e" * (TEXT_LIMIT_BYTES - 200) + "\n"
    for number in range(100):
        with pytest.raises(InconsistentCheckpoint):
            witness.add_checkpoint(_signed(50, number, extension), NOW + timedelta(seconds=number))
    kept = witness.refused()
    assert len(kept) == 64
    assert kept[0].last_at == NOW + timedelta(seconds=99)
    for number in range(2):
        with pytest.raises(WitnessError):
            witness.add_checkpoint(_signed(40, number), NOW)
    assert [one.kind for one in witness.refused()[:3]] == ["fork", "fork", "unproved"], "forks come first"
    assert len(orjson.dumps(state_of(witness))) < 40_000
    told = state_of(witness, 2)["refused"]
    assert [("note" in one, "proof" in one) for one in told[:3]] == [
        (True, True),
        (True, True),
        (False, False),
    ]


def test_a_clock_that_goes_back_does_not_take_the_cosignature_back(witness):
    witness.add_checkpoint(FORTY.submission(0), NOW)
    line = witness.add_checkpoint(FORTY.submission(40), NOW - timedelta(days=1))
    (found,) = read_cosignatures(FORTY.note() + line, [COSIGNER.key])
    assert found.time == witness.latest()[0][1].cosigned_at == NOW


def test_a_file_of_the_first_form_is_read(tmp_path):
    path = tmp_path / "old.sqlite"
    with sqlite3.connect(path) as connection:
        connection.executescript(FIRST_FORM)
    connection.close()
    store = WitnessStore(path)
    kept = [(one.kind, one.size, one.times, one.proof, one.resolved) for one in store.refused()]
    assert kept == [("fork", 1, 3, (), False), ("unproved", 2, 3, (), True)]
    store.close()
    again = WitnessStore(path)
    assert len(again.refused()) == 2
    again.close()
