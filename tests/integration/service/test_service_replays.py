"""Replays over HTTP: whatever kind of decision is on record, it comes out again to the last bit."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest
import yaml

from audit.receipt import Receipt
from records.subjects import subject_named
from service.errors import TooBusy
from service.executor import BoundedExecutor
from tests.integration.service.combined_systems import (
    INCOMPLETE,
    JUDGED,
    KNOCKED_OUT,
    combined_loans,
    component,
    model,
)
from tests.integration.service.erasures import erase_subject
from tests.integration.service.replays import explained, identical, replayed

NOBODY = "01950000-0000-7000-8000-000000000001"
APPROVED = {"income": 150.0, "debt_ratio": None, "loan_amount": 30}


def test_a_replay_is_on_record_before_it_is_answered(running: Any) -> None:
    made = explained(running)
    before = running.entries()
    found = identical(running, made)
    assert running.entries() == before + 1
    receipt = Receipt.from_json(found["receipt"])
    stored = running.services.log.read(receipt.entry_id)
    entry = stored.entry
    assert (entry.type, str(entry.about), entry.actor) == (
        "explanation.replayed",
        made["explanation_id"],
        "tester",
    )
    assert entry.private is None
    assert entry.body["verdict"] == "identical"
    assert entry.body["compared"] == found["compared"]
    assert (entry.body["first_difference"], entry.body["run_id"]) == (None, None)
    assert float(entry.body["tolerance"]) == made["attribution"]["reconciliation"]["tolerance"]
    assert (
        entry.retention_class == running.services.log.read(UUID(made["explanation_id"])).entry.retention_class
    )
    assert (found["model"], found["version"], found["method"]) == ("loans", "1", "interventional_treeshap")
    assert found["code_version_recorded"] == found["code_version_now"]
    assert found["compared"] == [
        *("version", "features", "decision", "attribution", "combined", "reasons", "crowded_out"),
        *("key_factors", "warnings", "notice", "counterfactuals", "body"),
    ]


@pytest.mark.parametrize(
    "changes",
    [
        {"features": APPROVED},
        {"counterfactuals": {"count": 0}},
        {"counterfactuals": {"count": 10, "required": True}},
        {"counterfactuals": {"count": 2, "features_to_vary": ["loan_amount", "income"], "max_changes": 1}},
        {"counterfactuals": {"permitted_range": {"income": [20, 60], "loan_amount": [50, 250]}}},
        {"counterfactuals": {"target": {"score": 0.2, "direction": "below"}}},
        {"counterfactuals": {"features_to_vary": ["income"], "permitted_range": {"income": [21, 21.5]}}},
        {"budget_ms": 20},
        {"subject_ref": None, "purpose": "adverse_action"},
        {"decided": {"outcome": "decline", "at": "2026-11-20T10:15:00Z"}},
        {
            "application": {"completed_at": "2026-11-12T08:00:00Z", "action": "denial"},
            "decided": {"at": "2026-11-20T10:15:00Z"},
        },
        {"application": {"action": "counteroffer", "counteroffer": "half of it"}},
    ],
    ids=lambda changes: ",".join(changes) + "-" + ",".join(changes.get("counterfactuals", {})),
)
def test_every_kind_of_request_is_identical(running: Any, changes: dict[str, Any]) -> None:
    features = running.features | changes.pop("features", {})
    identical(running, explained(running, features=features, **changes))


def test_protected_attributes_are_known_only_by_their_warning(running: Any, upload: Any) -> None:
    made = running.register(upload.with_manifest(model="guarded", protected=["sex"]))
    assert made.status_code == 201, made.text
    assert running.approve("guarded").status_code == 200
    answer = explained(running, "guarded", protected={"sex": "female"})
    assert "protected_not_stored" in {warning["code"] for warning in answer["warnings"]}
    identical(running, answer)


def test_every_row_of_a_batch_is_identical(running: Any) -> None:
    rows = [
        running.request(
            features={**running.features, "income": 15.0 + at, "debt_ratio": None if at % 3 else 50.0}
        )
        for at in range(12)
    ]
    sent = running.http.post("/v1/models/loans/explanations/batch", json={"decisions": rows})
    for row in sent.json()["answers"]:
        identical(running, row["explanation"])


def test_combined_decisions_are_identical(running: Any, upload: Any) -> None:
    combining = combined_loans(running, upload)
    many = [component(f"rule {at}", "knockout", "failed", "K01", "K02") for at in range(6)]
    cases: list[tuple[Any, list[Any], dict[str, Any]]] = [
        (combining.declined, [model("failed"), KNOCKED_OUT], {}),
        (combining.gray_adverse, [model("gray"), JUDGED], {}),
        (combining.gray_adverse, [component("eligibility", "knockout", "failed", "K01", "K02"), JUDGED], {}),
        (combining.declined, [*many, JUDGED], {}),
        (combining.declined, [KNOCKED_OUT, model("not_used")], {}),
        (combining.approved, [JUDGED], {}),
        (combining.approved, [component("eligibility", "knockout", "passed")], {}),
        (
            combining.declined,
            [INCOMPLETE, model("not_used")],
            {"application": {"action": "incompleteness"}, "decided": {"at": "2025-11-20T10:15:00Z"}},
        ),
    ]
    for applicant, components, changes in cases:
        identical(running, combining.explain(applicant, *components, **changes))


def test_a_blocked_notice_and_key_factors_are_identical(running: Any, upload: Any) -> None:
    features = yaml.safe_load(upload.manifest)["features"]
    careful = [feature | {"sensitive": feature["name"] == "debt_ratio"} for feature in features]
    notice = {
        "creditor": "Example Bank",
        "address": "1 Main Street, Springfield",
        "agency": "Bureau of Consumer Financial Protection, 1700 G Street NW, Washington, DC 20552",
    }
    given = upload.with_manifest(model="held-up", features=careful, notice=notice, counterfactuals={})
    assert running.register(given).status_code == 201
    assert running.approve("held-up").status_code == 200
    answer = explained(running, "held-up", application={"action": "denial"})
    assert answer["notice"]["blocked"]
    identical(running, answer)


def test_a_retired_version_replays(running: Any, upload: Any) -> None:
    for version in ("1", "2"):
        given = upload.with_manifest(model="followed", version=version)
        assert running.register(given).status_code == 201
    assert running.approve("followed", "1").status_code == 200
    answer = explained(running, "followed")
    assert running.approve("followed", "2").status_code == 200
    running.services.versions.forget_approved("followed")
    assert identical(running, answer)["version"] == "1"
    assert explained(running, "followed")["version"] == "2"


def test_what_was_erased_is_gone_for_a_replay_too(running: Any) -> None:
    answer = explained(running)
    erase_subject(running, answer["explanation_id"])
    before = running.entries("explanation.replayed")
    gone = running.http.post(f"/v1/explanations/{answer['explanation_id']}/replay")
    assert (gone.status_code, gone.json()["type"]) == (410, "/problems/erased")
    assert running.entries("explanation.replayed") == before


def test_only_an_explanation_replays_and_only_for_whoever_may_read_it(running: Any) -> None:
    answer = explained(running, counterfactuals={"count": 0})
    replay = replayed(running, answer["explanation_id"])
    for nothing in (NOBODY, replay["receipt"]["entry_id"], "x"):
        assert running.http.post(f"/v1/explanations/{nothing}/replay").status_code == 404
    where = f"/v1/explanations/{answer['explanation_id']}/replay"
    for scope, status in (("explain", 403), ("audit", 403), ("read", 200)):
        headers = {"authorization": f"Bearer {running.token(scope)[0]}"}
        assert running.http.post(where, headers=headers).status_code == status


def test_more_replays_than_may_wait_are_refused_at_once(running: Any) -> None:
    answer = explained(running, counterfactuals={"count": 0})
    services = running.services
    full = BoundedExecutor("full", threads=1, limit=0, refusal="full", retry_after_seconds=5)
    running.app.state.services = replace(services, replays=full)
    try:
        refused = running.http.post(f"/v1/explanations/{answer['explanation_id']}/replay")
    finally:
        running.app.state.services = services
        full.close()
    assert (refused.status_code, refused.headers["retry-after"]) == (503, "5")
    assert TooBusy.__name__ not in refused.text
    assert subject_named("loans", answer["decision_id"], None) not in refused.text
