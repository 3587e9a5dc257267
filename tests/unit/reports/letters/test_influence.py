"""How far each factor moved a result, as the explanation tells it: shares of the sum of all sizes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from reports.letters.letter import Letter, Listing
from reports.letters.writing import write_letter
from schemas.manifest import Manifest
from tests.oracles import records
from tests.oracles.letters import section, section_lines, text_of

INFLUENCE = "How your data moved the result"


def _letter(changed: Mapping[str, Any] | None = None, *, terms: Manifest | None = None) -> Letter:
    return write_letter(records.source(changed, terms=terms), "explanation", "en")


def _moved(**phi: float) -> dict[str, Any]:
    """An attribution with these values."""
    rows = [{"feature": feature, "phi": value} for feature, value in phi.items()]
    return {"attribution": records.part()["attribution"] | {"values": rows}}


def test_each_factor_has_its_direction_and_weight_in_words_and_percent() -> None:
    """Shares of the sum of sizes: 0.6, 0.2, 0.19 and 0.01 of 1.0."""
    letter = _letter(_moved(income=0.6, debt_ratio=-0.2, inquiries=0.19, age=-0.01))
    against, favour = [b for b in section(letter, INFLUENCE).blocks if isinstance(b, Listing)][:2]
    assert against.items == ("Income: strong, 60%", "Recent inquiries: clear, 19%")
    assert favour.items == ("Debts in relation to income: clear, 20%", "Age: slight, 1%")
    lines = section_lines(section(letter, INFLUENCE))
    assert lines.index("Towards “decline”, the less favorable result:") < lines.index(against.items[0])
    assert lines.index("Towards “approve”, the more favorable result:") < lines.index(favour.items[0])


def test_small_influences_are_told_of_together_and_none_as_none() -> None:
    """Below one percent a factor is no main one; exactly nothing is said to be nothing."""
    text = text_of(_letter(_moved(income=0.99, debt_ratio=0.006, inquiries=0.004, age=0.0)))
    assert "All other data together: 1%." in text
    assert "Without any influence on this result: Age." in text
    tiny = text_of(_letter(_moved(income=1.0, debt_ratio=0.001, inquiries=0.0, age=0.0)))
    assert "All other data together: less than 1%." in tiny
    half = text_of(_letter(_moved(income=0.995, debt_ratio=0.005, inquiries=0.0, age=0.0)))
    assert "All other data together: less than 1%." in half


def test_a_high_score_may_be_the_favourable_one() -> None:
    """With a probability of the favourable outcome the same contributions point the other way."""
    outcome = records.manifest().outcome.model_dump() | {"score": "probability_of_favourable"}
    letter = _letter(
        _moved(income=0.75, debt_ratio=-0.25, inquiries=0.0, age=0.0),
        terms=records.manifest(outcome=outcome),
    )
    against, favour = [b for b in section(letter, INFLUENCE).blocks if isinstance(b, Listing)][:2]
    assert against.items == ("Debts in relation to income: clear, 25%",)
    assert favour.items == ("Income: strong, 75%",)
    assert "the probability of “approve” at 0.71. Below 0.3 its answer is “decline”" in text_of(letter)


def test_features_of_one_factor_are_one_influence() -> None:
    """R5: summed before they are weighed, so that what cancels out is no influence."""
    factors = [
        {"name": "money", "label": "Money", "features": ["income", "debt_ratio"]},
        {"name": "inquiries", "features": ["inquiries"]},
        {"name": "age", "features": ["age"]},
    ]
    moved = _moved(income=0.5, debt_ratio=-0.5, inquiries=0.3, age=-0.1)
    letter = _letter(moved, terms=records.manifest(factors=factors))
    against, favour = [b for b in section(letter, INFLUENCE).blocks if isinstance(b, Listing)][:2]
    assert against.items == ("Recent inquiries: strong, 75%",)
    assert favour.items == ("Age: clear, 25%",)
    assert "Without any influence on this result: Money." in text_of(letter)
