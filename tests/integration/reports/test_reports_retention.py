"""What is kept until when, what is held and what was erased, against the entries themselves."""

from __future__ import annotations

import json
from collections import defaultdict
from datetime import date, timedelta
from typing import Any
from uuid import UUID

import psycopg

from audit.entry import format_time
from audit.retention import add_months
from records.holds import Placing, Scope, place_hold, release_hold
from tests.integration.reports.kinds import KEEPING, fill

NINETY_DAYS = timedelta(days=90)
OWING = {"notice_clock": "completed_application", "notice_due_at": None, "notice_blocked": False}


def _section(office: Any, section: str, **asked: Any) -> list[dict[str, Any]]:
    return [row for row in office.rows("retention", **asked) if row["section"] == section]


def _send(office: Any, explanation_id: UUID, days: int = 200) -> Any:
    sent_at = office.clock.now() + timedelta(days=days)
    told = {"answers": "decision", "sent_at": format_time(sent_at), "channel": "mail"}
    office.append("notice.sent", {**told, "template": "adverse_action"}, explanation_id)
    return sent_at


def _hold(office: Any, scope: Scope, by: str = "token:counsel") -> Any:
    office.clock.advance(1)
    with office.desk.pool.connection() as conn:
        placing = Placing(scope, "litigation", by, None, None)
        return place_hold(conn, office.log, office.keystore, placing, office.clock.now())


def _release(office: Any, hold: Any) -> None:
    office.clock.advance(1)
    with office.desk.pool.connection() as conn:
        release_hold(conn, office.log, hold.hold_id, "token:counsel", office.clock.now())


def test_what_is_kept_until_when(office: Any) -> None:
    """25 months from the notice, and not while one is owed; where none is, from the last day of one."""
    approved = office.decide(approve=True)
    sent, owed = office.decide(**OWING), office.decide(**OWING)
    office.settle()
    lapsed = add_months(office.log.read(approved).entry.time + NINETY_DAYS, 25)
    (row,) = _section(office, "kept")
    assert (row["retention_class"], row["month"]) == ("consumer_credit", "2026-11")
    assert (row["entries"], row["waiting"], row["due"]) == (3, 2, False)
    assert (row["retained_until"], row["latest_known_end"]) == (None, format_time(lapsed))
    assert row["rule"] == "12 CFR 1002.12(b) (in force)"
    sent_at = [_send(office, one) for one in (sent, owed)][-1]
    office.settle()
    (row,) = _section(office, "kept")
    assert (row["waiting"], row["retained_until"]) == (0, format_time(add_months(sent_at, 25)))
    assert row["latest_known_end"] == row["retained_until"]
    office.clock.advance(5 * 366 * 86_400)
    (row,) = _section(office, "kept")
    assert (row["due"], row["may_be_held"], row["expired_at"]) == (True, False, None)


def test_every_class_and_month_is_counted_as_the_entries_say(office: Any) -> None:
    classes = {"consumer_credit": 25, "business_credit": 12, "clinical": 72, "standard": 6}
    sent: dict[UUID, Any] = {}
    for _ in range(2):
        for at, name in enumerate(sorted(classes) * 2):
            decided = office.decide(model=f"m{at}", retention_class=name, **(OWING if at % 3 else {}))
            if at % 3 == 1:
                sent[decided] = _send(office, decided, days=at)
        office.clock.advance(20 * 86_400)
        office.log.ensure_partitions(office.clock.now())
    office.settle()
    groups: dict[tuple[str, str], list[Any]] = defaultdict(list)
    for stored in office.entries():
        if stored.entry.type == "explanation.created":
            groups[stored.entry.retention_class, stored.entry.time.strftime("%Y-%m")].append(stored.entry)
    rows = _section(office, "kept")
    assert [(row["retention_class"], row["month"]) for row in rows] == sorted(groups)
    assert len(groups) == 8
    for row, (named, entries) in zip(rows, sorted(groups.items()), strict=True):
        owing, begun = [], []
        for one in entries:
            if named[0] in ("clinical", "standard"):
                begun.append(one.time)
            elif one.body.get("notice_clock") and one.entry_id not in sent:
                owing.append(one)
            else:
                begun.append(sent.get(one.entry_id, one.time + NINETY_DAYS))
        ends = [format_time(add_months(one, classes[named[0]])) for one in begun]
        assert (row["entries"], row["waiting"]) == (len(entries), len(owing))
        assert row["latest_known_end"] == max(ends, default=None)
        assert row["retained_until"] == (None if owing else max(ends))


def test_a_hold_that_stands_when_the_period_ends_is_listed_whenever_it_was_placed(office: Any) -> None:
    decided = office.decide()
    first = _hold(office, Scope("explanation", explanation_id=decided))
    second = _hold(office, Scope("model", model="loans", version="1"), by="token:dpo")
    office.clock.advance(100)
    began = office.clock.now()
    office.clock.advance(100)
    middle = office.clock.now()
    _release(office, first)
    office.settle()
    last = _hold(office, Scope("everything"))  # not in the tree yet
    rows = _section(office, "held", start=began, end=middle)
    told = ("hold_id", "recorded_at", "actor", "entry_id", "explanation_id", "scope")
    assert [tuple(row[name] for name in told) for row in rows] == [
        (
            str(one.hold_id),
            format_time(one.placed_at),
            one.placed_by,
            str(one.placed_entry_id),
            None if about is None else str(about),
            one.scope.clear(),
        )
        for one, about in ((first, decided), (second, None))
    ]
    entries = office.entries()
    assert [entries[row["index"]].entry.body["hold_id"] for row in rows] == [row["hold_id"] for row in rows]
    assert [row["hold_id"] for row in _section(office, "held")] == [str(second.hold_id)]
    office.settle()
    assert [row["hold_id"] for row in _section(office, "held")] == [
        str(second.hold_id),
        str(last.hold_id),
    ]
    released = [row for row in _section(office, "event") if row["type"] == "hold.released"]
    assert [(row["hold_id"], row["explanation_id"]) for row in released] == [
        (str(first.hold_id), str(decided))
    ]


def test_a_hold_that_may_stand_in_the_way_is_told(office: Any) -> None:
    loan = office.decide()
    office.decide(model="cards", retention_class="clinical")
    office.settle()

    def held() -> list[bool]:
        return [row["may_be_held"] for row in _section(office, "kept")]

    assert held() == [False, False]  # clinical, consumer credit
    for scope, expected in (
        (Scope("explanation", explanation_id=loan), [False, True]),
        (Scope("model", model="cards"), [True, False]),
        (Scope("model", model="cards", version="2"), [False, False]),
        (Scope("subject", subject_key_id=UUID(int=5)), [True, True]),
        (Scope("everything"), [True, True]),
    ):
        hold = _hold(office, scope)
        assert held() == expected, scope
        _release(office, hold)
        assert held() == [False, False]


def test_a_month_that_has_expired_is_not_due_any_more(office: Any, admin: Any) -> None:
    office.decide(retention_class="standard")
    office.settle()
    office.clock.advance(400 * 86_400)
    (row,) = _section(office, "kept")
    assert (row["due"], row["expired_at"]) == (True, None)
    month = {"class": "standard", "month": date(2026, 11, 1), "at": office.clock.now(), "id": UUID(int=3)}
    admin.execute("select records.start_expiry_v1(%(class)s, %(month)s, %(at)s)", month)
    admin.execute("select records.manifest_expiry_v1(%(class)s, %(month)s, %(at)s, 1, 1, %(id)s)", month)
    admin.commit()
    document = json.loads(office.pull("retention"))
    (row,) = document["rows"]
    assert (row["due"], row["expired_at"]) == (False, format_time(month["at"]))
    assert document["header"]["summary"] == {
        "events": {},
        "holds_standing": 0,
        "months": 1,
        "months_due": 0,
        "months_expired": 1,
        "decisions": 1,
        "decisions_waiting": 0,
    }


def test_an_erasure_says_why_in_columns_of_their_own(office: Any) -> None:
    erasure, hold = UUID(int=8), UUID(int=9)
    until = format_time(office.clock.now() + timedelta(days=700))
    office.append("erasure.requested", {"erasure_id": str(erasure), "basis": "article 17"})
    refused = {"erasure_id": str(erasure), "ground": "hold", "retained_until": until, "hold_ids": [str(hold)]}
    office.append("erasure.refused", refused)
    office.append("hold.released", {"hold_id": str(hold), "scope": {"kind": "everything"}}, UUID(int=10))
    office.settle()
    told = ("erasure_id", "hold_id", "basis", "refusal_ground", "retained_until", "explanation_id", "rule")
    assert [tuple(row[name] for name in told) for row in office.rows("retention")] == [
        (str(erasure), None, "article 17", None, None, None, None),
        (str(erasure), None, None, "hold", until, None, None),
        (None, str(hold), None, None, None, None, None),
    ]


def test_events_are_counted_by_kind(office: Any) -> None:
    fill(office)
    summary = json.loads(office.pull("retention"))["header"]["summary"]
    assert summary["events"] == dict.fromkeys(KEEPING, 1)
    with psycopg.connect(office.admin_url) as conn:
        counted = conn.execute("select count(*) from audit.entry where type = 'explanation.created'")
        assert counted.fetchone() == (summary["decisions"],)
