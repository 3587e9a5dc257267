"""The period register against the entries themselves, read one by one and put into rows in plain Python."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg
import pytest

from audit.entry import format_time
from records.decisions import read_reached
from records.tree_entries import snapshot
from registry.errors import ModelUnknown
from reports.registers.forms.cells import unmarked
from reports.registers.forms.writing import write_data
from reports.registers.offered import find_report
from reports.registers.period_register import PERIOD_REGISTER
from reports.registers.report import Asked, Form, Reading, Source

NAMES = [column.name for column in PERIOD_REGISTER.columns]
STRANGE = {
    "outcome": '=HYPERLINK("http://x")',
    "reason_codes": ["=cmd", 'R"05', "R\\07"],
    "action": "größe\u2028",
    "counterfactual_evaluation_id": "01a00000-0000-7000-8000-000000000001",
}
SENT_AT = "2026-11-25T08:00:00.000000Z"
FOLLOWED = ("notice_sent_at", "last_review_kind", "standing_outcome", "review_entry_id", "superseded_by")
DUE = {
    "notice_clock": "completed_application",
    "notice_due_at": "2026-12-20T10:00:00.000001Z",
    "notice_blocked": False,
}


def _fill(office: Any) -> None:
    for number in range(7):
        office.decide(approve=bool(number % 2), model=("loans", "cards")[number % 3 == 0])
        office.append("token.issued", {})
    strange = office.decide(**STRANGE)
    due = office.decide(**DUE)
    _follow(office, strange, due)
    office.decide(actor="@SUM(1)", catalogue=None, outcome=None, reason_codes=["-1"])
    office.settle()


def _follow(office: Any, first: UUID, second: UUID) -> None:
    """Reviews of two decisions, one of which has taken the other's place, and a notice."""
    told = {"answers": "decision", "sent_at": SENT_AT, "channel": "mail", "template": "adverse_action"}
    office.append("notice.sent", told, second)
    for about, kind, outcome, supersedes, superseded_by in (
        (first, "reviewed", None, None, None),
        (first, "overridden", '=ap"prove\u2028', None, None),
        (second, "corrected", "decline", first, None),
        (second, "corrected", None, None, None),
        (second, "reviewed", None, None, UUID(int=3)),
        (second, "reviewed", None, None, UUID(int=4)),
    ):
        named = {
            "supersedes": supersedes and str(supersedes),
            "superseded_by": str(superseded_by or "") or None,
        }
        office.append("explanation.reviewed", {"kind": kind, "outcome": outcome, **named}, about)


def _followed(office: Any, explanation_id: UUID) -> dict[str, Any]:
    """What came after a decision, one entry after the other."""
    found: dict[str, Any] = dict.fromkeys(FOLLOWED)
    for entry in (stored.entry for stored in office.entries()):
        body = entry.body
        if entry.type == "notice.sent" and entry.about == explanation_id:
            found["notice_sent_at"] = body["sent_at"]
        if entry.type != "explanation.reviewed":
            continue
        if entry.about == explanation_id:
            found |= {"last_review_kind": body["kind"], "review_entry_id": str(entry.entry_id)}
            if body["kind"] != "reviewed" and body["outcome"] is not None:
                found["standing_outcome"] = body["outcome"]
            found["superseded_by"] = body["superseded_by"] or found["superseded_by"]
        if body["supersedes"] == str(explanation_id):
            found["superseded_by"] = str(entry.about)
    return found


def _expected(office: Any) -> list[dict[str, Any]]:
    rows = []
    for stored in office.entries():
        entry, body = stored.entry, stored.entry.body
        if entry.type != "explanation.created":
            continue
        catalogue = body.get("catalogue") or {}
        told = {name: body.get(name) for name in NAMES} | {
            "index": stored.index,
            "explanation_id": str(entry.entry_id),
            "recorded_at": entry.time.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
            "reason_codes": list(body.get("reason_codes") or []),
            "catalogue_name": catalogue.get("name"),
            "catalogue_version": catalogue.get("version"),
            "retention_class": entry.retention_class,
            "actor": entry.actor,
            "key_id": str(entry.private.key_id),
            **_followed(office, entry.entry_id),
        }
        rows.append(told)
    return rows


def test_it_has_every_decision_as_its_entry_says(office: Any) -> None:
    _fill(office)
    document = json.loads(office.pull("period-register"))
    assert document["rows"] == _expected(office)
    assert document["header"]["rows"] == 10
    assert list(document["rows"][0]) == NAMES


def test_what_followed_a_decision_is_in_its_row(office: Any) -> None:
    _fill(office)
    strange, due = office.rows("period-register")[-3:-1]
    assert (strange["outcome"], strange["standing_outcome"]) == (STRANGE["outcome"], '=ap"prove\u2028')
    assert (strange["last_review_kind"], strange["superseded_by"]) == ("overridden", due["explanation_id"])
    assert (due["last_review_kind"], due["standing_outcome"]) == ("reviewed", "decline")
    assert (due["notice_sent_at"], due["superseded_by"]) == (SENT_AT, str(UUID(int=4)))
    plain = office.rows("period-register")[-1]
    assert [plain[name] for name in FOLLOWED] == [None] * 5


def test_csv_says_the_same_as_json(office: Any) -> None:
    _fill(office)
    text = office.pull("period-register", "csv").decode()
    data = text.partition('"the digest covers every byte after this line"\r\n')[2]
    bare = {column.name for column in PERIOD_REGISTER.columns if column.type not in ("text", "words")}
    for record, row in zip(
        csv.DictReader(io.StringIO(data, newline=""), strict=True), _expected(office), strict=True
    ):
        for name, cell in record.items():
            told = row[name]
            if name == "reason_codes":
                assert unmarked(cell) == " ".join(told)
            elif told is None:
                assert cell == ""
            elif isinstance(told, bool):
                assert cell == str(told).lower()
            else:
                assert (cell if name in bare else unmarked(cell)) == str(told)
            assert not cell.startswith(("=", "+", "-", "@"))


@pytest.mark.parametrize("form", ["json", "csv"])
def test_what_the_database_writes_is_what_our_writer_writes(office: Any, form: Form) -> None:
    """Byte for byte: the fast way is only faster."""
    _fill(office)
    report, data = find_report("period-register"), (io.BytesIO(), io.BytesIO())
    with snapshot(office.desk.pool, None) as conn:
        source = Source(
            conn=conn,
            log=office.log,
            clock=office.clock,
            now=office.clock.now(),
            checkpoint=office.log.newest_checkpoint(),
            vkeys=(),
            receipt=office.desk.receipt,
        )
        fast = report.read(source, Asked())
        for reading, file in zip((fast, Reading(rows=fast.rows)), data, strict=True):
            write_data(report, reading, form, file, limit_bytes=1 << 30, in_time=lambda: None)
    assert data[0].getvalue() == data[1].getvalue()
    assert data[0].getvalue().count(b"2026-11-20T") >= 10


def test_more_than_a_page_stays_in_order(office: Any, admin: Any) -> None:
    """A thousand places are one page; here two decisions lie on either side of an edge, thousands apart."""
    first, second = office.decide(), office.decide()
    office.settle()
    admin.execute("set session_replication_role = replica")
    admin.execute("update records.decision set index = 999 where explanation_id = %s", (first,))
    admin.execute("update records.decision set index = 3000 where explanation_id = %s", (second,))
    admin.commit()
    with snapshot(office.desk.pool, None) as conn:
        reading = PERIOD_REGISTER.read(_endless(office, conn), Asked())
        assert reading.lines is not None
        listed = [json.loads(lines)["index"] for _, lines in reading.lines("json")]
    assert listed == []  # nothing beyond the place reached
    admin.execute("update records.projection set next_index = 5000 where name = 'decisions'")
    admin.commit()
    with snapshot(office.desk.pool, None) as conn:
        reading = PERIOD_REGISTER.read(_endless(office, conn), Asked())
        assert reading.lines is not None
        assert [json.loads(lines)["index"] for _, lines in reading.lines("json")] == [999, 3000]


def _endless(office: Any, conn: Any) -> Source:
    """A source whose tree is larger than any place here."""
    checkpoint = office.log.newest_checkpoint()
    larger = type(checkpoint)(10_000, checkpoint.root, checkpoint.note, checkpoint.signed_at)
    return Source(
        conn=conn,
        log=office.log,
        clock=office.clock,
        now=office.clock.now(),
        checkpoint=larger,
        vkeys=(),
        receipt=office.desk.receipt,
    )


def test_a_period_has_its_first_moment_and_not_its_last(office: Any) -> None:
    ids = [office.decide() for _ in range(4)]
    office.settle()
    at = [office.log.read(one).entry.time for one in ids]

    def listed(start: datetime | None, end: datetime | None) -> list[str]:
        return [row["explanation_id"] for row in office.rows("period-register", start=start, end=end)]

    assert listed(at[1], at[3]) == [str(ids[1]), str(ids[2])]
    assert listed(at[1], at[1] + timedelta(microseconds=1)) == [str(ids[1])]
    assert listed(None, at[0]) == []
    assert listed(at[3], None) == [str(ids[3])]


def test_a_model_that_nobody_registered_is_unknown(office: Any) -> None:
    with pytest.raises(ModelUnknown):
        office.rows("period-register", model="cards")


def test_one_model_is_listed_alone(office: Any) -> None:
    _fill(office)
    office.register("cards")
    cards = office.rows("period-register", model="cards")
    assert [row for row in _expected(office) if row["model"] == "cards"] == cards
    assert 0 < len(cards) < 10


def test_a_person_that_was_erased_stays_in_it(office: Any, database: Any) -> None:
    office.decide()
    office.settle()
    before = office.rows("period-register")
    with psycopg.connect(database.keys_admin_url) as keys:
        tables = keys.execute(
            "select format('%I.%I', schemaname, tablename) from pg_tables where schemaname = 'keys'"
        ).fetchall()
        assert tables
        for (table,) in tables:
            keys.execute(f"truncate {table} cascade")
    assert office.rows("period-register") == before


def test_the_header_says_what_is_covered(office: Any) -> None:
    office.decide()
    office.settle()
    covered = office.log.newest_checkpoint()
    office.decide()  # committed, and not in the tree yet
    text = office.pull("period-register", asked=Asked(start=datetime(2026, 11, 1, tzinfo=UTC)))
    header = json.loads(text)["header"]
    assert header["organisation"] == "Acme Bank"
    assert header["period"]["from"] == "2026-11-01T00:00:00.000000Z"
    assert header["period"]["to"] == header["generated_at"]
    assert (header["rows"], header["pending_entries"]) == (1, 1)
    assert header["checkpoint"] == {
        "tree_size": 1,
        "root": covered.root.hex(),
        "note_digest": "sha256:" + hashlib.sha256(covered.note.encode()).hexdigest(),
        "signed_at": covered.signed_at.strftime("%Y-%m-%dT%H:%M:%S.%fZ"),
    }
    assert header["summary"]["entries_not_read"] == 0
    assert header["summary"]["read_to"] == json.loads(text)["rows"][0]["recorded_at"]
    while office.integrator.step(office.clock.now()):
        pass
    behind = json.loads(office.pull("period-register"))["header"]
    assert behind["rows"] == 1
    assert behind["summary"]["entries_not_read"] == behind["checkpoint"]["tree_size"] - 1
    with office.desk.pool.connection() as conn:
        assert read_reached(conn).entries == 1


def test_a_period_that_was_left_open_is_said_in_full(office: Any) -> None:
    empty = json.loads(office.pull("change-log"))["header"]
    assert empty["period"] == {"from": None, "to": empty["generated_at"]}
    office.desk = replace(office.desk, organisation="")
    office.decide()
    office.settle()
    first = office.entries()[0].entry.time
    header = json.loads(office.pull("period-register"))["header"]
    assert header["organisation"] == "not stated"
    assert header["period"] == {"from": format_time(first), "to": header["generated_at"]}
    for end, expected in ((first, None), (first + timedelta(seconds=1), format_time(first))):
        header = json.loads(office.pull("period-register", asked=Asked(end=end)))["header"]
        assert header["period"] == {"from": expected, "to": format_time(end)}
