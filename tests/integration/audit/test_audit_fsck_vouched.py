"""What witnesses and time-stamp authorities said is checked again by fsck; what it cannot check it says."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import psycopg
import pytest

from audit import fsck_vouched
from audit.cosignature import Cosigner
from audit.database import session
from audit.entry import Draft
from audit.fsck import FsckReport, fsck
from audit.note import Signer
from audit.queries import LOG
from audit.stamps import keep_timestamp
from audit.timestamp import read_timestamp, timestamp_request
from cli.fsck import vouching_told
from runtime.clock import FixedClock, SystemClock
from tests.oracles.authorities import Authority, make_authority

AUTHORITY = "https://time.example/tsa"
WITNESS = Cosigner("witness.example/w1", bytes(range(40, 72)))
FORGER = Cosigner("witness.example/w1", bytes(range(50, 82)))
AT_300 = "where tree_size = 300"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return make_authority(tmp_path_factory.mktemp("authority") / "a")


@dataclass
class Vouched:
    """A log with two checkpoints, of 300 and of 600, each cosigned and stamped in the present."""

    rig: Any
    authority: Authority
    now: datetime

    def fsck(self, conn: Any, *, witnesses: Sequence[str] = (WITNESS.key.vkey,), **more: Any) -> FsckReport:
        given = {"certificates": self.authority.certificates, "clock": FixedClock(self.now), **more}
        return fsck(conn, [self.rig.signer.verifier.vkey, *witnesses], self.rig.origin, **given)

    def as_auditor(self, **more: Any) -> FsckReport:
        with psycopg.connect(self.rig.database.url("auditor")) as connection:
            return self.fsck(connection, **more)

    def note(self, size: int) -> str:
        with psycopg.connect(self.rig.database.url("auditor")) as connection:
            query = "select note from audit.checkpoint where tree_size = %s"
            return connection.execute(query, (size,)).fetchone()[0]

    def stamp(self, message: bytes) -> bytes:
        return self.authority.answer(timestamp_request(message).body)

    def cosign(self, size: int, at: datetime, by: Cosigner = WITNESS) -> str:
        return by.cosign(self.note(size).partition("\n\n")[0] + "\n", at)


@pytest.fixture
def vouched(rig: Any, authority: Authority) -> Vouched:
    made = Vouched(rig, authority, SystemClock().now().replace(microsecond=0))
    for size in (300, 600):
        rig.log.append([Draft("a.b", "x", {"n": n}) for n in range(300)], made.now)
        rig.integrator.step(made.now)
        response = made.stamp(made.note(size).encode())
        keep_timestamp(rig.integrator_pool, size, AUTHORITY, read_timestamp(response).time, response)
        row = {"tree_size": size, "key_id": WITNESS.key.key_id, "cosigned_at": made.now}
        with session(rig.integrator_pool) as connection:
            connection.execute(LOG["keep_cosignature"], {**row, "line": made.cosign(size, made.now)})
    return made


def _text(value: str) -> str:
    return f"convert_from('\\x{value.encode().hex()}', 'UTF8')"


def _cosigned(line: str, at: datetime) -> str:
    return f"update audit.cosignature set line = {_text(line)}, cosigned_at = '{at.isoformat()}' {AT_300}"


def _stamped(response: bytes, at: datetime | None = None) -> str:
    at = at or read_timestamp(response).time
    row = f"response = '\\x{response.hex()}', stamped_at = '{at.isoformat()}'"
    return f"update audit.timestamp set {row} {AT_300}"


def _tamperings(made: Vouched, other: Authority) -> dict[str, tuple[str, str]]:
    day, hers = timedelta(days=1), f"cosignature of 300 by {WITNESS.key.key_id}".replace("+", r"\+")
    ours = Signer(made.rig.origin, bytes(32)).verifier.name
    wrong = made.cosign(600, made.now)
    foreign = made.cosign(300, made.now, FORGER)
    stamp = f"time stamp of 300 by {AUTHORITY}"
    spoiled = bytearray(made.stamp(made.note(300).encode()))
    spoiled[-20] ^= 1
    other_stamp = other.answer(timestamp_request(made.note(300).encode()).body)
    earlier = "update audit.checkpoint set signed_at = signed_at + interval '1 day'"
    grown = "insert into audit.{0} select 700, {1} from audit.{0} where tree_size = 600"
    return {
        "the cosignature of another tree": (_cosigned(wrong, made.now), f"^{hers}: the signature is wrong"),
        "another witness's line": (_cosigned(foreign, made.now), f"^{hers}: its line names another key"),
        "a line of the log's own": (
            _cosigned(f"— {ours} {'A' * 92}\n", made.now),
            f"^{hers}: its line names another key",
        ),
        "no line": (_cosigned("— x\n", made.now), f"^{hers}: it is not one signature line"),
        "two lines": (_cosigned(wrong + foreign, made.now), f"^{hers}: it is not one signature line"),
        "another time in the row": (
            f"update audit.cosignature set cosigned_at = cosigned_at - interval '1 second' {AT_300}",
            f"^{hers}: its line has another time than its row",
        ),
        "a cosignature from before": (
            _cosigned(made.cosign(300, made.now - day), made.now - day),
            f"^{hers}: it is from before the checkpoint",
        ),
        "a cosignature of tomorrow": (
            _cosigned(made.cosign(300, made.now + day), made.now + day),
            f"^{hers}: it is from the future",
        ),
        "the cosignature of no tree": (
            f"update audit.cosignature set tree_size = 299 {AT_300}",
            "^cosignature of 299 .*: there is no checkpoint of this size",
        ),
        "the cosignature of a tree to come": (
            grown.format("cosignature", "key_id, line, cosigned_at"),
            "^cosignature of 700 .*: there are only 600 leaves",
        ),
        "a stamp of other bytes": (_stamped(made.stamp(b"x")), f"^{stamp}: it is of other bytes"),
        "a stamp of another checkpoint": (
            _stamped(made.stamp(made.note(600).encode())),
            f"^{stamp}: it is of other bytes",
        ),
        "a spoiled signature": (_stamped(bytes(spoiled)), f"^{stamp}: its signature does not hold"),
        "another authority's stamp": (_stamped(other_stamp), f"^{stamp}: its signature does not hold"),
        "nonsense": (_stamped(b"nonsense", made.now), f"^{stamp}: it cannot be read"),
        "another time of a stamp": (
            f"update audit.timestamp set stamped_at = stamped_at + interval '1 second' {AT_300}",
            f"^{stamp}: it has another time than its row",
        ),
        "a checkpoint younger than its stamp": (earlier, f"^{stamp}: it is from before the checkpoint"),
        "the stamp of no tree": (
            f"update audit.timestamp set tree_size = 301 {AT_300}",
            "^time stamp of 301 .*: there is no checkpoint of this size",
        ),
        "the stamp of a tree to come": (
            grown.format("timestamp", "authority, stamped_at, response"),
            "^time stamp of 700 .*: there are only 600 leaves",
        ),
    }


def test_whatever_is_changed_in_what_others_said_is_named(vouched, tmp_path):
    for name, (statements, problem) in _tamperings(vouched, make_authority(tmp_path / "other")).items():
        with vouched.rig.tampering(statements) as connection:
            report = vouched.fsck(connection)
            connection.rollback()
        assert any(re.search(problem, found) for found in report.problems), (name, report.problems)
        assert set(report.faults) <= {"cosignature", "stamp"}, (name, report.faults)
    assert vouched.as_auditor().problems == ()


def test_what_is_sound_is_counted_in_one_process_and_in_two(vouched):
    for processes in (1, 2):
        report = vouched.as_auditor(processes=processes)
        assert (report.problems, report.vouched.cosignatures, report.vouched.stamps) == ((), 2, 2)
        assert list(vouching_told(report.vouched, knows_witnesses=True)) == [
            "2 cosignatures and 2 time stamps checked"
        ]


def test_what_cannot_be_checked_is_said(vouched, monkeypatch):
    report = vouched.as_auditor(witnesses=(), certificates=None)
    assert report.passed
    assert list(vouching_told(report.vouched, knows_witnesses=False)) == [
        "0 cosignatures and 0 time stamps checked",
        "not checked: cosignatures, as no witness's key was given; 2 are stored",
        "not checked: who signed 2 time stamps, as OFRECORD_TIMESTAMP_CERTIFICATES is not set; "
        "what they say was compared",
    ]
    stranger = Cosigner("witness.example/w2", bytes(32)).key.vkey
    told = list(vouching_told(vouched.as_auditor(witnesses=[stranger]).vouched, knows_witnesses=True))
    assert told[1] == f"not checked: 2 cosignatures by {WITNESS.key.key_id}, whose key was not given"
    monkeypatch.setattr(fsck_vouched, "can_read_stamps", lambda: False)
    report = vouched.as_auditor()
    assert report.passed
    assert list(vouching_told(report.vouched, knows_witnesses=True))[1:] == [
        "not checked: 2 time stamps: that needs the extra `timestamps`"
    ]


def test_without_a_key_or_certificates_sizes_bytes_and_times_are_compared(vouched, tmp_path):
    needs_them = {"the cosignature of another tree", "a spoiled signature", "another authority's stamp"}
    for name, (statements, problem) in _tamperings(vouched, make_authority(tmp_path / "other")).items():
        with vouched.rig.tampering(statements) as connection:
            found = vouched.fsck(connection, witnesses=(), certificates=None).problems
            connection.rollback()
        assert any(re.search(problem, one) for one in found) is (name not in needs_them), (name, found)


def test_a_past_witness_key_vouches_up_to_its_limit(vouched):
    assert vouched.as_auditor(witnesses=[f"{WITNESS.key.vkey}@600"]).passed
    (problem,) = vouched.as_auditor(witnesses=[f"{WITNESS.key.vkey}@599"]).problems
    assert problem.startswith(f"cosignature of 600 by {WITNESS.key.key_id}: a past key")
