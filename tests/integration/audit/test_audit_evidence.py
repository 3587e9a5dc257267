"""From an append to a file that proves it, also after its subject was erased."""

from __future__ import annotations

from datetime import UTC, datetime

import psycopg
import pytest

from audit.entry import Draft
from audit.errors import IntegrityHalt, PayloadErased, VerificationFailed
from audit.receipt import issue_receipt, verify_receipt
from audit.verify import verify_evidence

NOW = datetime(2026, 11, 20, 10, 15, tzinfo=UTC)
DRAFT = Draft(
    "explanation.created", "svc", {"outcome": "decline"}, private=b'{"decision_id":"A-1"}', subject="S-1"
)


@pytest.fixture
def proved(rig):
    rig.log.append([Draft("a.b", "x", {})] * 400, NOW)
    appended = rig.log.append_one(DRAFT, NOW)
    rig.log.append([Draft("a.b", "x", {})] * 100, NOW)
    return rig, appended, issue_receipt(rig.receipt_signer, rig.origin, appended)


def test_evidence_is_there_once_integrated_and_verifies_offline(proved):
    rig, appended, receipt = proved
    assert verify_receipt(receipt, [rig.receipt_signer.verifier])
    assert rig.log.evidence(appended.entry_id) is None
    rig.integrator.step(NOW)
    evidence = rig.log.evidence(appended.entry_id, receipt=receipt)
    verified = verify_evidence(evidence.to_bytes(), rig.vkeys)
    assert verified.entry.entry_id == appended.entry_id
    assert verified.private == {"decision_id": "A-1"}
    assert verified.tree_size == 501
    assert verified.receipt_checked
    assert verified.receipt.index == verified.index == rig.log.read(appended.entry_id).index


def test_evidence_without_disclosure_shows_nothing(proved):
    rig, appended, _ = proved
    rig.integrator.step(NOW)
    data = rig.log.evidence(appended.entry_id, disclose=False).to_bytes()
    assert verify_evidence(data, rig.vkeys).private is None
    assert b"A-1" not in data


def test_after_erasure_nothing_opens_and_everything_still_proves(proved):
    rig, appended, receipt = proved
    rig.integrator.step(NOW)
    given_before = rig.log.evidence(appended.entry_id, receipt=receipt).to_bytes()
    with psycopg.connect(rig.database.keys_admin_url) as connection:
        connection.execute(
            "select keys.destroy_subject_key_v1(subject_key_id, %s) from keys.subject_key", (NOW,)
        )
    stored = rig.log.read(appended.entry_id)
    with pytest.raises(PayloadErased):
        rig.log.open(stored)
    with pytest.raises(PayloadErased):
        rig.log.evidence(appended.entry_id)
    proof = rig.log.evidence(appended.entry_id, disclose=False, receipt=receipt).to_bytes()
    assert verify_evidence(proof, rig.vkeys).entry == stored.entry
    assert verify_evidence(given_before, rig.vkeys).private == {"decision_id": "A-1"}
    assert rig.fsck().passed


def test_another_logs_keys_do_not_verify_it(proved):
    rig, appended, _ = proved
    rig.integrator.step(NOW)
    data = rig.log.evidence(appended.entry_id).to_bytes()
    with pytest.raises(VerificationFailed, match=r"^checkpoint: "):
        verify_evidence(data, [rig.receipt_signer.verifier.vkey])


def test_a_payload_exchanged_in_the_database_is_not_opened(proved):
    rig, appended, _ = proved
    other = rig.log.append_one(DRAFT, NOW)
    others = f"select ciphertext from audit.payload where entry_id = '{other.entry_id}'"
    rig.tamper(f"update audit.payload set ciphertext = ({others}) where entry_id = '{appended.entry_id}'")
    with pytest.raises(IntegrityHalt, match="ciphertext"):
        rig.log.open(rig.log.read(appended.entry_id))


def test_a_payload_that_was_taken_away_is_no_erasure(proved):
    """Erased is what no key opens any more; a ciphertext that is gone while its key is there was removed."""
    rig, appended, receipt = proved
    rig.integrator.step(NOW)
    rig.tamper(f"delete from audit.payload where entry_id = '{appended.entry_id}'")
    stored = rig.log.read(appended.entry_id)
    with pytest.raises(IntegrityHalt, match="gone, and its key is not"):
        rig.log.open(stored)
    with pytest.raises(IntegrityHalt):
        rig.log.evidence(appended.entry_id)
    proof = rig.log.evidence(appended.entry_id, disclose=False, receipt=receipt).to_bytes()
    assert verify_evidence(proof, rig.vkeys).entry == stored.entry
    assert not rig.fsck().passed
    with psycopg.connect(rig.database.keys_admin_url) as connection:
        connection.execute(
            "select keys.destroy_subject_key_v1(subject_key_id, %s) from keys.subject_key", (NOW,)
        )
    with pytest.raises(PayloadErased):
        rig.log.open(stored)


def test_changed_entry_bytes_are_not_read(proved):
    rig, appended, _ = proved
    rig.tamper(f"update audit.entry set canonical = canonical || ' ' where entry_id = '{appended.entry_id}'")
    with pytest.raises(IntegrityHalt, match="leaf hash"):
        rig.log.read(appended.entry_id)
