"""One subject of a thousand is erased: nobody can open it any more, and every proof still holds."""

from __future__ import annotations

import time
from uuid import UUID

import psycopg
import pytest
from psycopg.rows import dict_row

from audit import sealing
from audit.entry import Draft, Idempotency, parse_entry
from audit.errors import PayloadErased
from audit.sealing import NotDecrypted
from audit.verify import verify_evidence
from records.lookups import decision_key, find_decision
from tests.integration.custody.conftest import MASTER_KEY, NOW, SIGNER, House

PEOPLE = 1000
ERASED = 417


def draft(number: int) -> Draft:
    return Draft(
        "explanation.created",
        "svc-lending",
        {"model": "loans", "version": "1"},
        private=b'{"decision_id":"A-%d","income":"56"}' % number,
        subject=f"subject/S-{number}",
        idempotency=Idempotency(decision_key("loans", f"A-{number}"), b"content"),
    )


def test_one_subject_of_a_thousand(house: House, half_a_year, capsys: pytest.CaptureFixture[str]) -> None:
    drafts = [draft(number) for number in range(PEOPLE)]
    appended = house.log.append(drafts, NOW)
    house.integrate()
    house.to(NOW + half_a_year)
    started = time.monotonic()
    erasure = house.erase(f"S-{ERASED}")
    house.turn()
    took = time.monotonic() - started
    assert house.look(erasure).state == "completed"
    house.integrate()

    ids = [one.entry_id for one in appended]
    opened = _opened(house, ids, drafts)
    proved = _proved(house, ids)
    known = _known(house, ids)
    broken_into = _broken_into(house)
    with capsys.disabled():
        print(  # noqa: T201
            f"\n{PEOPLE} subjects, one erased in {took:.2f} s: {opened} of {PEOPLE} payloads open, "
            f"{len(broken_into)} with the master key and every table; {proved} of {PEOPLE} proofs verify; "
            f"{known} of {PEOPLE} decisions found; fsck: {'PASS' if house.fsck().passed else 'FAIL'}"
        )
    assert opened == known == PEOPLE - 1
    assert proved == PEOPLE
    assert broken_into == set(ids) - {ids[ERASED]}
    assert house.fsck().passed


def _opened(house: House, ids: list[UUID], drafts: list[Draft]) -> int:
    opened = 0
    for number, entry_id in enumerate(ids):
        stored = house.log.read(entry_id)
        if number == ERASED:
            with pytest.raises(PayloadErased):
                house.log.open(stored)
            with pytest.raises(PayloadErased):
                house.log.evidence(entry_id)
        else:
            assert house.log.open(stored) == drafts[number].private
            opened += 1
    return opened


def _proved(house: House, ids: list[UUID]) -> int:
    """Offline, from the evidence file alone: disclosed where it can be."""
    proved = 0
    for number, entry_id in enumerate(ids):
        evidence = house.log.evidence(entry_id, disclose=number != ERASED)
        verified = verify_evidence(evidence.to_bytes(), [SIGNER.verifier.vkey])
        assert (verified.private is None) == (number == ERASED)
        proved += verified.entry.entry_id == entry_id
    return proved


def _known(house: House, ids: list[UUID]) -> int:
    """By the caller's own id; and sent again, each is still the same decision, but for the erased one."""
    found = [find_decision(house.log, "loans", f"A-{number}") for number in range(PEOPLE)]
    assert found == [None if number == ERASED else entry_id for number, entry_id in enumerate(ids)]
    again = house.log.append([draft(number) for number in range(PEOPLE) if number != ERASED], NOW)
    assert all(one.duplicate for one in again)
    return sum(one is not None for one in found)


def _broken_into(house: House) -> set[UUID]:
    """What somebody opens who holds the master key and a copy of every table of both databases."""
    with psycopg.connect(house.database.keys_admin_url, row_factory=dict_row) as conn:
        subjects = conn.execute("select * from keys.subject_key where wrapped is not null").fetchall()
        entry_keys = conn.execute("select * from keys.entry_key where wrapped is not null").fetchall()
    with psycopg.connect(house.database.admin_url, row_factory=dict_row) as conn:
        payloads = conn.execute(
            "select entry_id, canonical, ciphertext from audit.payload join audit.entry using (entry_id)"
        ).fetchall()
    master = sealing.derive(MASTER_KEY, "wrapping")
    unwrapped = {
        row["subject_key_id"]: sealing.unwrap(master, row["wrapped"], row["subject_key_id"])
        for row in subjects
    }
    data_keys = {
        row["key_id"]: sealing.unwrap(
            unwrapped.get(row["subject_key_id"], master), row["wrapped"], row["key_id"]
        )
        for row in entry_keys
    }
    tried = {row["entry_id"]: row for row in payloads}
    erased = parse_entry(bytes(next(row["canonical"] for row in payloads if not _has_key(row, data_keys))))
    for key in (*data_keys.values(), *unwrapped.values(), master, MASTER_KEY):
        with pytest.raises(NotDecrypted):
            sealing.unseal(key, erased.entry_id, tried[erased.entry_id]["ciphertext"])
    return {row["entry_id"] for row in payloads if _opens(row, data_keys)}


def _has_key(row: dict[str, object], data_keys: dict[UUID, bytes]) -> bool:
    private = parse_entry(bytes(row["canonical"])).private
    return private is not None and private.key_id in data_keys


def _opens(row: dict[str, object], data_keys: dict[UUID, bytes]) -> bool:
    if not _has_key(row, data_keys):
        return False
    key = data_keys[parse_entry(bytes(row["canonical"])).private.key_id]
    return bool(sealing.unseal(key, row["entry_id"], row["ciphertext"]).plaintext)
