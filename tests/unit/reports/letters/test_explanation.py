"""The explanation for the person concerned: what C-203/22 and Article 86 ask for, said from the record."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from reports.letters.letter import Letter
from reports.letters.source import LetterSource
from reports.letters.writing import write_letter
from schemas.manifest import Manifest
from tests.oracles import records
from tests.oracles.letters import lines_of, section, section_lines, text_of

VARIATION = "What would have changed the result"
DATA = "Which data were used"


def _explained(source: LetterSource, language: str = "en") -> Letter:
    return write_letter(source, "explanation", language)


def _letter(changed: Mapping[str, Any] | None = None, *, terms: Manifest | None = None) -> Letter:
    return _explained(records.source(changed, terms=terms))


def _moved(**phi: float) -> dict[str, Any]:
    """An attribution with these values."""
    rows = [{"feature": feature, "phi": value} for feature, value in phi.items()]
    return {"attribution": records.part()["attribution"] | {"values": rows}}


def _with_feature(name: str, **changes: Any) -> Manifest:
    features = [
        feature.model_dump() | (changes if feature.name == name else {})
        for feature in records.manifest().features
    ]
    return records.manifest(features=features)


def test_what_was_decided_when_and_by_which_line() -> None:
    """The outcome with its day, and the score with what it was compared with."""
    text = text_of(_letter())
    assert "On November 20, 2026 the result was “decline”." in text
    assert "the probability of “decline” at 0.71. From 0.3 upwards its answer is “decline”" in text


def test_a_score_beside_the_line_does_not_look_as_if_it_were_on_it() -> None:
    """0.2996 is below 0.3, and stays so in print."""
    for score, written in ((0.2996, "0.2996"), (0.30004, "0.30004"), (0.3, "0.30"), (0.712345, "0.71")):
        letter = _letter({"decision": records.part()["decision"] | {"score": score}})
        assert f"at {written}. From 0.3 upwards" in text_of(letter)


@pytest.mark.parametrize(
    ("role", "says"),
    [
        (
            {"kind": "determinative"},
            ("The result of the automated system is the decision.", "How people are involved is not stated"),
        ),
        (
            {"kind": "advisory", "human_involvement": "An officer looks at each case."},
            ("A person decides.", "How people are involved: An officer looks at each case."),
        ),
        (None, ("is not stated on record.", "How people are involved is not stated")),
    ],
)
def test_the_role_of_the_system_is_stated_or_said_to_be_unstated(
    role: dict[str, str] | None, says: tuple[str, str]
) -> None:
    """R13."""
    lines = section_lines(section(_letter(terms=records.manifest(role=role)), "Who decided"))
    assert says[0] in lines[1]
    assert says[1] in lines[2]


def test_the_parts_of_a_combined_decision_are_named() -> None:
    """Each with its kind and its result; the person's reason in its own words with what was seen."""
    judged = records.given_reason(1, "J01", "underwriter", "Temporary employment", job="seasonal")
    parts = ("score", "model", "gray"), ("underwriter", "judgmental", "failed")
    outcome = records.manifest().outcome.model_dump() | {"gray_band": [0.2, 0.75]}
    letter = _letter(
        {"reasons": [judged], "combined": records.combined("decline", *parts)},
        terms=records.manifest(outcome=outcome),
    )
    text = text_of(letter)
    assert "From 0.2 to 0.75 the model leaves the answer to a person's judgment" in text
    assert "score (the model): undecided, passed on to a person's judgment" in text
    assert "underwriter (a person's judgment): not passed" in text
    assert "Temporary employment (from: underwriter) (job: seasonal)" in text
    assert "These changes are about the model alone." in text


def test_a_model_that_was_not_used_is_said_not_to_have_counted() -> None:
    """Another component had decided before."""
    parts = ("rule", "knockout", "failed"), ("model", "model", "not_used")
    reasons = [records.given_reason(1, "K01", "rule", "Bankruptcy within the last two years")]
    letter = _letter({"reasons": reasons, "combined": records.combined("decline", *parts)})
    assert "The model's result did not count for this decision." in text_of(letter)


def test_the_persons_own_data_are_shown_with_units_and_sources() -> None:
    """R14: the data used, and where they come from."""
    lines = section_lines(section(_letter(), DATA))
    assert "Monthly income: 3,000 USD (source: the application form)" in lines
    assert "Debt ratio: 61.0% (source: not stated)" in lines
    assert "Inquiries in six months: 5 (source: Example Credit Bureau)" in lines
    reported = records.application(consumer_reports=[records.consumer_report()] * 2)
    lines = section_lines(section(_letter({"application": reported}), DATA))
    assert lines[-1] == "Consumer reports were used from: Example Credit Bureau."


def test_unstated_sources_are_said_once() -> None:
    """No source for anything."""
    features = [feature.model_dump() | {"source": None} for feature in records.manifest().features]
    lines = section_lines(section(_letter(terms=records.manifest(features=features)), DATA))
    assert "Monthly income: 3,000 USD" in lines
    assert lines[-1] == "Where these data come from is not stated on record."


def test_missing_and_unusual_data_are_pointed_out() -> None:
    """R19: beside the value and by name."""
    features = [dict(row) for row in records.part()["features"]]
    features[0]["value"], features[1]["value"] = None, 140.0
    warnings = [
        {"code": "missing", "feature": "income", "detail": "no value was given"},
        {"code": "out_of_range", "feature": "debt_ratio", "detail": "lies outside"},
    ]
    lines = section_lines(section(_letter({"features": features, "warnings": warnings}), DATA))
    assert "Monthly income: no value (source: the application form)" in lines
    assert "Debt ratio: 140.0%, outside the usual range from 0 to 100 (source: not stated)" in lines
    assert any(line.startswith("No value was given for: Monthly income.") for line in lines)
    assert any(line.startswith("Outside the range that is usual: Debt ratio.") for line in lines)


def test_of_very_many_data_those_with_influence_are_listed() -> None:
    """A letter stays one that can be read; its data hold everything."""
    names = [f"x{number}" for number in range(300)]
    terms = records.manifest(
        features=[{"name": name, "type": "number", "nullable": True} for name in names],
        factors=[{"name": name, "features": [name]} for name in names],
    )
    stated = {
        "features": [{"name": name, "type": "number", "value": None} for name in names],
        "reasons": [],
        "counterfactuals": records.part()["counterfactuals"] | {"items": []},
    } | _moved(**{name: float(number >= 100) for number, name in enumerate(names)})
    letter = _letter(stated, terms=terms)
    lines = section_lines(section(letter, DATA))
    assert [line.partition(":")[0] for line in lines[2:202]] == names[100:]
    assert lines[202].startswith("100 more data, with less influence, are not listed here.")
    assert "x0, x1, x2" in lines[204]
    assert "x49 and 250 more" in lines[204]
    assert isinstance(letter.data["inputs"], list)
    assert len(letter.data["inputs"]) == 300


def test_true_and_false_are_words() -> None:
    """A boolean is yes or no."""
    terms = _with_feature("inquiries", type="boolean")
    features = [dict(row) for row in records.part()["features"]]
    features[2] |= {"type": "boolean", "value": True}
    assert "Inquiries in six months: yes" in text_of(_letter({"features": features}, terms=terms))


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        ("near_cutoff_approved", "1,312 cases in which the model's answer was “approve”, the ones closest"),
        ("all_applicants", "1,312 cases of all kinds"),
        ("given", "1,312 cases that the operator of the model chose"),
    ],
)
def test_the_comparison_group_is_described(kind: str, says: str) -> None:
    """Kind, number of rows and what it means."""
    attribution = records.part()["attribution"]
    reference = attribution["reference"] | {"kind": kind, "rows": 1312}
    lines = section_lines(
        section(_letter({"attribution": attribution | {"reference": reference}}), "The comparison group")
    )
    assert says in lines[1]
    assert "What counted against you is therefore" in lines[1]


def test_variations_that_the_model_confirmed_are_told() -> None:
    """R14: how a variation would have changed the result."""
    two = records.counterfactual(
        changes=[
            {"feature": "debt_ratio", "from": 61.0, "to": 52.34567},
            {"feature": "income", "from": None, "to": 4100.0},
        ]
    )
    found = records.part()["counterfactuals"] | {"items": [records.counterfactual(), two]}
    lines = section_lines(section(_letter({"counterfactuals": found}), VARIATION))
    assert "its answer would have been “approve” on that day" in lines[1]
    assert lines[2:4] == [
        "Debt ratio: 45.0% instead of 61.0%",
        "Debt ratio: about 52.3% instead of 61.0%; Monthly income: 4,100 USD instead of no value",
    ]


def test_a_change_that_rounding_would_hide_is_written_out() -> None:
    """61.04 is not 61.0."""
    change = {"feature": "debt_ratio", "from": 61.04, "to": 61.01}
    found = records.part()["counterfactuals"] | {"items": [records.counterfactual(changes=[change])]}
    assert "Debt ratio: 61.01% instead of 61.04%" in text_of(_letter({"counterfactuals": found}))


def test_a_change_of_a_value_that_nobody_rounds_is_written_short() -> None:
    """Six digits, and said to be about; whole numbers keep all of theirs."""
    words = records.words()
    bare = replace(words.features["debt_ratio"], decimals=None)
    catalogue = replace(words, features=words.features | {"debt_ratio": bare})
    for after, written in ((45.123456789, "about 45.1235%"), (45.25, "45.25%"), (1234567.0, "1,234,567%")):
        change = {"feature": "debt_ratio", "from": 61.0, "to": after}
        found = records.part()["counterfactuals"] | {"items": [records.counterfactual(changes=[change])]}
        letter = _explained(records.source({"counterfactuals": found}, words=catalogue))
        assert f"Debt ratio: {written} instead of 61%" in text_of(letter)


@pytest.mark.parametrize(
    ("status", "says"),
    [
        ("deferred", "was not finished"),
        ("no_recourse", "It was proved that no permitted change"),
        ("unresolved", "It does not prove that there is none."),
        ("partial", "It does not prove that there is none."),
        ("not_requested", "No changes were looked for"),
        ("not_needed", "already the more favorable one"),
    ],
)
def test_no_variation_is_said_to_be_none_for_its_own_reason(status: str, says: str) -> None:
    """What was proved is not mixed up with what was not found."""
    none = {"status": status, "complete": True, "items": [], "evaluation_id": None}
    assert says in section_lines(section(_letter({"counterfactuals": none}), VARIATION))[1]


def test_a_favourable_decision_is_explained_too_and_a_sensitive_reason_does_not_block() -> None:
    """The right of access knows neither condition; nor does it know a profile."""
    assert "On November 20, 2026 the result was “approve”." in text_of(_explained(records.approved()))
    reasons = [records.reason(1, "age")]
    blocked = {"clock": "unknown", "due_at": None, "blocked": ["age"]}
    assert "Age of applicant" in text_of(_letter({"reasons": reasons, "notice": blocked}))
    for profile in ("clinical", "general"):
        letter = _letter(terms=records.manifest(profile=profile, notice=None))
        assert letter.sender == ()
        assert letter.data["creditor"] is None


def test_rights_and_whom_to_ask() -> None:
    """To contest, to a person's review, to correction; the contact, or that none is stated."""
    lines = section_lines(section(_letter(), "Your rights"))
    rights = ("contest", "a person reviews", "corrected", "copy", "complain")
    assert all(right in line for right, line in zip(rights, lines[2:7], strict=True))
    assert lines[-1] == "Please turn to: Credit Decisions Office, decisions@bank.example"
    unstated = section_lines(section(_letter(terms=records.manifest(notice=None)), "Your rights"))
    assert unstated[-1] == "To whom you can turn is not stated on record."


def test_the_parts_of_a_procedure_are_not_said_to_be_what_they_are_not() -> None:
    """A part that was not used had no say, and what the letter explains is a model among other parts."""
    parts = ("rule", "knockout", "failed"), ("model", "model", "not_used")
    letter = _letter({"combined": records.combined("decline", *parts)})
    lines = lines_of(letter)
    assert "These parts of the procedure are on record:" in lines
    assert not any("The system is a statistical model" in line for line in lines)


def test_several_classes_are_explained_by_the_two_between_which_it_was() -> None:
    """No threshold is spoken of where there is none."""
    outcome = {
        "adverse": "refer",
        "favourable": "release",
        "score": "margin",
        "direction": None,
        "threshold": None,
        "classes": ["acute", "chronic", "none"],
        "adverse_classes": ["acute", "chronic"],
    }
    decision = records.part()["decision"] | {
        "outcome": "refer",
        "contrast": {"adverse": "chronic", "favourable": "none"},
    }
    terms = records.manifest(
        outcome=outcome, profile="clinical", notice=None, reference={"kind": "all_applicants"}
    )
    text = text_of(_letter({"decision": decision}, terms=terms))
    assert "The strongest that leads to “refer” was “chronic”" in text
    assert "the strongest class decides" in text
    assert "0.71" not in text
