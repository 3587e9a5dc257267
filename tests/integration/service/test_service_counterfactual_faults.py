"""Odd questions for counterfactuals: a problem with pointers in plain words, and nothing stored."""

from __future__ import annotations

from typing import Any

import pytest

THEIRS = ("Input should", "should have", "should match", "Value error", "validation", "Tuple", "Traceback")
HUGE = 1e308

ODD: dict[str, tuple[dict[str, Any], list[tuple[str, str]]]] = {
    "no methods": ({"methods": []}, [("/methods", "must have at least 1 item")]),
    "a method twice": ({"methods": ["direct", "direct"]}, [("/methods/1", '"direct" is named twice')]),
    "a feature twice": (
        {"features_to_vary": ["income", "loan_amount", "income"]},
        [("/features_to_vary/2", '"income" is named twice')],
    ),
    "a method of other manifests": (
        {"methods": ["dice_kdtree"]},
        [("/methods/0", "is none of the manifest's methods: direct, dice_random")],
    ),
    "a name with a slash": (
        {"permitted_range": {"a/b~c": [1, 2]}},
        [("/permitted_range/a~1b~0c", "is not a feature of this model")],
    ),
    "a name in other letters": (
        {"permitted_range": {"Einkünfte 收入": [1, 2]}},
        [("/permitted_range/Einkünfte 收入", "is not a feature of this model")],
    ),
    "a name that is empty": (
        {"permitted_range": {"": [1, 2]}},
        [("/permitted_range/", "its name must have at least 1 character")],
    ),
    "texts for numbers": (
        {"permitted_range": {"income": ["30", "200"]}},
        [("/permitted_range/income", "must be least and greatest")],
    ),
    "true for a number": (
        {"permitted_range": {"income": [30, True]}},
        [("/permitted_range/income/1", "must be a number")],
    ),
    "lists for numbers": (
        {"permitted_range": {"income": [[30], [200]]}},
        [(f"/permitted_range/income/{at}", "must be a number") for at in (0, 1)],
    ),
    "beyond all reason": (
        {"permitted_range": {"income": [-HUGE, HUGE]}},
        [("/permitted_range/income", "must lie within the manifest's: 0 to 1000")],
    ),
    "the wrong way round, hugely": (
        {"permitted_range": {"income": [HUGE, -HUGE]}},
        [("/permitted_range/income", "is empty: it must be ordered, least and greatest")],
    ),
    "nothing": ({"permitted_range": {"income": []}}, [("/permitted_range/income", "is empty")]),
    "between two steps": (
        {"permitted_range": {"income": [30.01, 30.02]}},
        [("/permitted_range/income", "is empty: no multiple of 0.1 lies in it")],
    ),
    "two faults": (
        {"features_to_vary": ["wealth"], "max_changes": 4},
        [
            ("/features_to_vary/0", "is not a feature of this model"),
            ("/max_changes", "must be between 1 and the manifest's 3"),
        ],
    ),
    "a huge goal": (
        {"target": {"score": HUGE, "direction": "below"}},
        [("/target/score", "must lie between 0 and 1, both excluded, for a probability")],
    ),
    "a class by the name of our own code": (
        {"target": {"class_": "approve"}},
        [("/target/class_", "is not a known field")],
    ),
    "half a count": ({"count": 1.5}, [("/count", "must be a whole number")]),
    "too many": ({"count": 11}, [("/count", "must be at most 10")]),
    "too few changes": ({"max_changes": 0}, [("/max_changes", "must be at least 1")]),
}


@pytest.mark.parametrize("name", ODD)
def test_an_odd_question_is_refused_in_plain_words_where_it_is(running: Any, name: str) -> None:
    asked, expected = ODD[name]
    before = running.entries()
    refused = running.explain(running.request(counterfactuals=asked))
    problem = refused.json()
    assert (refused.status_code, problem["type"]) == (422, "/problems/invalid-input"), problem
    found = [(error["pointer"], error["detail"]) for error in problem["errors"]]
    assert found == [("/counterfactuals" + pointer, detail) for pointer, detail in expected]
    assert "/" not in problem["detail"]  # places are named in `errors`, and only there
    assert not [words for words in THEIRS if words in refused.text]
    assert running.entries() == before


def test_thousands_of_names_are_refused_at_once(running: Any) -> None:
    before = running.entries()
    known, all_of_them = ({f"f{at}": [1] for at in range(count)} for count in (1500, 5000))
    for many in (known, all_of_them):
        refused = running.explain(running.request(counterfactuals={"permitted_range": many}))
        assert (refused.status_code, refused.json()["type"]) == (422, "/problems/invalid-input")
        assert len(refused.content) < 20_000
        assert not [words for words in THEIRS if words in refused.text]
    assert running.entries() == before
