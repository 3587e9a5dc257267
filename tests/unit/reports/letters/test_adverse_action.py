"""The adverse-action notice against the published words and the rules it is written under."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from records.clocks import notice_clock
from reports.letters.errors import LetterBlocked, LetterNotDue
from reports.letters.letter import Letter, Listing, Paragraph
from reports.letters.source import LetterSource
from reports.letters.writing import write_letter
from schemas.manifest import Manifest
from tests.oracles import records
from tests.oracles.letters import lines_of, section, section_lines, text_of

ECOA = (
    "The Federal Equal Credit Opportunity Act prohibits creditors from discriminating against credit "
    "applicants on the basis of race, color, religion, national origin, sex, marital status, age (provided "
    "the applicant has the capacity to enter into a binding contract); because all or part of the "
    "applicant's income derives from any public assistance program; or because the applicant has in good "
    "faith exercised any right under the Consumer Credit Protection Act. The Federal agency that administers "
    "compliance with this law concerning this creditor is "
)
"""12 CFR 1002.9(b)(1), as published."""

INSUFFICIENT = ("internal standards", "internal policies", "failed to achieve", "qualifying score")
"""What 12 CFR 1002.9(b)(2) calls insufficient."""

REASONS = "Principal reasons"
COUNTERFACTUALS = "What would have changed the decision"


def _written(changed: Mapping[str, Any] | None = None, *, terms: Manifest | None = None) -> Letter:
    return write_letter(records.source(changed, terms=terms), "adverse_action", "en")


def _acted(action: str | None, **changes: Any) -> Letter:
    return _written({"application": records.application(action=action, **changes)})


def _noticed(**changes: Any) -> Manifest:
    """A manifest whose notice section is changed."""
    notice = records.manifest().notice
    assert notice is not None
    return records.manifest(notice=notice.model_dump() | changes)


def _listed(letter: Letter, heading: str) -> tuple[str, ...]:
    (found,) = [block for block in section(letter, heading).blocks if isinstance(block, Listing)]
    return found.items


def test_the_notice_of_equal_credit_opportunity_is_the_published_one() -> None:
    """The words of 1002.9(b)(1), with the agency of the manifest."""
    agency = "Consumer Financial Protection Bureau, 1700 G Street NW., Washington, DC 20552."
    assert ECOA + agency in lines_of(_written())


def test_everything_that_1002_9_a_2_asks_for_is_in_the_notice() -> None:
    """The action, creditor and applicant, the date, what was asked for, and the reasons in their order."""
    letter = _written()
    text = text_of(letter)
    assert letter.sender == (
        "Example Savings Bank",
        "12 Main Street",
        "Springfield, MA 01101",
        "+1 413 555 0100",
    )
    assert letter.recipient == ("Ana Pérez", "7 Elm Road", "Springfield, MA 01103")
    assert letter.dated == "2026-11-20"
    assert "Date of decision (UTC): November 20, 2026" in text
    assert "Reference: A-2026-000123" in text
    assert "Account, transaction or credit requested: a mortgage of 240,000 USD over 30 years" in text
    assert "Your request for credit has been denied." in text
    assert "These are the specific reasons for the action taken." in text
    assert _listed(letter, REASONS) == (
        "Excessive obligations in relation to income: 61.0%",
        "Income insufficient for amount of credit requested",
    )
    assert "Reason codes, in the same order: R07, R05" in text
    assert [rule.requirement_id for rule in letter.citations] == ["reg-b-9-a-2", "reg-b-9-b-1", "reg-b-9-b-2"]


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_reasons_are_neither_padded_nor_dropped_and_at_most_four(count: int) -> None:
    """R1: as many reasons as are on record, numbered, in their order."""
    factors = ("debt_to_income", "income", "inquiries", "debt_to_income")[:count]
    reasons = [records.reason(rank, factor) for rank, factor in enumerate(factors, 1)]
    letter = _written({"reasons": reasons})
    listed = Listing(tuple(reason["text"] for reason in reasons), numbered=True)
    assert listed in section(letter, REASONS).blocks
    assert ("The principal reason for" in text_of(letter)) == (count == 1)


def test_the_letters_own_words_are_none_of_the_insufficient_ones() -> None:
    """R6 for the frame around the reasons."""
    text = text_of(
        _written({"application": records.application(consumer_reports=[records.consumer_report()])})
    )
    assert not [words for words in INSUFFICIENT if words in text.lower()]


def test_a_knockout_rule_states_its_own_factor() -> None:
    """R7, comment 9(b)(2)-8: the rule's own words, and nothing of the model that was not used."""
    reasons = [records.given_reason(1, "K01", "bankruptcy rule", "Bankruptcy within the last two years")]
    parts = ("bankruptcy rule", "knockout", "failed"), ("model", "model", "not_used")
    terms = _noticed(counterfactual_paragraph=True)
    letter = _written({"reasons": reasons, "combined": records.combined("decline", *parts)}, terms=terms)
    assert _listed(letter, REASONS) == ("Bankruptcy within the last two years",)
    assert COUNTERFACTUALS not in text_of(letter)
    assert letter.data["reasons"] == [
        {
            "rank": 1,
            "code": "K01",
            "factor": "bankruptcy rule",
            "component": "bankruptcy rule",
            "text": "Bankruptcy within the last two years",
        }
    ]


def test_a_gray_band_denial_states_the_reasons_of_both_components() -> None:
    """R7, comment 9(b)(2)-7."""
    judged = records.given_reason(2, "J01", "underwriter", "Temporary or irregular employment")
    parts = ("model", "model", "gray"), ("underwriter", "judgmental", "failed")
    stated = {
        "reasons": [records.reason(1, "debt_to_income"), judged],
        "combined": records.combined("decline", *parts),
    }
    letter = _written(stated, terms=_noticed(counterfactual_paragraph=True))
    assert _listed(letter, REASONS) == (
        "Excessive obligations in relation to income: 61.0%",
        "Temporary or irregular employment",
    )
    assert COUNTERFACTUALS not in text_of(letter)


def test_an_incomplete_application_is_told_what_was_missing() -> None:
    """R7, comment 9(a)(1)-4: denied as incomplete, with what was missing."""
    reason = records.given_reason(
        1, "K02", "documents", "Credit application incomplete", missing="tax return for 2025"
    )
    parts = ("documents", "knockout", "failed"), ("model", "model", "not_used")
    letter = _written(
        {
            "application": records.application(action="incompleteness", completed_at=None),
            "reasons": [reason],
            "combined": records.combined("decline", *parts),
        }
    )
    assert _listed(letter, REASONS) == ("Credit application incomplete (missing: tax return for 2025)",)
    assert "Your application was incomplete" in text_of(letter)
    cited = {rule.requirement_id for rule in letter.citations}
    assert {"reg-b-9-cmt-a-1-3", "reg-b-9-cmt-a-1-4"} <= cited


def test_a_counteroffer_says_what_is_offered_and_that_not_accepting_counts_as_denial() -> None:
    """Form C-4: one letter for the offer and for the denial of what was asked for (R8)."""
    letter = _acted("counteroffer", counteroffer="a mortgage of 200,000 USD over 30 years")
    lines = section_lines(section(letter, "Action taken"))
    assert lines[1].startswith("We are unable to offer you credit on the terms that you requested.")
    assert lines[2] == "a mortgage of 200,000 USD over 30 years"
    assert "If you do not expressly accept or use the credit offered" in lines[3]
    assert "counts as denied" in lines[3]
    assert "reg-b-9-a-1-iv" in [rule.requirement_id for rule in letter.citations]


def test_a_counteroffer_without_recorded_terms_invents_none() -> None:
    """What holds no offer is no form C-4: it denies outright and asks nobody to accept anything."""
    letter = _acted("counteroffer")
    lines = section_lines(section(letter, "Action taken"))[1:]
    assert len(lines) == 1
    assert "Your request for credit on those terms has been denied." in lines[0]
    assert "They are not set out in this letter" in lines[0]
    assert "accept" not in lines[0]
    assert not {"reg-b-9-a-1-iv", "reg-b-9-cmt-a-1-6"} & {rule.requirement_id for rule in letter.citations}


def test_one_reason_has_one_code() -> None:
    """No order is spoken of where there is none."""
    one = _written({"reasons": [records.reason(1, "income")]})
    assert "Reason code: R05" in text_of(one)
    assert "in the same order" not in text_of(one)
    assert "Reason codes, in the same order: R07, R05" in text_of(_written({}))


@pytest.mark.parametrize(
    ("action", "says"),
    [
        ("denial", "has been denied"),
        ("account_termination", "We have terminated your account"),
        ("unfavourable_change", "We have changed the terms of your account"),
        (None, "has been denied"),
    ],
)
def test_the_action_taken_is_stated(action: str | None, says: str) -> None:
    """An adverse decision without a stated action is a denial, and the data say that it was not stated."""
    letter = _acted(action)
    assert says in section_lines(section(letter, "Action taken"))[1]
    taken = letter.data["action"]
    assert isinstance(taken, dict)
    assert (taken["kind"], taken["stated"]) == (action or "denial", action is not None)


def test_dates_are_data_and_the_due_date_is_not_the_applicants() -> None:
    """R8: the clock's own date goes into the data alone."""
    letter = _written()
    application = records.source().part.get("application")
    assert application is not None
    dates = letter.data["dates"]
    assert dates == {
        "completed_at": "2026-11-12T08:00:00.000000Z",
        "decided_at": "2026-11-20T10:15:00.000000Z",
        "recorded_at": "2026-11-20T10:15:03.250000Z",
        "clock": notice_clock("denial", records.RECORDED_AT, records.RECORDED_AT).name,
        "due_at": "2026-12-12T08:00:00.000000Z",
    }
    assert "December" not in text_of(letter)


def test_without_a_stated_time_the_record_dates_the_decision() -> None:
    """The record's own time is the only other one there is."""
    letter = _written({"decided": None})
    assert letter.dated == "2026-11-20"
    assert isinstance(letter.data["dates"], dict)
    assert letter.data["dates"]["decided_at"] == "2026-11-20T10:15:03.250000Z"


def test_the_applicant_and_the_request_may_be_unknown() -> None:
    """Nothing is put in their place."""
    letter = _written({"application": None})
    assert letter.recipient == ()
    assert letter.data["applicant"] is None
    assert "requested:" not in text_of(letter)


def test_what_would_have_changed_the_decision_is_told_where_the_manifest_asks_for_it() -> None:
    """In words, with units, on that day, without a promise."""
    assert COUNTERFACTUALS not in text_of(_written())
    letter = _written(terms=_noticed(counterfactual_paragraph=True))
    blocks = section(letter, COUNTERFACTUALS).blocks
    assert isinstance(blocks[0], Paragraph)
    assert "everything else the same" in blocks[0].text
    assert "the same model would have answered “approve” on that day" in blocks[0].text
    assert _listed(letter, COUNTERFACTUALS) == ("Debt ratio: 45.0% instead of 61.0%",)
    assert "This is no promise." in text_of(letter)


def test_no_change_is_told_of_that_the_model_did_not_confirm() -> None:
    """None found, or none verified: the letter does not speak of it."""
    found = records.part()["counterfactuals"]
    for items in ([], [records.counterfactual(verified=False)]):
        letter = _written(
            {"counterfactuals": found | {"items": items}}, terms=_noticed(counterfactual_paragraph=True)
        )
        assert COUNTERFACTUALS not in text_of(letter)
        assert letter.data["counterfactuals"] == []


@pytest.mark.parametrize(
    ("source", "why"),
    [
        (records.approved(), "favourable; .* is template=explanation"),
        (records.source({"application": records.application(action="withdrawal")}), "withdrawal"),
        (records.source({"application": records.application(action="approval")}), "approval"),
        (records.source(terms=records.manifest(profile="clinical")), "clinical; .* is template=explanation"),
        (records.source(terms=records.manifest(profile="general")), "general; .* is template=explanation"),
        (records.source(terms=records.manifest(notice=None)), "notice section"),
        (records.source({"combined": records.combined("approve", ("m", "model", "passed"))}), "favourable"),
    ],
)
def test_no_notice_where_none_is_due(source: LetterSource, why: str) -> None:
    """LetterNotDue says why."""
    with pytest.raises(LetterNotDue, match=why):
        write_letter(source, "adverse_action", "en")


@pytest.mark.parametrize(
    ("changed", "factors"),
    [
        ({"reasons": [records.reason(1, "income"), records.reason(2, "age")]}, ("age",)),
        ({"reasons": [records.reason(1, "income", proxy=True)]}, ("income",)),
        ({"notice": {"clock": "unknown", "due_at": None, "blocked": ["age"]}}, ("age",)),
        ({"reasons": []}, ()),
    ],
)
def test_a_notice_stops_at_sensitive_and_proxy_reasons(changed: dict[str, Any], factors: tuple[str]) -> None:
    """R3: blocked by name, never dropped; nor is there a notice that states nothing."""
    with pytest.raises(LetterBlocked) as blocked:
        _written(changed)
    assert blocked.value.factors == factors
