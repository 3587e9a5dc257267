"""A letter to render, written by hand: what letters say is tested where they are written."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from reports.letters.letter import Facts, Letter, Listing, Paragraph, Section
from reports.requirements.citing import CitedRule

NOTICE = (
    "The Federal Equal Credit Opportunity Act prohibits creditors from discriminating against credit "
    "applicants on the basis of race, color, religion, national origin, sex, marital status, age (provided "
    "the applicant has the capacity to enter into a binding contract)."
)
REASONS = ("Income insufficient for amount of credit requested", "Length of employment")
FACTS = (
    ("Application number", "A-2026-000123"),
    ("Credit score obtained from the consumer reporting agency named below", "612 < 680 & falling"),
    ("Agency", "Example Consumer Reporting, 1 Bureau Plaza, Chester, PA 19016"),
)

Writing = Callable[..., Letter]


@pytest.fixture(scope="session")
def write() -> Writing:
    """Return a function that gives the letter, with other values for the fields it is told."""
    base = Letter(
        template="adverse_action",
        language="en",
        title="Notice of action taken",
        sender=("First Example Bank, N.A.", "100 Main Street", "Springfield, IL 62701"),
        recipient=("María Núñez-Großmann", "742 Evergreen Terrace"),
        dated="2026-11-22",
        moment="2026-11-22T10:00:00.123456Z",
        sections=(
            Section(None, (Paragraph("Dear María Núñez-Großmann,"), Paragraph("We cannot approve it."))),
            Section("Principal reasons", (Listing(REASONS, numbered=True),)),
            Section("Details", (Facts(FACTS),)),
            Section("Your rights", (Paragraph(NOTICE), Listing(("Ask within 60 days", "Ask for a copy")))),
        ),
        citations=(CitedRule("example-withdrawn", "Circular 1", "withdrawn", "Circular 1, withdrawn"),),
        citations_heading="Legal basis",
        data={"reasons": [{"code": "R01", "share": 0.5}], "creditor": "First Example Bank, N.A."},
    )

    def written(*paragraphs: str, **fields: Any) -> Letter:
        """Paragraphs, if given, take the place of all sections."""
        if paragraphs:
            fields["sections"] = (Section(None, tuple(Paragraph(text) for text in paragraphs)),)
        return replace(base, **fields)

    return written
