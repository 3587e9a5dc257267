"""A checkpoint key is replaced while the log goes on; what the old one signed stays provable."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest

from audit.entry import Appended, Draft
from audit.errors import IntegrityHalt, VerificationFailed
from audit.fsck import fsck
from audit.log import AuditLog
from audit.note import Signer, parse_note
from audit.receipt import Receipt, issue_receipt, receipt_key_name, verify_receipt
from audit.verify import verify_evidence
from runtime.clock import SystemClock
from runtime.errors import SettingsError
from runtime.postgres import Pool
from runtime.settings import Settings
from tests.oracles.followers import Follower, published
from tests.oracles.witnesses import started
from workers import integrating

ORIGIN = "test.example/log"
OLD, NEW = (Signer(ORIGIN, bytes([n]) * 32) for n in (1, 2))
LIMITED = f"{OLD.verifier.vkey}@2"
OLD_RECEIPTS, NEW_RECEIPTS = (Signer(receipt_key_name(ORIGIN), bytes([n]) * 32) for n in (3, 4))


@contextmanager
def _running(settings: Settings) -> Iterator[None]:
    stop = threading.Event()
    with ThreadPoolExecutor(1) as threads:
        future = threads.submit(integrating.run, settings, stop)
        try:
            yield
        finally:
            stop.set()
    future.result()


def _append(log: AuditLog) -> Appended:
    return log.append_one(Draft(type="log.tested", actor="test", body={}), SystemClock().now())


def _signers(log: AuditLog) -> set[str]:
    newest = log.newest_checkpoint()
    hashes = {signature.key_hash for signature in parse_note(newest.note).signatures} if newest else set()
    return {name for name, key in (("old", OLD), ("new", NEW)) if key.verifier.key_hash in hashes}


def _proves(evidence: bytes, *keys: Signer) -> bool:
    try:
        verify_evidence(evidence, [key.verifier.vkey for key in keys])
    except VerificationFailed:
        return False
    return True


def test_a_whole_rotation(
    database: Any, service: tuple[Pool, AuditLog], tmp_path: Path, until: Callable[..., Any]
) -> None:
    log, public = service[1], tmp_path / "public"
    known = [OLD.verifier.vkey]
    evidence: list[bytes] = []
    receipts: list[Receipt] = []
    plain = Settings(database_url=database.url("integrator"), log_origin=ORIGIN, publish_dir=public)
    steps = [
        (replace(plain, checkpoint_key=OLD.private_text()), {"old"}, OLD_RECEIPTS),
        (
            replace(plain, checkpoint_key=OLD.private_text(), next_checkpoint_key=NEW.private_text()),
            {"old", "new"},
            OLD_RECEIPTS,
        ),
        (
            replace(plain, checkpoint_key=NEW.private_text(), log_verifier_keys=(LIMITED,)),
            {"new"},
            NEW_RECEIPTS,
        ),
    ]
    for settings, signers, receipt_key in steps:
        if "new" in signers:
            known = [OLD.verifier.vkey if "old" in signers else LIMITED, NEW.verifier.vkey]
        with started(tmp_path / "witness.sqlite", known) as witness:
            watched = replace(settings, witnesses=((witness.key.vkey, witness.url),))
            with _running(watched):
                appended = _append(log)
                until(lambda wanted=signers: _signers(log) == wanted)
                until(lambda: "witness.example" in log.newest_checkpoint().note)
                until(lambda: published(public) == log.newest_checkpoint().note)
        receipts.append(issue_receipt(receipt_key, ORIGIN, appended))
        evidence.append(log.evidence(appended.entry_id, receipt=receipts[-1]).to_bytes())
    before, between, after = evidence
    assert [_proves(before, key) for key in (OLD, NEW)] == [True, False]
    assert [_proves(between, key) for key in (OLD, NEW)] == [True, True]
    assert [_proves(after, key) for key in (OLD, NEW)] == [False, True]
    assert all(_proves(file, OLD, NEW, OLD_RECEIPTS, NEW_RECEIPTS) for file in evidence)
    both = [OLD_RECEIPTS.verifier, NEW_RECEIPTS.verifier]
    assert [verify_receipt(receipt, both) for receipt in receipts] == [True, True, True]
    assert verify_receipt(receipts[0], [NEW_RECEIPTS.verifier]) is None
    listed = {key.vkey for key in log.verifier_keys() if key.role == "checkpoint"}
    assert listed == {OLD.verifier.vkey, NEW.verifier.vkey}
    told = {key.vkey: (key.limit, key.trusted) for key in log.verifier_keys() if key.role == "checkpoint"}
    assert told == {OLD.verifier.vkey: (2, LIMITED), NEW.verifier.vkey: (None, NEW.verifier.vkey)}
    assert Follower(public, NEW.verifier.vkey).read()[0] == 3
    with psycopg.connect(database.url("auditor")) as connection:
        for trusted in (sorted(listed), [LIMITED, NEW.verifier.vkey]):
            assert fsck(connection, trusted, ORIGIN).problems == ()
        assert any("past key" in one for one in fsck(connection, [f"{OLD.verifier.vkey}@1"], ORIGIN).problems)


def test_a_past_key_is_trusted_because_the_operator_names_it_and_not_the_database(
    database: Any, service: tuple[Pool, AuditLog], until: Callable[..., Any]
) -> None:
    log = service[1]
    old = Settings(
        database_url=database.url("integrator"), log_origin=ORIGIN, checkpoint_key=OLD.private_text()
    )
    with _running(old):
        _append(log)
        until(lambda: _signers(log) == {"old"})
    assert OLD.verifier.vkey in {key.vkey for key in log.verifier_keys()}
    at_once = replace(old, checkpoint_key=NEW.private_text())
    with pytest.raises(IntegrityHalt, match="no known key"):
        integrating.run(at_once, threading.Event())
    with _running(replace(at_once, log_verifier_keys=(OLD.verifier.vkey,))):
        _append(log)
        until(lambda: _signers(log) == {"new"})


def test_a_retired_key_that_was_stolen_signs_no_larger_tree(
    database: Any, service: tuple[Pool, AuditLog], until: Callable[..., Any]
) -> None:
    """The thief has the database too: he signs what follows with the key that was replaced."""
    log = service[1]
    stolen = Settings(
        database_url=database.url("integrator"), log_origin=ORIGIN, checkpoint_key=OLD.private_text()
    )
    with _running(stolen):
        for _ in range(3):
            _append(log)
            until(lambda: log.backlog().entries == 0)
    new = replace(stolen, checkpoint_key=NEW.private_text(), log_verifier_keys=(LIMITED,))
    with pytest.raises(IntegrityHalt, match=r"signed by a past key alone: .* for trees of up to 2 only"):
        integrating.run(new, threading.Event())
    with psycopg.connect(database.url("auditor")) as connection:
        told = fsck(connection, [LIMITED, NEW.verifier.vkey], ORIGIN).problems
    assert len(told) == 1
    assert "checkpoint 3: signed by a past key alone" in told[0]


def test_a_key_that_signs_has_no_limit(database: Any) -> None:
    settings = Settings(
        database_url=database.url("integrator"),
        log_origin=ORIGIN,
        checkpoint_key=OLD.private_text(),
        log_verifier_keys=(LIMITED,),
    )
    with pytest.raises(SettingsError, match="has a limit, and still signs"):
        integrating.run(settings, threading.Event())
