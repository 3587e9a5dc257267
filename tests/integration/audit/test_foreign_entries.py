"""What append_v1 refuses: what nobody could read, what is not the sender's, what names another's key."""

from __future__ import annotations

import json
from hashlib import sha256
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest

from audit.entry import Draft, Entry, entry_bytes, format_time, new_id
from tests.integration.audit.conftest import NOW, Rig

APPEND = (
    "select outcome from audit.append_v1("
    "%s::bytea[], %s::bytea[], array[null]::bytea[], array[null]::bytea[])"
)


def members(**changed: Any) -> dict[str, Any]:
    """The members of a well-made entry without a private part, some of them changed; `...` leaves one out."""
    made = json.loads(entry_bytes(Entry(new_id(NOW), "read.logged", NOW, "token:t", {"n": 1})))
    return {name: value for name, value in (made | changed).items() if value is not ...}


def written(value: object) -> bytes:
    return json.dumps(value, separators=(",", ":"), sort_keys=True, ensure_ascii=False).encode()


def send(url: str, canonical: bytes, ciphertext: bytes | None = None) -> str:
    with psycopg.connect(url) as connection:
        row = connection.execute(APPEND, ([canonical], [ciphertext])).fetchone()
    assert row is not None
    return str(row[0])


def private(ciphertext: bytes, key_id: UUID | None = None, **changed: Any) -> dict[str, Any]:
    digest = "sha256:" + sha256(ciphertext).hexdigest()
    told = {"key_id": str(key_id or uuid4()), "ciphertext_digest": digest, "commitment": "0" * 64}
    return members(**told | changed)


def test_what_is_well_made_is_taken_from_whoever_may_append(rig: Rig) -> None:
    for role in ("service", "worker", "custodian"):
        url = rig.database.url(role)
        assert send(url, written(members())) == "appended"
        assert send(url, written(members(about=str(new_id(NOW)), actor='größe"\\', body={}))) == "appended"
        assert send(url, written(private(b"x" * 70)), b"x" * 70) == "appended"
    rig.integrator.step(NOW)
    assert rig.fsck().problems == ()


MALFORMED: dict[str, dict[str, Any]] = {
    "one member more": {"extra": 1},
    "one member less": {"about": ...},
    "a body that is no object": {"body": ["x"]},
    "no body": {"body": None},
    "an actor that is a number": {"actor": 1},
    "an actor without a name": {"actor": ""},
    "a long actor": {"actor": "x" * 201},
    "no time": {"time": None},
    "a time without end": {"time": "infinity"},
    "a time before all": {"time": "-infinity"},
    "a far time": {"time": "12026-01-01T00:00:00.000000Z"},
    "a time of another form": {"time": "2026-11-20T10:15:00Z"},
    "an hour too many": {"time": "2026-11-20T24:00:00.000000Z"},
    "a second too many": {"time": "2026-11-20T10:15:60.000000Z"},
    "a day that is none": {"time": "2026-02-30T10:15:00.000000Z"},
    "today": {"time": "today"},
    "a type of one word": {"type": "read"},
    "a type in capitals": {"type": "Read.logged"},
    "a type with a line after it": {"type": "read.logged\n"},
    "a long type": {"type": "a." + "b" * 63},
    "an unknown class": {"retention_class": "for_ever"},
    "no class": {"retention_class": None},
    "a commitment alone": {"commitment": "0" * 64},
    "a digest alone": {"ciphertext_digest": "sha256:" + "0" * 64},
    "a key alone": {"key_id": str(UUID(int=1))},
    "an id in capitals": {"entry_id": "01AA0000-0000-7000-8000-00000000000A"},
    "an id in braces": {"entry_id": "{01aa0000-0000-7000-8000-00000000000a}"},
    "no id": {"entry_id": None},
    "an about that is no id": {"about": "x"},
    "another version": {"v": 2},
    "a version that is a text": {"v": "1"},
}


@pytest.mark.parametrize("changed", MALFORMED.values(), ids=MALFORMED)
def test_what_is_malformed_is_refused(rig: Rig, changed: dict[str, Any]) -> None:
    for role in ("service", "worker", "custodian"):
        with pytest.raises(psycopg.DataError):
            send(rig.database.url(role), written(members(**changed)))
    assert rig.count("entry") == 0


@pytest.mark.parametrize("commitment", [None, "0" * 63, "sha256:" + "0" * 64, 5])
def test_a_private_part_has_digest_commitment_and_key(rig: Rig, commitment: object) -> None:
    with pytest.raises(psycopg.DataError):
        send(rig.database.url("worker"), written(private(b"x", commitment=commitment)), b"x")


def test_bytes_that_say_the_same_in_another_way_are_refused(rig: Rig) -> None:
    good = members()
    for canonical in (
        json.dumps(good, sort_keys=True).encode(),
        json.dumps(good, separators=(",", ":")).encode()[:-1] + b',"about":null}',
        written(good).replace(b'"type":"read.logged"', b'"type":"x.y","type":"read.logged"'),
        written(good) + b" ",
        b" " + written(good),
        written([good]),
        b"null",
        b"{}",
    ):
        with pytest.raises(psycopg.DataError):
            send(rig.database.url("worker"), canonical)
    assert rig.count("entry") == 0


OWN = {
    "service": ("hold.placed", "hold.released", "erasure.requested", "erasure.refused"),
    "custodian": ("erasure.held", "erasure.completed", "retention.expired", "retention.other"),
    "owner": ("schema.change",),
    "worker": (),
}


@pytest.mark.parametrize("role", ["service", "custodian", "worker"])
def test_each_type_comes_from_those_whose_it_is(rig: Rig, role: str) -> None:
    for whose, types in OWN.items():
        for kind in types:
            if whose == role:
                send(rig.database.url(role), written(members(type=kind)))
                continue
            with pytest.raises(psycopg.DataError, match=f"may not append {kind}"):
                send(rig.database.url(role), written(members(type=kind)))
    assert rig.count("entry") == len(OWN[role])


def test_a_role_that_was_taken_on_does_not_count(rig: Rig) -> None:
    """What counts is who came in, not what that session calls itself since."""
    with psycopg.connect(rig.database.url("worker"), autocommit=True) as connection:
        for pose in ("ofrecord_custodian", "ofrecord_owner"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(f"set role {pose}")


def test_what_a_session_makes_of_a_backslash_changes_nothing(rig: Rig) -> None:
    with psycopg.connect(rig.database.url("worker")) as connection:
        connection.execute("set standard_conforming_strings = off; set escape_string_warning = off")
        binary = APPEND.replace("%s", "%b")
        assert connection.execute(binary, ([written(members())], [None])).fetchone() == ("appended",)
    rig.integrator.step(NOW)
    assert rig.fsck().passed


def test_one_key_is_for_one_entry(rig: Rig) -> None:
    """An entry of another class that expires sooner would take the key with it."""
    draft = Draft("explanation.created", "x", {}, private=b"p", retention_class="consumer_credit")
    kept = rig.log.read(rig.log.append_one(draft, NOW).entry_id).entry.private
    assert kept is not None
    with pytest.raises(psycopg.errors.UniqueViolation):
        send(rig.database.url("worker"), written(private(b"x" * 70, kept.key_id)), b"x" * 70)
    both = [written(private(b"y", UUID(int=7))), written(private(b"y", UUID(int=7)))]
    nothing = [None, None]
    with (
        psycopg.connect(rig.database.url("worker")) as connection,
        pytest.raises(psycopg.errors.UniqueViolation),
    ):
        connection.execute(
            "select * from audit.append_v1(%s::bytea[], %s::bytea[], %s::bytea[], %s::bytea[])",
            (both, [b"y", b"y"], nothing, nothing),
        )
    assert rig.count("entry") == 1


def test_a_month_that_expires_takes_nothing_more(rig: Rig) -> None:
    with psycopg.connect(rig.database.admin_url) as connection:
        connection.execute(
            "insert into records.expiry (retention_class, month, started_at)"
            " values ('standard', '2026-11-01', %s)",
            (NOW,),
        )
    url = rig.database.url("worker")
    with pytest.raises(psycopg.errors.CheckViolation, match="has expired"):
        send(url, written(private(b"x", time=format_time(NOW))), b"x")
    assert send(url, written(members())) == "appended"
    assert send(url, written(private(b"x", retention_class="clinical")), b"x") == "appended"
    with psycopg.connect(rig.database.admin_url) as connection:
        connection.execute("set event_triggers = off")
        connection.execute("drop table audit.payload_standard_2026_11")
    with psycopg.connect(url) as connection:
        assert connection.execute("select audit.ensure_partitions_v1('2026-11-01')").fetchall() == []
        found = connection.execute("select to_regclass('audit.payload_standard_2026_11')").fetchone()
        assert found == (None,)
        assert len(connection.execute("select audit.ensure_partitions_v1('2026-10-01')").fetchall()) == 4


@pytest.mark.parametrize("month", ["infinity", "-infinity", "0001-01-01 BC", "1999-12-31", "9900-01-01"])
def test_no_partition_is_made_of_a_month_out_of_all_reason(rig: Rig, month: str) -> None:
    with psycopg.connect(rig.database.url("worker"), autocommit=True) as connection:
        connection.execute("set statement_timeout = '2s'")
        with pytest.raises(psycopg.DataError, match="there is no payload of"):
            connection.execute("select audit.ensure_partitions_v1(%s)", (month,))
