"""Chains of reviews over HTTP: each pointer is followed, nothing superseded twice, no reasons missing."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from schemas.answer import Explanation
from tests.integration.service.combined_systems import JUDGED, Combining, combined_loans
from tests.integration.service.erasures import erase_subject

NOBODY = "01950000-0000-7000-8000-000000000001"
MISSING = "/problems/override-without-reasons"


@pytest.fixture(scope="module")
def combining(running: Any, upload: Any) -> Combining:
    return combined_loans(running, upload)


def _post(running: Any, explanation_id: str, **document: object) -> Any:
    return running.http.post(f"/v1/explanations/{explanation_id}/review", json=document)


def _reviewed(running: Any, explanation_id: str, **document: object) -> dict[str, Any]:
    made = _post(running, explanation_id, **document)
    assert made.status_code == 201, made.text
    found: dict[str, Any] = made.json()
    return found


def _refused(running: Any, explanation_id: str, problem: str, **document: object) -> dict[str, str]:
    """The pointers of what is wrong, with what is said there; nothing is put on record."""
    before = running.entries("explanation.reviewed")
    answer = _post(running, explanation_id, **document)
    assert (answer.status_code, answer.json()["type"]) == (422, problem), answer.text
    assert running.entries("explanation.reviewed") == before
    return {error["pointer"]: error["detail"] for error in answer.json()["errors"]}


def _invalid(running: Any, explanation_id: str, **document: object) -> dict[str, str]:
    return _refused(running, explanation_id, "/problems/invalid-input", **document)


def _read(running: Any, explanation_id: str) -> dict[str, Any]:
    response = running.http.get(f"/v1/explanations/{explanation_id}")
    assert response.status_code == 200, response.text
    found: dict[str, Any] = response.json()
    Explanation.model_validate(found)
    return found


def _explained(running: Any, **changes: object) -> str:
    made = running.explain(running.request(counterfactuals={"count": 0}, **changes))
    assert made.status_code == 201, made.text
    return str(made.json()["explanation_id"])


def _approved(combining: Combining, **changes: object) -> str:
    answer = combining.explain(combining.approved, **changes)
    assert answer["decision"]["favourable"] is True
    return str(answer["explanation_id"])


def _denied(combining: Combining, **changes: object) -> str:
    """The same applicant, denied by a person's judgment, with that person's reasons."""
    answer = combining.explain(combining.approved, JUDGED, **changes)
    assert (answer["combined"]["favourable"], answer["reasons"][0]["code"]) == (False, "J01")
    return str(answer["explanation_id"])


def test_a_chain_is_told_in_its_order_with_what_is_in_force_after_each_step(running: Any) -> None:
    explanation_id = _explained(running)
    steps: list[dict[str, Any]] = []

    def step(in_force: str | None, **document: object) -> str:
        steps.append(_reviewed(running, explanation_id, **document))
        back = _read(running, explanation_id)
        assert back["reviews"] == steps
        assert (back["standing"] or {}).get("outcome") == in_force
        return str(steps[-1]["entry_id"])

    looked = step("decline", kind="reviewed", outcome="decline")
    first = step("approve", kind="overridden", outcome="approve", supersedes=looked)
    second = step("approve", kind="overridden", outcome="approve", supersedes=first, note="Two payslips.")
    step(None, kind="corrected", supersedes=second, note="It was another file.")
    third = step("approve", kind="overridden", outcome="approve", note="Their own file now.")
    assert _read(running, explanation_id)["standing"]["entry_id"] == third
    for gone in (looked, first, second):
        refused = _invalid(running, explanation_id, kind="corrected", supersedes=gone, note="again")
        assert refused == {"/supersedes": "is superseded already"}
    running.integrate()
    for one in steps:
        assert running.http.get(f"/v1/explanations/{one['entry_id']}/proof").status_code == 200


def test_what_holds_no_longer_is_no_repetition_said_again_it_holds_again(running: Any) -> None:
    explanation_id = _explained(running)
    asked = {"kind": "overridden", "outcome": "approve"}
    first = _reviewed(running, explanation_id, **asked)
    back = {"kind": "corrected", "outcome": "decline", "supersedes": first["entry_id"]}
    taken_back = _reviewed(running, explanation_id, **back)
    assert _reviewed(running, explanation_id, **back) == taken_back
    second = _reviewed(running, explanation_id, **asked)
    assert second["entry_id"] != first["entry_id"]
    assert _reviewed(running, explanation_id, **asked) == second
    assert _read(running, explanation_id)["standing"]["entry_id"] == second["entry_id"]
    notice = running.http.get(f"/v1/explanations/{explanation_id}/notice", headers={"accept": "text/html"})
    assert (notice.status_code, notice.json()["type"]) == (409, "/problems/notice-overridden")
    looked = _reviewed(running, explanation_id, kind="reviewed", note="Seen.")
    assert _reviewed(running, explanation_id, kind="reviewed", note="Seen.") == looked
    assert len(_read(running, explanation_id)["reviews"]) == 4


def test_two_at_once_do_not_supersede_the_same_review(running: Any) -> None:
    explanation_id = _explained(running)
    first = _reviewed(running, explanation_id, kind="overridden", outcome="approve")["entry_id"]
    asked = {"kind": "corrected", "supersedes": first}
    with ThreadPoolExecutor(8) as at_once:
        answers = list(
            at_once.map(lambda n: _post(running, explanation_id, **asked, note=f"clerk {n}"), range(8))
        )
    assert sorted(one.status_code for one in answers) == [201] + [422] * 7
    said = {error["detail"] for one in answers if one.status_code == 422 for error in one.json()["errors"]}
    assert said == {"is superseded already"}
    assert len(_read(running, explanation_id)["reviews"]) == 2


def test_of_two_overrides_at_once_the_second_meets_what_holds_by_then(running: Any) -> None:
    explanation_id = _explained(running)
    asked = {"kind": "overridden", "outcome": "approve"}
    with ThreadPoolExecutor(8) as at_once:
        answers = list(
            at_once.map(lambda n: _post(running, explanation_id, **asked, note=f"clerk {n}"), range(8))
        )
    assert sorted(one.status_code for one in answers) == [201] + [422] * 7
    assert len(_read(running, explanation_id)["reviews"]) == 1


def test_all_who_only_looked_at_once_are_on_record_and_the_same_only_once(running: Any) -> None:
    explanation_id = _explained(running)
    notes = [f"clerk {n % 4}" for n in range(8)]
    with ThreadPoolExecutor(8) as at_once:
        answers = list(
            at_once.map(lambda note: _post(running, explanation_id, kind="reviewed", note=note), notes)
        )
    assert [one.status_code for one in answers] == [201] * 8
    assert sorted(one["note"] for one in _read(running, explanation_id)["reviews"]) == sorted(set(notes))
    for n in range(4):
        assert answers[n].json() == answers[n + 4].json()


def test_a_pointer_leads_to_the_same_person_and_to_no_second_place(running: Any) -> None:
    old = _explained(running, subject_ref="S-chain")
    stranger = _explained(running)
    new, newer = (_explained(running, subject_ref="S-chain") for _ in range(2))
    other = "must be about the same person"
    for where, sent in ((old, {"superseded_by": stranger, "note": "x"}), (stranger, {"supersedes": old})):
        refused = _invalid(running, where, **{"kind": "corrected", "note": "x", **sent})
        assert list(refused.values()) == [other]
    _reviewed(running, old, kind="corrected", superseded_by=new, note="Wrong income.")
    assert "/superseded_by" in _invalid(running, old, kind="corrected", superseded_by=newer)
    assert "/supersedes" in _invalid(running, newer, kind="corrected", supersedes=old, note="x")
    _reviewed(running, new, kind="corrected", supersedes=old, note="x")
    _reviewed(running, new, kind="corrected", superseded_by=newer)


def test_nobody_is_denied_by_an_override_without_reasons(running: Any, combining: Combining) -> None:
    explanation_id = _approved(combining, subject_ref="S-denied")
    asked = {"kind": "overridden", "outcome": "decline"}
    for kind in ("overridden", "corrected", "reviewed"):
        refused = _refused(running, explanation_id, MISSING, **{**asked, "kind": kind})
        assert list(refused) == ["/superseded_by"]
    approved_again = _approved(combining, subject_ref="S-denied")
    for named in (NOBODY, explanation_id, approved_again):
        assert list(_invalid(running, explanation_id, **asked, superseded_by=named)) == ["/superseded_by"]
    stranger = _denied(combining)
    assert list(_invalid(running, explanation_id, **asked, superseded_by=stranger)) == ["/superseded_by"]
    nobody = _denied(combining, subject_ref=None)
    assert (
        "subject_ref"
        in _refused(running, explanation_id, MISSING, **asked, superseded_by=nobody)["/superseded_by"]
    )
    denied = _denied(combining, subject_ref="S-denied")
    made = _reviewed(running, explanation_id, **asked, superseded_by=denied)
    standing = _read(running, explanation_id)["standing"]
    assert (standing["outcome"], standing["superseded_by"]) == ("decline", denied)
    assert standing["entry_id"] == made["entry_id"]
    entry = running.services.log.read(running.uuid(denied)).entry
    assert entry.body["notice_clock"] is not None
    assert entry.body["reason_codes"] == ["J01", "J02"]


def test_a_later_decision_that_was_itself_overridden_carries_no_reasons_any_more(
    running: Any, combining: Combining
) -> None:
    explanation_id = _approved(combining, subject_ref="S-twice")
    denied = _denied(combining, subject_ref="S-twice")
    _reviewed(running, denied, kind="overridden", outcome="approve")
    refused = _invalid(running, explanation_id, kind="overridden", outcome="decline", superseded_by=denied)
    assert refused == {"/superseded_by": "must have come to the outcome that is told"}


def test_the_decision_that_carries_the_reasons_is_not_overturned_under_the_one_that_relies_on_it(
    running: Any, combining: Combining
) -> None:
    earlier = _approved(combining, subject_ref="S-relied")
    denied = _denied(combining, subject_ref="S-relied")
    approved = _approved(combining, subject_ref="S-relied")
    asked = {"kind": "overridden", "outcome": "decline", "superseded_by": denied}
    pointing = _reviewed(running, earlier, **asked)["entry_id"]
    for pointer, changed in (
        ("/outcome", {"kind": "overridden", "outcome": "approve"}),
        ("/outcome", {"kind": "reviewed", "outcome": "approve"}),
        ("/superseded_by", {"kind": "corrected", "superseded_by": approved}),
    ):
        refused = _invalid(running, denied, **changed)
        assert (list(refused), pointing in refused[pointer]) == ([pointer], True)
    _reviewed(running, denied, kind="reviewed", outcome="decline", note="Seen.")
    # Nor is the earlier one approved beside it, as long as it says that it was denied there.
    refused = _invalid(running, earlier, kind="overridden", outcome="approve")
    assert pointing in refused["/outcome"]
    _reviewed(running, earlier, kind="corrected", supersedes=pointing, note="It was another file.")
    _reviewed(running, denied, kind="overridden", outcome="approve")
    assert list(_invalid(running, earlier, **asked, note="again")) == ["/superseded_by"]


def test_an_outcome_that_rests_on_a_later_review_is_kept_where_another_decision_relies_on_it(
    running: Any, combining: Combining
) -> None:
    earlier = _denied(combining, subject_ref="S-rests")
    later = _approved(combining, subject_ref="S-rests")
    denied, approved = (made(combining, subject_ref="S-rests") for made in (_denied, _approved))
    _reviewed(running, later, kind="overridden", outcome="decline", superseded_by=denied)
    assert list(_invalid(running, earlier, kind="corrected", superseded_by=later)) == ["/superseded_by"]
    _reviewed(running, earlier, kind="corrected", superseded_by=approved)
    assert list(_invalid(running, approved, kind="overridden", outcome="decline")) == ["/outcome"]


def test_an_override_that_is_taken_back_needs_no_new_reasons(running: Any) -> None:
    """The decision's own hold again."""
    explanation_id = _explained(running)
    wrong = _reviewed(running, explanation_id, kind="overridden", outcome="approve")
    back = {"outcome": "decline", "supersedes": wrong["entry_id"]}
    assert list(_invalid(running, explanation_id, kind="overridden", **back)) == ["/outcome"]
    assert list(_refused(running, explanation_id, MISSING, kind="corrected", outcome="decline")) == [
        "/superseded_by"
    ]
    _reviewed(running, explanation_id, kind="corrected", **back)
    assert _read(running, explanation_id)["standing"]["outcome"] == "decline"


def test_outside_of_lending_a_person_may_decide_against_the_model(running: Any, upload: Any) -> None:
    made = running.register(
        upload.with_manifest(model="ward", profile="general", retention={"kind": "general"})
    )
    assert made.status_code == 201, made.text
    assert running.approve("ward").status_code == 200
    calm = {**running.features, "income": 200.0, "debt_ratio": 5.0}
    made = running.explain(running.request(counterfactuals={"count": 0}, features=calm), "ward").json()
    assert made["decision"]["outcome"] == "approve"
    turns = ("decline", "approve", "decline", "approve")  # each is the same again as the one before the last
    for number, outcome in enumerate(turns, 1):
        _reviewed(running, made["explanation_id"], kind="overridden", outcome=outcome)
        back = _read(running, made["explanation_id"])
        assert (back["standing"]["outcome"], len(back["reviews"])) == (outcome, number)


def test_after_an_erasure_nobody_can_tell_whose_reasons_they_are(running: Any, combining: Combining) -> None:
    explanation_id = _approved(combining, subject_ref="S-erased")
    erase_subject(running, explanation_id)
    denied = _denied(combining, subject_ref="S-erased")
    asked = {"kind": "overridden", "outcome": "decline", "superseded_by": denied}
    assert "readable" in _refused(running, explanation_id, MISSING, **asked)["/superseded_by"]
