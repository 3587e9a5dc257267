"""A payload may be gone behind a manifest that matches its entries, and only then."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from hashlib import sha256

import psycopg
import pytest

from audit.custody import append_clear
from audit.entry import Draft
from audit.fsck import fsck
from audit.fsck_expiry import Expired

NOW = datetime(2026, 11, 20, 10, 15, tzinfo=UTC)
LATER = datetime(2026, 12, 1, 0, 0, tzinfo=UTC)
OVER = datetime(2032, 12, 1, 0, 0, tzinfo=UTC)  # 72 months after November
GONE = "delete from audit.payload where retention_class = 'clinical' and month = '2026-11-01'"
NOVEMBER = date(2026, 11, 1)


@pytest.fixture
def filled(rig):
    clinical = Draft("a.b", "x", {}, private=b"p", subject="S", retention_class="clinical")
    rig.log.append([clinical] * 7, NOW)
    rig.log.append([clinical] * 2, LATER)
    rig.log.append(
        [Draft("a.b", "x", {}, private=b"p"), Draft("a.b", "x", {}, retention_class="clinical")], NOW
    )
    rig.integrator.step(NOW)
    return rig


def ids(rig) -> list[bytes]:
    """Return the ids of November's clinical entries with a private part, in the order of their text."""
    question = (
        "select entry_id from audit.payload where retention_class = 'clinical' and month = '2026-11-01'"
        " order by entry_id::text"
    )
    with psycopg.connect(rig.database.admin_url) as connection:
        return [row[0].bytes for row in connection.execute(question)]


def manifest(identifiers: list[bytes], **changed: object) -> Draft:
    body = {
        "retention_class": "clinical",
        "month": "2026-11",
        "entries": len(identifiers),
        "entries_digest": "sha256:" + sha256(b"".join(identifiers)).hexdigest(),
        "keys": len(identifiers),
    }
    return Draft("retention.expired", "scheduler", body | changed)


def declare(rig, draft: Draft, at: datetime = OVER) -> None:
    """Append a manifest as the custodian does."""
    with psycopg.connect(rig.database.url("custodian")) as connection:
        append_clear(connection, draft, at)


def test_what_expired_on_record_passes(filled):
    declare(filled, manifest(ids(filled)))
    waiting = filled.fsck()  # the manifest comes first, the payloads go then
    assert waiting.expired == (Expired("clinical", NOVEMBER, None, 7, 0),)
    filled.tamper(GONE)
    assert filled.fsck().problems == ()
    filled.integrator.step(OVER)
    report = filled.fsck()
    assert (report.problems, report.missing, report.payloads, report.entries) == ((), 0, 3, 12)
    assert report.expired == (Expired("clinical", NOVEMBER, 11, 7, 7),)


def test_what_is_gone_without_a_manifest_is_missing(filled):
    filled.tamper(GONE)
    report = filled.fsck()
    assert report.faults == {"payload": 7}
    assert all("the payload of entry" in problem for problem in report.problems)
    assert (report.missing, report.expired) == (7, ())


def test_one_deleted_payload_of_another_month_or_class_is_missing_still(filled):
    declare(filled, manifest(ids(filled)))
    filled.integrator.step(OVER)
    for where in ("month = '2026-12-01'", "retention_class = 'standard'"):
        found = _after(filled, f"{GONE}; delete from audit.payload where {where}")
        assert found.faults == {"payload": 2 if "month" in where else 1}


@pytest.mark.parametrize(
    "changed",
    [
        {"entries": 6},
        {"entries": 8},
        {"entries": True},
        {"entries_digest": "sha256:" + sha256(b"").hexdigest()},
        {"retention_class": "standard"},
        {"month": "2026-12"},
    ],
)
def test_a_manifest_that_does_not_match_is_refused_and_covers_nothing(filled, changed):
    declare(filled, manifest(ids(filled), **changed))
    filled.integrator.step(OVER)
    assert filled.fsck().faults == {"manifest": 1}
    assert _after(filled, GONE).faults == {"manifest": 1, "payload": 7}


@pytest.mark.parametrize(
    "changed", [{"month": "2026-1"}, {"month": "2026-13"}, {"entries": "7"}, {"retention_class": None}]
)
def test_a_manifest_that_cannot_be_read_is_a_fault(filled, changed):
    declare(filled, manifest(ids(filled), **changed))
    report = filled.fsck()
    assert report.faults == {"manifest": 1}
    assert "names no class, month, count and digest" in report.problems[0]


def test_the_order_of_the_ids_is_that_of_their_text(filled):
    declare(filled, manifest(ids(filled)[::-1]))
    assert filled.fsck().faults == {"manifest": 1}


def test_a_manifest_forged_beside_the_log_is_no_manifest(filled):
    """Its bytes must be an entry's, and in the tree or waiting for it."""
    declare(filled, manifest(ids(filled)))
    unlinked = f"{GONE}; delete from audit.pending"
    assert _after(filled, unlinked).faults == {"entry": 1, "payload": 7}


@pytest.mark.parametrize(
    ("at", "signed", "said"),
    [
        (OVER - timedelta(microseconds=1), OVER, "is dated before that could be over"),
        (NOW, NOW, "is dated before that could be over"),
        (OVER, NOW, "is dated later than the checkpoint over it"),
        (OVER + timedelta(minutes=6), OVER, "is dated later than the checkpoint over it"),
    ],
)
def test_a_manifest_of_another_time_is_a_fault_and_covers_nothing(filled, at, signed, said):
    declare(filled, manifest(ids(filled)), at)
    filled.integrator.step(signed)
    (problem,) = filled.fsck().problems
    assert said in problem
    assert _after(filled, GONE).faults == {"manifest": 1, "payload": 7}


def test_what_comes_after_a_manifest_breaks_and_hides_nothing(filled):
    declare(filled, manifest(ids(filled)))
    filled.integrator.step(OVER)
    late = filled.log.append_one(Draft("a.b", "x", {}, private=b"p", retention_class="clinical"), NOW)
    assert filled.fsck().problems == ()
    filled.integrator.step(OVER)
    assert filled.fsck().problems == ()
    kept = _after(filled, f"{GONE} and entry_id <> '{late.entry_id}'")
    assert (kept.problems, kept.missing) == ((), 0)
    lost = _after(filled, GONE)
    assert (lost.faults, lost.missing) == ({"payload": 1}, 1)
    assert str(late.entry_id) in lost.problems[0]


def _after(rig, statements: str):
    with rig.tampering(statements) as connection:
        report = fsck(connection, [rig.signer.verifier.vkey], rig.origin)
        connection.rollback()
    return report
