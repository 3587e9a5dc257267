"""An erasure from its request to its end: what it checks, what it takes away, and what stays."""

from __future__ import annotations

from datetime import timedelta

import pytest

from audit.errors import PayloadErased
from audit.retention import add_months
from audit.verify import verify_evidence
from records.erasure_requests import Asked, request_erasure
from records.erasures import ErasureConflict, SubjectUnknown
from records.lookups import find_decision
from records.subjects import subject_named
from tests.integration.custody.conftest import BACKUP_DAYS, NOW, ORIGIN, SIGNER, House


def test_an_erasure_takes_everything_about_one_person_and_nothing_of_others(
    house: House, half_a_year
) -> None:
    first = house.decide("S-1", decision_id="A-1")
    letter = house.add(first, "notice.rendered")
    second = house.decide("S-1", decision_id="A-2", model="cards")
    other = house.decide("S-2", decision_id="B-1")
    house.to(NOW + half_a_year)
    erasure = house.erase()
    assert (erasure.state, erasure.effective_at) == ("scheduled", house.clock.now())
    house.turn()
    done = house.look(erasure)
    assert (done.state, done.entries, done.indexes, done.evaluations) == ("completed", 3, 2, 0)
    for entry_id in (first, letter, second):
        with pytest.raises(PayloadErased):
            house.log.open(house.log.read(entry_id))
    assert house.log.open(house.log.read(other)) == house.entries[other]
    assert find_decision(house.log, "loans", "A-1") is None
    assert find_decision(house.log, "cards", "A-2") is None
    assert find_decision(house.log, "loans", "B-1") == other
    assert house.keystore.find_subject("subject/S-1") is None


def test_the_log_says_what_happened_and_nothing_of_whom(house: House, half_a_year) -> None:
    house.decide("Jane-Doe-17", decision_id="A-1")
    house.to(NOW + half_a_year)
    key_id = house.keystore.find_subject("subject/Jane-Doe-17")
    erasure = house.erase("Jane-Doe-17", basis="consent_withdrawn")
    house.turn()
    entries = [
        house.log.read(row["entry_id"])
        for row in house.rows("select entry_id from audit.entry order by time")
    ]
    requested, completed = [one.entry for one in entries if one.entry.type.startswith("erasure.")]
    assert dict(requested.body) == {
        "erasure_id": str(erasure.erasure_id),
        "subject_key_id": str(key_id),
        "effective_at": "2027-05-29T10:15:00.123456Z",
        "basis": "consent_withdrawn",
    }
    done = house.look(erasure)
    assert completed.about == requested.entry_id == done.requested_entry_id
    assert completed.entry_id == done.completed_entry_id
    gone_by = done.completed_at + timedelta(days=BACKUP_DAYS)
    assert dict(completed.body) == {
        "erasure_id": str(erasure.erasure_id),
        "subject_key_id": str(key_id),
        "entries": 1,
        "indexes": 1,
        "evaluations": 0,
        "backups_gone_by": gone_by.isoformat().replace("+00:00", "Z"),
    }
    assert all(b"Jane" not in one.canonical for one in entries)
    assert b"Jane" not in str(house.rows("select * from records.erasure")).encode()


def test_nothing_tells_afterwards_which_entries_were_about_the_same_person(house: House, half_a_year) -> None:
    for number in range(3):
        house.decide("S-1", decision_id=f"A-{number}")
    house.to(NOW + half_a_year)
    house.erase()
    house.turn()
    found = house.rows("select * from keys.entry_key", keys=True)
    assert [(row["wrapped"], row["subject_key_id"], row["destroyed_by"]) for row in found] == [
        (None, None, "erasure")
    ] * 3
    (subject,) = house.rows("select * from keys.subject_key", keys=True)
    assert (subject["wrapped"], subject["subject_index"]) == (None, None)


def test_every_proof_holds_after_an_erasure(house: House, half_a_year) -> None:
    entries = [house.decide(f"S-{number}") for number in range(5)]
    house.integrate()
    house.to(NOW + half_a_year)
    house.erase("S-3")
    house.turn()
    house.integrate()
    for entry_id in entries:
        evidence = house.log.evidence(entry_id, disclose=False)
        assert verify_evidence(evidence.to_bytes(), [SIGNER.verifier.vkey]).origin == ORIGIN
    with pytest.raises(PayloadErased):
        house.log.evidence(entries[3])
    assert house.fsck().problems == ()


def test_the_same_name_begins_anew(house: House, half_a_year) -> None:
    first = house.decide("S-1", decision_id="A-1")
    house.to(NOW + half_a_year)
    house.erase()
    house.turn()
    again = house.decide("S-1", decision_id="A-1")
    assert again != first
    assert house.log.open(house.log.read(again)) == house.entries[again]
    with pytest.raises(PayloadErased):
        house.log.open(house.log.read(first))


def test_whoever_is_unknown_leaves_no_trace(house: House) -> None:
    house.decide("S-1")
    with pytest.raises(SubjectUnknown):
        house.erase("S-2")
    assert house.rows("select * from records.erasure") == []
    assert house.types() == ["explanation.created"]


def test_a_repeated_request_is_the_same_erasure_before_and_after(house: House, half_a_year) -> None:
    house.decide("S-1")
    house.to(NOW + half_a_year)
    first = house.erase(basis="objection")
    assert house.erase(basis="objection") == first
    with pytest.raises(ErasureConflict):
        house.erase(basis="consent_withdrawn")
    assert house.erase(effective_at=house.clock.now() + timedelta(days=3), basis="objection") == first
    house.turn()
    assert house.erase(basis="objection").erasure_id == first.erasure_id
    assert house.erase(effective_at=house.clock.now() + timedelta(days=9)).erasure_id == first.erasure_id
    house.clock.advance(90_000)
    house.custodian.step()
    with pytest.raises(SubjectUnknown):
        house.erase(basis="objection")
    assert house.rows("select request_key from records.erasure") == [{"request_key": None}]
    assert house.types().count("erasure.requested") == 1


def test_a_scheduled_erasure_waits_for_its_day(house: House) -> None:
    entry_id = house.decide("S-1")
    day = add_months(NOW, 6)
    erasure = house.erase(effective_at=day)
    house.turn()
    assert house.look(erasure).started_at is None
    assert house.log.open(house.log.read(entry_id)) == house.entries[entry_id]
    house.to(day)
    house.turn()
    assert house.look(erasure).state == "completed"


def test_an_erasure_inside_the_period_is_refused_and_says_when(house: House) -> None:
    house.decide("S-1")
    house.clock.advance(60)
    house.decide("S-1")
    refused = house.erase()
    until = add_months(NOW + timedelta(seconds=60), 6)
    assert (refused.state, refused.ground, refused.retained_until) == ("refused", "retention", until)
    assert house.erase() == refused
    assert house.types().count("erasure.refused") == 1
    assert house.erase(effective_at=until - timedelta(seconds=1)).state == "refused"
    assert house.erase(effective_at=until).state == "scheduled"


def test_a_decision_that_came_after_the_request_keeps_the_key(house: House) -> None:
    house.decide("S-1")
    erasure = house.erase(effective_at=add_months(NOW, 6))
    house.clock.advance(86_400)
    late = house.decide("S-1")
    house.to(add_months(NOW, 6))
    house.turn()
    waiting = house.look(erasure)
    assert (waiting.state, waiting.ground) == ("held", "retention")
    assert waiting.retained_until == add_months(NOW + timedelta(days=1), 6)
    assert house.log.open(house.log.read(late)) == house.entries[late]
    house.to(waiting.retained_until)
    house.turn()
    assert house.look(erasure).state == "completed"
    assert house.types().count("erasure.held") == 1


def test_a_decision_without_a_person_has_a_key_of_its_own(house: House, half_a_year) -> None:
    nobody = house.decide(None, decision_id="A-9")
    house.to(NOW + half_a_year)
    with pytest.raises(SubjectUnknown):
        house.erase("A-9")
    with house.service.connection() as conn:
        asked = Asked(subject_named("loans", "A-9", None), None, None, "token:t")
        request_erasure(conn, house.log, house.keystore, asked, house.clock.now())
    house.turn()
    with pytest.raises(PayloadErased):
        house.log.open(house.log.read(nobody))
