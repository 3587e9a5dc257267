"""Holds over HTTP: placed, in the way, read, listed, released."""

from __future__ import annotations

import json
from typing import Any

import pytest

from records import expiries
from schemas.hold import Hold, HoldList, HoldRefusal
from tests.integration.service.custody.conftest import HALF_A_YEAR, Office


def test_a_hold_stands_in_the_way_until_it_is_released(office: Office) -> None:
    office.decide("H-1", decision_id="H-1")
    office.pass_time(HALF_A_YEAR)
    placed = office.hold(kind="subject", subject_ref="H-1")
    Hold.model_validate(placed)
    assert set(placed["scope"]) == {"kind", "subject_key_id"}
    refused = office.erase(409, subject_ref="H-1")
    assert (refused["ground"], refused["hold_ids"]) == ("hold", [placed["hold_id"]])
    address = f"/v1/holds/{placed['hold_id']}"
    reads = office.running.entries("hold.read")
    assert office.http.get(address).json()["reason"] == "litigation 17"
    assert office.running.entries("hold.read") == reads + 1
    listed = office.http.get("/v1/holds", params={"active": True, "limit": 500}).json()
    HoldList.model_validate(listed)
    assert "litigation" not in str(listed)
    assert placed["hold_id"] in [one["hold_id"] for one in listed["holds"]]

    released = office.http.delete(address)
    assert (released.status_code, released.content) == (204, b"")
    after = office.http.get(address).json()
    assert json.loads(released.headers["ofrecord-receipt"]) == after["released_receipt"]
    assert office.http.delete(address).headers["ofrecord-receipt"] == released.headers["ofrecord-receipt"]
    asked = office.erase(subject_ref="H-1")
    office.turn()
    assert office.look(asked)["state"] == "completed"
    assert office.http.get(address).json()["reason"] is None


@pytest.mark.parametrize(
    ("scope", "status"),
    [
        ({"kind": "subject", "subject_ref": "nobody"}, 404),
        ({"kind": "explanation", "explanation_id": "01aa0000-0000-7000-8000-000000000000"}, 404),
        ({"kind": "model", "model": "none"}, 404),
        ({"kind": "model", "model": "plain", "version": "9"}, 404),
        ({"kind": "explanation"}, 422),
        ({"kind": "model"}, 422),
        ({"kind": "subject"}, 422),
        ({"kind": "everything", "model": "plain"}, 422),
        ({"kind": "world"}, 422),
    ],
)
def test_a_hold_on_nothing_is_no_hold(office: Office, scope: dict[str, Any], status: int) -> None:
    before = office.running.entries("hold.placed")
    office.hold(status, **scope)
    assert office.running.entries("hold.placed") == before


def test_holds_of_every_kind_are_listed_page_by_page(office: Office) -> None:
    decided = office.decide("P-1")
    scopes: list[dict[str, Any]] = [
        {"kind": "everything"},
        {"kind": "explanation", "explanation_id": decided["explanation_id"]},
        {"kind": "model", "model": "plain", "version": "1"},
        {"kind": "model", "model": "plain"},
    ]
    placed = []
    for scope in scopes:
        office.clock.advance(1)
        placed.append(office.hold(**scope)["hold_id"])
    found: list[str] = []
    cursor = None
    while True:
        params = {"limit": 2, "active": "true"} | ({} if cursor is None else {"cursor": cursor})
        page = office.http.get("/v1/holds", params=params).json()
        found += [one["hold_id"] for one in page["holds"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert found == placed
    malformed = office.http.get("/v1/holds", params={"cursor": "x"})
    assert malformed.json()["errors"][0]["pointer"] == "/cursor"
    for hold_id in placed:
        assert office.http.delete(f"/v1/holds/{hold_id}").status_code == 204


def test_a_hold_that_comes_after_the_keys_of_a_month_says_what_it_cannot_save(
    office: Office, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The custodian dies between the destruction of a month's keys and its declaration."""

    def dies(*_: object) -> None:
        raise RuntimeError("the custodian is gone")

    office.pass_time(40 * 86_400)  # a month of its own
    first = office.decide("G-1", decision_id="G-1")
    gone = {"retention_class": "standard", "month": f"{office.clock.now():%Y-%m}"}
    office.pass_time(HALF_A_YEAR + 40 * 86_400)
    second = office.decide("G-1", decision_id="G-2")
    with monkeypatch.context() as dying:
        dying.setattr(expiries, "declare", dies)
        office.turn()
    assert office.http.get(f"/v1/explanations/{first['explanation_id']}").status_code == 410
    for scope in ({"kind": "model", "model": "plain"}, {"kind": "everything"}):
        refused = office.hold(409, **scope)
        HoldRefusal.model_validate(refused)
        assert (refused["type"], refused["ground"]) == ("/problems/hold-too-late", "expiry")
        assert gone in refused["past_saving"]
        assert gone["month"] in refused["detail"]
    about_first = {"kind": "explanation", "explanation_id": first["explanation_id"]}
    assert office.hold(410, **about_first)["type"] == "/problems/erased"

    placed = [office.hold(kind="subject", subject_ref="G-1")]
    office.pass_time(3601)
    office.turn()
    placed.append(office.hold(kind="model", model="plain"))
    placed.append(office.hold(kind="everything"))
    listed = office.http.get("/v1/holds", params={"active": True, "limit": 500}).json()["holds"]
    HoldList.model_validate({"holds": listed, "next_cursor": None})
    for told in placed:
        assert gone in told["past_saving"]
        found = office.http.get(f"/v1/holds/{told['hold_id']}").json()
        assert found["past_saving"] == told["past_saving"]
        assert told["past_saving"] in [
            one["past_saving"] for one in listed if one["hold_id"] == told["hold_id"]
        ]
    kept = office.hold(kind="explanation", explanation_id=second["explanation_id"])
    assert kept["past_saving"] == []
    for told in (*placed, kept):
        assert office.http.delete(f"/v1/holds/{told['hold_id']}").status_code == 204
