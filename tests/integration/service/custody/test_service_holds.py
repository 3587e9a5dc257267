"""Holds over HTTP: placed, in the way, read, listed, released."""

from __future__ import annotations

import json
from typing import Any

import pytest

from schemas.hold import Hold, HoldList
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
