"""The adverse-action notice against the published words and the rules it is written under."""

from __future__ import annotations

from reports.letters.writing import write_letter
from tests.oracles import records
from tests.oracles.letters import text_of

ECOA = (
    "The Federal Equal Credit Opportunity Act prohibits creditors from discriminating against credit "
    "applicants on the basis of race, color, religion, national origin, sex, marital status, age (provided "
    "the applicant has the capacity to enter into a binding contract); because all or part of the "
    "applicant's income derives from any public assistance program; or because the applicant has in good "
    "faith exercised any right under the Consumer Credit Protection Act. The Federal agency that administers "
    "compliance with this law concerning this creditor is "
)
"""12 CFR 1002.9(b)(1), as published."""


def test_the_notice_of_equal_credit_opportunity_is_the_published_one() -> None:
    """The words of 1002.9(b)(1), with the agency of the manifest."""
    agency = "Consumer Financial Protection Bureau, 1700 G Street NW., Washington, DC 20552."
    assert ECOA + agency in text_of(write_letter(records.source(), "adverse_action", "en"))
