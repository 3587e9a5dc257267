"""The table of decisions is what the log says, recomputed here entry by entry in plain Python."""

from __future__ import annotations

import hashlib
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from audit.entry import Draft
from records.decisions import (
    DecisionRow,
    DecisionSetting,
    Reached,
    Span,
    decisions,
    project_decisions,
    read_reached,
    settings_of,
)

EVER = Span(
    start=datetime(1, 1, 1, tzinfo=UTC), end=datetime(9999, 1, 1, tzinfo=UTC), model=None, before=2**53
)
FOLLOWED = (*("notice_sent_at", "last_review_kind", "standing_outcome", "review_entry_id", "superseded_by"),)
VARIED = {
    "outcome": ("decline", 'appro"ve', None),
    "favourable": (False, True, None),
    "reason_codes": (["R05", "R07"], [], None, ["=1", "R'x"]),
    "counterfactual_status": ("found", "not_needed"),
    "counterfactual_evaluation_id": ("01a00000-0000-7000-8000-000000000001", None),
    "catalogue": ({"name": "c", "version": "2", "digest": "sha256:" + "0" * 64}, None),
    "model": ("loans", "cards", "größe"),
}


def _vary(office: Any, number: int) -> None:
    told = {name: values[number % len(values)] for name, values in VARIED.items()}
    left_out = [name for name, value in told.items() if value is None and number % 2]
    office.decide(**{name: value for name, value in told.items() if name not in left_out})
    if number % 3 == 0:
        office.log.append_one(Draft("token.issued", "token:t", {}), office.now)


def _project(office: Any, limit: int = 500) -> int:
    steps = 0
    while True:
        with office.worker.connection() as conn:
            read = project_decisions(conn, limit)
        if not read:
            return steps
        steps += 1


def _table(office: Any, span: Span = EVER) -> list[dict[str, Any]]:
    """Every decision with what its setting says, flat."""
    with office.service.connection() as conn:
        shared = {one.setting_id: asdict(one) for one in settings_of(conn, None)}
        return [{**shared[row.setting_id], **asdict(row)} for row in decisions(conn, span)]


def _from_the_log(office: Any) -> list[dict[str, Any]]:
    """The same from the entries, one by one."""
    with psycopg.connect(office.admin_url) as conn:
        size = conn.execute("select count(*) from audit.leaf").fetchone()
    assert size is not None
    rows = []
    for index in range(size[0]):
        entry = office.log.entry_at(index).entry
        if entry.type != "explanation.created":
            continue
        body, catalogue = entry.body, entry.body.get("catalogue") or {}
        evaluation, due = body.get("counterfactual_evaluation_id"), body.get("notice_due_at")
        plain = DecisionSetting.__dataclass_fields__.keys() - {"setting_id", "retention_class", "actor"}
        rows.append(
            {name: body.get(name) for name in plain if not name.startswith("catalogue")}
            | {f"catalogue_{name}": catalogue.get(name) for name in ("name", "version", "digest")}
            | {
                "retention_class": entry.retention_class,
                "actor": entry.actor,
                "index": index,
                "explanation_id": entry.entry_id,
                "recorded_at": entry.time,
                "reason_codes": body.get("reason_codes") or [],
                "notice_due_at": due and datetime.fromisoformat(due),
                "counterfactual_evaluation_id": evaluation and UUID(evaluation),
                "key_id": entry.private and entry.private.key_id,
                **dict.fromkeys(FOLLOWED),
            }
        )
    return rows


def _without_setting(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{name: value for name, value in row.items() if name != "setting_id"} for row in rows]


def test_every_explanation_has_one_row_that_says_what_its_entry_says(office: Any) -> None:
    for number in range(30):
        _vary(office, number)
    office.integrate()
    _project(office)
    table = _table(office)
    assert len(table) == 30
    assert _without_setting(table) == _from_the_log(office)


@settings(deadline=None, max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.integers(1, 7), max_size=6))
def test_projected_again_it_is_what_it_grew_to(office: Any, limits: list[int]) -> None:
    """However the log grew and was cut while it did."""
    for number, limit in enumerate([*limits, 3]):
        _vary(office, number)
        office.integrate()
        with office.worker.connection() as conn:
            project_decisions(conn, limit)
    _project(office, 2)
    grown = _table(office)
    with psycopg.connect(office.admin_url) as owner:
        owner.execute("set role ofrecord_owner")
        owner.execute("select records.forget_decisions_v1()")
    assert _table(office) == []
    assert _project(office, 1000) == 1
    assert _table(office) == grown


def test_the_same_setting_is_stored_once(office: Any) -> None:
    for _ in range(5):
        office.decide()
    office.decide(model="cards")
    office.integrate()
    _project(office, 2)
    assert len({row["setting_id"] for row in _table(office)}) == 2


def test_a_setting_has_its_id_from_all_of_it(office: Any) -> None:
    """None and an empty text are two, and nothing moves from one member into the next."""
    for told in ({"outcome": None}, {"outcome": ""}, {"outcome": "a,b"}, {"outcome": "a", "action": "b"}):
        office.decide(**told)
    office.integrate()
    _project(office)
    ids = {row["setting_id"] for row in _table(office)}
    assert len(ids) == 4
    assert hashlib.sha256(b"").hexdigest()[:32] not in {one.hex for one in ids}


def test_only_what_is_in_the_span_and_before_the_place_is_listed(office: Any) -> None:
    began = office.now
    for number in range(6):
        office.decide(model=("loans", "cards")[number % 2])
    office.integrate()
    _project(office)
    span = Span(
        start=began + timedelta(seconds=2), end=began + timedelta(seconds=5), model=None, before=2**53
    )
    assert [row["index"] for row in _table(office, span)] == [1, 2, 3]
    only = Span(start=span.start, end=span.end, model="cards", before=3)
    assert [row["index"] for row in _table(office, only)] == [1]


def test_the_place_reached_is_told(office: Any) -> None:
    office.decide()
    office.decide()
    office.integrate()
    with office.worker.connection() as conn:
        assert project_decisions(conn, 1) == 1
    with office.service.connection() as conn:
        assert read_reached(conn) == Reached(1, office.now - timedelta(seconds=1), 2)


def test_a_reader_stands_back_while_another_reads(office: Any) -> None:
    office.decide()
    office.integrate()
    with office.worker.connection() as first:
        assert project_decisions(first, 5) == 1
        with office.worker.connection() as second:
            assert project_decisions(second, 5) is None
    assert _project(office) == 0


def test_only_the_worker_writes_and_only_through_the_function(office: Any, database: Any) -> None:
    refused = {
        "service": ["select records.project_decisions_v1(1)", "delete from records.decision"],
        "worker": ["delete from records.decision_setting", "select records.forget_decisions_v1()"],
        "auditor": ["select records.project_decisions_v1(1)"],
        "integrator": ["select * from records.decision"],
    }
    for role, statements in refused.items():
        for statement in statements:
            with (
                psycopg.connect(database.url(role)) as conn,
                pytest.raises(psycopg.errors.InsufficientPrivilege),
            ):
                conn.execute(statement)


def test_nothing_personal_is_in_the_tables() -> None:
    """These columns and no others: ids, digests, times, and words from closed lists."""
    assert DecisionRow.__dataclass_fields__.keys() == {
        *("index", "explanation_id", "recorded_at", "setting_id", "reason_codes", "notice_due_at"),
        *("counterfactual_evaluation_id", "key_id"),
        *FOLLOWED,
    }
    assert not DecisionSetting.__dataclass_fields__.keys() & {"decision_id", "subject_ref", "features"}


ODD: dict[str, tuple[Any, ...]] = {
    "reason_codes": ({"a": 1}, "R05", 5, [1], [None], [["R05"]]),
    "favourable": ("maybe", 1, {}),
    "notice_blocked": ("maybe", [], 0),
    "notice_due_at": (
        "today",
        "infinity",
        "2026-13-01T00:00:00.000000Z",
        5,
        {},
        "12026-01-01T00:00:00.000000Z",
    ),
    "counterfactual_evaluation_id": ("x", 1, []),
    "catalogue": ("x", 1, ["name"]),
}


@pytest.mark.parametrize("name", ODD)
def test_what_somebody_wrote_into_a_body_does_not_stop_the_projection(office: Any, name: str) -> None:
    for value in ODD[name]:
        office.decide(**{name: value})
    office.decide(model=["loans"], outcome={"a": 1}, version=None)
    good = office.decide(outcome="decline", reason_codes=["R05"])
    office.integrate()
    _project(office)
    table = _table(office)
    assert len(table) == len(ODD[name]) + 2
    assert [row[name] for row in table[:-2] if row.get(name)] == []
    assert (table[-1]["explanation_id"], table[-1]["reason_codes"]) == (good, ["R05"])
    with psycopg.connect(office.admin_url) as conn:
        odd = conn.execute("select odd_entries from records.projection where name = 'decisions'").fetchone()
    assert odd == (len(ODD[name]),)
