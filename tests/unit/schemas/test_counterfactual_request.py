"""What may be asked of the counterfactuals: each fault in its place, in this product's own words."""

from __future__ import annotations

import re
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from pydantic_core import ErrorDetails
from pydantic_core.core_schema import ErrorType

from schemas.explanation import ExplanationRequest
from schemas.fault_words import words_of
from schemas.problem import pointed_errors
from service.bodies import validated
from service.errors import InvalidInput

NAMES = [f"f{number}" for number in range(10_001)]
METHODS = "must be 'direct', 'dice_random', 'dice_genetic' or 'dice_kdtree'"
RANGE = "must be least and greatest, or a list of categories"


def document(asked: object) -> dict[str, Any]:
    return {"decision_id": "A-1", "features": {}, "counterfactuals": asked}


def faults_of(asked: object) -> list[tuple[str, str]]:
    with pytest.raises(InvalidInput) as refused:
        validated(document(asked), ExplanationRequest)
    return [(flaw.pointer.removeprefix("/counterfactuals"), flaw.detail) for flaw in refused.value.flaws]


@pytest.mark.parametrize(
    ("asked", "pointer", "detail"),
    [
        ([], "", "must be an object"),
        ({"a/b": 1}, "/a~1b", "is not a known field"),
        ({"count": -1}, "/count", "must be at least 0"),
        ({"count": 11}, "/count", "must be at most 10"),
        ({"count": 1e308}, "/count", "must be a whole number"),
        ({"count": True}, "/count", "must be a whole number"),
        ({"count": "1"}, "/count", "must be a whole number"),
        ({"required": 1}, "/required", "must be true or false"),
        ({"max_changes": 0}, "/max_changes", "must be at least 1"),
        ({"max_changes": 2**53 - 1}, "/max_changes", "must be at most 100"),
        ({"max_changes": [1]}, "/max_changes", "must be a whole number"),
        ({"methods": []}, "/methods", "must have at least 1 item"),
        ({"methods": "direct"}, "/methods", "must be an array"),
        ({"methods": ["exact_search"]}, "/methods/0", METHODS),
        ({"methods": [["direct"]]}, "/methods/0", METHODS),
        ({"methods": ["direct"] * 5}, "/methods", "must have at most 4 items"),
        ({"methods": ["dice_random", "direct", "dice_random"]}, "/methods/2", '"dice_random" is named twice'),
        ({"features_to_vary": []}, "/features_to_vary", "must have at least 1 item"),
        ({"features_to_vary": [""]}, "/features_to_vary/0", "must have at least 1 character"),
        ({"features_to_vary": ["a\n"]}, "/features_to_vary/0", "must be one line without control characters"),
        ({"features_to_vary": ["é" * 129]}, "/features_to_vary/0", "must have at most 128 characters"),
        ({"features_to_vary": [1]}, "/features_to_vary/0", "must be a text"),
        ({"features_to_vary": NAMES}, "/features_to_vary", "must have at most 4096 items"),
        ({"features_to_vary": ["a", "b", "a"]}, "/features_to_vary/2", '"a" is named twice'),
        ({"permitted_range": []}, "/permitted_range", "must be an object"),
        ({"permitted_range": {"": [1, 2]}}, "/permitted_range/", "its name must have at least 1 character"),
        (
            {"permitted_range": {"a/b~ü\n": [1, 2]}},
            "/permitted_range/a~1b~0ü\n",
            "its name must be one line without control characters",
        ),
        (
            {"permitted_range": {"x" * 129: [1, 2]}},
            "/permitted_range/" + "x" * 129,
            "its name must have at most 128 characters",
        ),
        ({"permitted_range": {"[key]": [1]}}, "/permitted_range/[key]", RANGE),
        ({"permitted_range": {"a/b": None}}, "/permitted_range/a~1b", RANGE),
        ({"permitted_range": {"a": [1, 2, 3]}}, "/permitted_range/a", RANGE),
        ({"permitted_range": {"a": [1, "2"]}}, "/permitted_range/a", RANGE),
        ({"permitted_range": {"a": [1, True]}}, "/permitted_range/a/1", "must be a number"),
        ({"permitted_range": {"a": [[1], 2]}}, "/permitted_range/a/0", "must be a number"),
        ({"permitted_range": {"a": ["b", ""]}}, "/permitted_range/a/1", "must have 1 to 128 characters"),
        ({"permitted_range": {"a": ["b", "c", "b"]}}, "/permitted_range/a/2", "is there already"),
        (
            {"permitted_range": {"a": NAMES}},
            "/permitted_range/a",
            "must have at most 10000 categories",
        ),
        (
            {"permitted_range": {name: [1, 2] for name in NAMES}},
            "/permitted_range",
            "must have at most 4096 members",
        ),
        ({"target": "below"}, "/target", "must be an object"),
        ({"target": {}}, "/target/score", "either score and direction, or class"),
        ({"target": {"score": "1", "direction": "below"}}, "/target/score", "must be a number"),
        ({"target": {"score": True, "direction": "below"}}, "/target/score", "must be a number"),
        ({"target": {"score": 1, "direction": "up"}}, "/target/direction", "must be 'below' or 'above'"),
        ({"target": {"class": 1}}, "/target/class", "must be a text"),
        ({"target": {"class": ""}}, "/target/class", "must have at least 1 character"),
        ({"target": {"class_": "a"}}, "/target/class_", "is not a known field"),
    ],
    ids=lambda given: repr(given)[:60],
)
def test_a_fault_is_one_and_told_in_its_place(asked: object, pointer: str, detail: str) -> None:
    assert faults_of(asked) == [(pointer, detail)]


def test_a_member_whose_name_looks_like_the_validators_own_is_no_fault_of_a_name() -> None:
    assert faults_of({"[key]": "counterfactuals"}) == [("/[key]", "is not a known field")]
    assert faults_of({"permitted_range": {"[key]\n": [1, 2]}})[0][0] == "/permitted_range/[key]\n"


def _at(sent: object, pointer: str) -> object:
    """What a pointer leads to (RFC 6901, section 4); KeyError or IndexError where nothing is."""
    for token in pointer.split("/")[1:]:
        name = token.replace("~1", "/").replace("~0", "~")
        if isinstance(sent, list):
            sent = sent[int(name)]
        else:
            assert isinstance(sent, dict), pointer
            sent = sent[name]
    return sent


ODD = st.recursive(
    st.none()
    | st.booleans()
    | st.sampled_from([-1, 0, 1, 3, 1e308, -1e308, 2**53 - 1])
    | st.sampled_from(["", "a", "a/b", "~", "[key]", "below", "direct", "x\n", "ü" * 129]),
    lambda inner: (
        st.lists(inner, max_size=5)
        | st.dictionaries(st.sampled_from(["", "a/b", "~", "[key]", "x\n", "score", "class"]), inner)
    ),
    max_leaves=8,
)
MEMBERS = ["count", "features_to_vary", "permitted_range", "max_changes", "methods", "target", "required"]
TOLD_WHERE_MISSING = ("/target/score", "/target/direction")


@given(st.dictionaries(st.sampled_from(MEMBERS), ODD, min_size=1))
def test_odd_input_is_read_or_refused_in_our_words_where_it_is(asked: dict[str, Any]) -> None:
    sent = document(asked)
    try:
        ExplanationRequest.model_validate(sent)
    except ValidationError as error:
        theirs = {fault["msg"] for fault in error.errors() if fault["type"] in get_args(ErrorType)}
        found = pointed_errors(error)
        assert found
        for fault in found:
            assert fault.detail not in theirs
            if not fault.pointer.endswith(TOLD_WHERE_MISSING):
                _at(sent, fault.pointer)


@pytest.mark.parametrize("kind", get_args(ErrorType))
def test_no_kind_of_the_validators_has_its_words(kind: Any) -> None:
    limits = dict.fromkeys(("gt", "ge", "lt", "le", "min_length", "max_length", "multiple_of"), 2)
    context = {**limits, "pattern": "^a$", "expected": "'a' or 'b'"}
    fault = ErrorDetails(type=kind, loc=("a",), msg="Input should be Jane", input="Jane", ctx=context)
    assert re.match("(must|is) ", words_of(fault))
    assert "Jane" not in words_of(fault)
