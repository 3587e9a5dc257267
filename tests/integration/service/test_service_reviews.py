"""Reviews over HTTP: appended, pointing back, told with the explanation, and never in its place."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from audit.proof import Evidence
from audit.receipt import Receipt
from schemas.answer import Explanation
from schemas.review import Review
from tests.integration.service.erasures import erase_subject

NOBODY = "01950000-0000-7000-8000-000000000001"


def _explained(running: Any, **changes: object) -> str:
    response = running.explain(running.request(counterfactuals={"count": 0}, **changes))
    assert response.status_code == 201, response.text
    return str(response.json()["explanation_id"])


def _post(running: Any, explanation_id: str, **document: object) -> Any:
    return running.http.post(f"/v1/explanations/{explanation_id}/review", json=document)


def _reviewed(running: Any, explanation_id: str, **document: object) -> dict[str, Any]:
    response = _post(running, explanation_id, **document)
    assert response.status_code == 201, response.text
    found: dict[str, Any] = response.json()
    Review.model_validate(found)
    return found


def _read(running: Any, explanation_id: str) -> dict[str, Any]:
    response = running.http.get(f"/v1/explanations/{explanation_id}")
    assert response.status_code == 200, response.text
    found: dict[str, Any] = response.json()
    Explanation.model_validate(found)
    return found


def _standing(review: dict[str, Any]) -> dict[str, Any]:
    """What holds by this review."""
    return {name: review[name] for name in ("outcome", "entry_id", "kind", "at", "superseded_by")}


def _refused(running: Any, explanation_id: str, **document: object) -> dict[str, str]:
    """The pointers of what is wrong, with what is said there."""
    before = running.entries("explanation.reviewed")
    response = _post(running, explanation_id, **document)
    assert (response.status_code, response.json()["type"]) == (422, "/problems/invalid-input")
    assert running.entries("explanation.reviewed") == before
    return {error["pointer"]: error["detail"] for error in response.json()["errors"]}


def test_a_request_its_review_and_an_override_are_told_oldest_first(running: Any) -> None:
    explanation_id = _explained(running)
    before = _read(running, explanation_id)
    assert "reviews" not in before
    asked = _reviewed(running, explanation_id, kind="requested", note="The applicant asks for a person.")
    looked = _reviewed(running, explanation_id, kind="reviewed", outcome="decline", reviewer="Jane Doe")
    other = _reviewed(
        running, explanation_id, kind="overridden", outcome="approve", supersedes=looked["entry_id"]
    )
    back = _read(running, explanation_id)
    assert back.pop("reviews") == [asked, looked, other]
    assert (before.pop("standing"), back.pop("standing")) == (None, _standing(other))
    assert back | {"receipt": None} == before | {"receipt": None}
    assert [(one["kind"], one["outcome"], one["reviewer"]) for one in (asked, looked, other)] == [
        ("requested", None, None),
        ("reviewed", "decline", "Jane Doe"),
        ("overridden", "approve", None),
    ]
    assert asked["note"] == "The applicant asks for a person."
    assert (other["supersedes"], other["by"]) == (looked["entry_id"], "tester")


def test_what_a_reviewer_says_is_encrypted_under_the_persons_key(running: Any) -> None:
    explanation_id = _explained(running)
    made = _reviewed(running, explanation_id, kind="reviewed", note="Wage slips seen.", reviewer="J. Doe")
    log = running.services.log
    stored = log.read(running.uuid(made["entry_id"]))
    assert b"Wage" not in stored.canonical
    assert b"Doe" not in stored.canonical
    assert orjson.loads(log.open(stored)) == {"note": "Wage slips seen.", "reviewer": "J. Doe"}
    entry = stored.entry
    explanation = log.read(running.uuid(explanation_id)).entry
    assert (str(entry.about), entry.type) == (explanation_id, "explanation.reviewed")
    assert entry.retention_class == explanation.retention_class
    assert entry.body == {
        "explanation_id": explanation_id,
        "model": "loans",
        "version": "1",
        "kind": "reviewed",
        "outcome": None,
        "supersedes": None,
        "superseded_by": None,
    }
    erase_subject(running, explanation_id)
    with pytest.raises(Exception, match="key of this entry was destroyed"):
        log.open(stored)


def test_the_same_again_is_the_first_one(running: Any) -> None:
    explanation_id = _explained(running)
    first = _reviewed(running, explanation_id, kind="overridden", outcome="approve", note="Paid off since.")
    entries = running.entries("explanation.reviewed")
    again = _reviewed(running, explanation_id, kind="overridden", outcome="approve", note="Paid off since.")
    assert again == first
    assert running.entries("explanation.reviewed") == entries
    receipt = Receipt.from_json(first["receipt"])
    assert str(receipt.entry_id) == first["entry_id"]


def test_a_decision_that_was_made_again_is_pointed_at_from_both_sides(running: Any) -> None:
    old = _explained(running, subject_ref="S-remade")
    new = _explained(running, subject_ref="S-remade", features={**running.features, "income": 90.0})
    first = _refused(running, new, kind="corrected", supersedes=old, note="Decided again.")
    assert "first record a correction of it" in first["/supersedes"]
    corrected = _reviewed(
        running, old, kind="corrected", note="The income was that of one month.", superseded_by=new
    )
    assert _read(running, old)["reviews"][0]["superseded_by"] == new
    assert corrected["outcome"] == _read(running, new)["decision"]["outcome"]
    told = _reviewed(running, new, kind="corrected", supersedes=old, note="Decided again.")
    assert _read(running, new)["reviews"] == [told]
    for other, sent in ((new, {"superseded_by": old}), (old, {"supersedes": new, "note": "x"})):
        assert list(_refused(running, other, kind="corrected", **sent)) == ["/" + next(iter(sent))]
    better = {"note": "Of one week.", "superseded_by": new, "supersedes": corrected["entry_id"]}
    corrected = _reviewed(running, old, kind="corrected", **better)
    back = {"kind": "corrected", "supersedes": corrected["entry_id"], "note": "It was another file."}
    assert "supersede that one first" in _refused(running, old, **back)["/supersedes"]
    _reviewed(running, new, kind="corrected", supersedes=told["entry_id"], note="It was another file.")
    _reviewed(running, old, **back)
    assert _read(running, old)["standing"] is None


def test_only_what_concerns_this_explanation_can_be_superseded(running: Any, upload: Any) -> None:
    made = running.register(upload.with_manifest(model="others"))
    assert made.status_code == 201, made.text
    assert running.approve("others").status_code == 200
    stranger = running.explain(running.request(counterfactuals={"count": 0}), "others").json()
    explanation_id, neighbour = _explained(running), _explained(running)
    review = _reviewed(running, neighbour, kind="reviewed")
    later = running.explain(running.request(counterfactuals={"count": 0}), "others").json()
    for named in (review["entry_id"], stranger["explanation_id"], explanation_id, NOBODY):
        refused = _refused(running, explanation_id, kind="reviewed", supersedes=named)
        assert list(refused) == ["/supersedes"]
    for named in (review["entry_id"], later["explanation_id"], explanation_id, NOBODY):
        refused = _refused(running, explanation_id, kind="corrected", superseded_by=named)
        assert list(refused) == ["/superseded_by"]


def test_an_outcome_is_one_of_the_versions_and_an_override_changes_it(running: Any) -> None:
    explanation_id = _explained(running)
    refused = _refused(running, explanation_id, kind="reviewed", outcome="refer to Jane Doe")
    assert refused == {"/outcome": "is none of this model version's: decline, approve"}
    assert (
        "holds already" in _refused(running, explanation_id, kind="overridden", outcome="decline")["/outcome"]
    )
    _reviewed(running, explanation_id, kind="overridden", outcome="approve")
    assert (
        "holds already"
        in _refused(running, explanation_id, kind="overridden", outcome="approve", note="again")["/outcome"]
    )
    kept = _reviewed(running, explanation_id, kind="reviewed", outcome="approve", note="seen")
    assert [one["outcome"] for one in _read(running, explanation_id)["reviews"]] == ["approve", "approve"]
    assert kept["outcome"] == "approve"


def test_a_superseded_override_no_longer_holds_and_another_may_follow(running: Any) -> None:
    explanation_id = _explained(running)
    wrong = _reviewed(running, explanation_id, kind="overridden", outcome="approve")
    assert _read(running, explanation_id)["standing"] == _standing(wrong)
    again = {"kind": "overridden", "outcome": "approve", "note": "The file was found."}
    assert list(_refused(running, explanation_id, **again)) == ["/outcome"]
    corrected = {"kind": "corrected", "supersedes": wrong["entry_id"], "note": "It was another file."}
    _reviewed(running, explanation_id, **corrected)
    assert _read(running, explanation_id)["standing"] is None
    decline = {"kind": "overridden", "outcome": "decline"}
    assert list(_refused(running, explanation_id, **decline)) == ["/outcome"]
    second = _reviewed(running, explanation_id, **again)
    assert _read(running, explanation_id)["standing"] == _standing(second)
    kept = _reviewed(running, explanation_id, kind="reviewed", outcome="approve", reviewer="Jane Doe")
    assert _read(running, explanation_id)["standing"] == _standing(kept)


@pytest.mark.parametrize(
    ("document", "pointer"),
    [
        ({"kind": "requested", "outcome": "approve"}, "/outcome"),
        ({"kind": "overridden"}, "/outcome"),
        ({"kind": "corrected"}, "/note"),
        ({"kind": "corrected", "reviewer": "J"}, "/note"),
        ({"kind": "reviewed", "superseded_by": NOBODY}, "/superseded_by"),
        ({"kind": "withdrawn"}, "/kind"),
        ({"kind": "reviewed", "note": ""}, "/note"),
        ({"kind": "reviewed", "reviewer": "two\nlines"}, "/reviewer"),
        ({"kind": "reviewed", "supersedes": "me"}, "/supersedes"),
        ({"kind": "reviewed", "remark": "x"}, "/remark"),
        ({}, "/kind"),
    ],
)
def test_what_makes_no_sense_is_refused_by_its_place(
    running: Any, document: dict[str, object], pointer: str
) -> None:
    explanation_id = running.taken and _explained(running)
    assert list(_refused(running, str(explanation_id), **document)) == [pointer]


def test_an_erased_explanation_can_still_be_reviewed_in_few_words(running: Any) -> None:
    explanation_id = _explained(running)
    erase_subject(running, explanation_id)
    refused = _refused(running, explanation_id, kind="overridden", outcome="approve", note="a", reviewer="b")
    assert list(refused) == ["/note", "/reviewer"]
    made = _reviewed(running, explanation_id, kind="overridden", outcome="approve")
    assert (made["note"], made["reviewer"], made["outcome"]) == (None, None, "approve")
    assert running.services.log.read(running.uuid(made["entry_id"])).entry.private is None


def test_a_review_is_proved_like_what_it_is_about_and_proving_it_is_a_reading(running: Any) -> None:
    explanation_id = _explained(running)
    made = _reviewed(running, explanation_id, kind="overridden", outcome="approve", note="Paid off since.")
    running.integrate()
    evidence = running.http.get(f"/v1/explanations/{made['entry_id']}/proof")
    assert evidence.status_code == 200, evidence.text
    opened = Evidence.parse(evidence.content).opening
    assert opened is not None
    assert orjson.loads(opened.plaintext)["note"] == "Paid off since."
    (read,) = running.services.log.about(running.uuid(explanation_id), "explanation.read")
    assert read.entry.body == {
        "explanation_id": explanation_id,
        "how": "proof",
        "disclosed": True,
        "review_id": made["entry_id"],
    }


def test_a_review_needs_the_scope_of_whoever_decides_and_an_explanation(running: Any) -> None:
    explanation_id = _explained(running)
    for scope, status in (("read", 403), ("approve", 403), ("explain", 201)):
        token = running.token(scope)[0]
        answer = running.http.post(
            f"/v1/explanations/{explanation_id}/review",
            json={"kind": "reviewed"},
            headers={"authorization": f"Bearer {token}"},
        )
        assert answer.status_code == status
    review = _reviewed(running, explanation_id, kind="reviewed")
    for nothing in (NOBODY, review["entry_id"]):
        assert _post(running, nothing, kind="reviewed").status_code == 404
