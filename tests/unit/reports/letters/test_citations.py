"""The rules that a letter rests on: each with its status on the day of the decision."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from reports.letters import explanation
from reports.letters.letter import Letter
from reports.letters.writing import write_letter
from tests.oracles import records
from tests.oracles.letters import lines_of


def _letter(changed: Mapping[str, Any] | None = None) -> Letter:
    return write_letter(records.source(changed), "explanation", "en")


def test_each_right_has_its_rule() -> None:
    """Contest and review: Article 22. Correction: 16. A copy: 15. Complaint and court: 77 and 79."""
    cited = {rule.requirement_id: rule.printed for rule in _letter().citations}
    assert {f"gdpr-{article}" for article in (15, 16, 22, 77, 79)} <= cited.keys()
    assert cited["gdpr-16"] == "GDPR, Article 16 (in force)"


def test_a_withdrawn_rule_is_printed_as_withdrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever a letter cites, it says where it stood on the day of the decision."""
    monkeypatch.setattr(explanation, "CITED", ("cfpb-circular-2022-03", "sr-11-7", "reg-b-6-a-effects-test"))
    letter = _letter({"decided": {"at": "2026-07-20T12:00:00Z"}})
    assert [(rule.status, rule.printed) for rule in letter.citations] == [
        ("withdrawn", "CFPB Circular 2022-03 (withdrawn on May 12, 2025)"),
        ("superseded", "SR 11-7 (superseded by SR 26-2 on April 17, 2026)"),
        ("in_force", "12 CFR 1002.6(a), effects test (in force then; withdrawn on July 21, 2026)"),
    ]
    assert "CFPB Circular 2022-03 (withdrawn on May 12, 2025)" in lines_of(letter)


def test_rules_are_cited_with_the_status_they_had_on_the_day() -> None:
    """Article 86 applies from 2 December 2027."""
    before, after = "2027-12-01T23:59:59Z", "2027-12-02T00:00:00Z"
    found = {}
    for at in (before, after):
        letter = _letter({"decided": {"at": at}})
        found[at] = {rule.requirement_id: rule for rule in letter.citations}["ai-act-86"]
    assert (found[before].status, found[after].status) == ("not_yet_in_force", "in_force")
    assert "December 2, 2027" in found[before].printed
