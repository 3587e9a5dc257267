"""The private part goes to canonical bytes and comes back bit for bit, and takes nothing it does not know."""

from __future__ import annotations

import copy
import json
import math
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from records.private import PrivatePart, PrivatePartMalformed, build_private, parse_private


def _part() -> PrivatePart:
    return {
        "decision_id": "A-1",
        "subject_ref": "S-778",
        "purpose": None,
        "features": [
            {"name": "income", "type": "number", "value": 56.0},
            {"name": "Größe", "type": "number", "value": None},
            {"name": "age", "type": "integer", "value": 44},
            {"name": "married", "type": "boolean", "value": True},
            {"name": "property", "type": "category", "value": "condo"},
        ],
        "decision": {
            "outcome": "decline",
            "favourable": False,
            "score": 0.71,
            "margin": 0.1 + 0.2,
            "threshold": 0.5,
            "output_space": "margin",
        },
        "attribution": {
            "method": "interventional_treeshap",
            "reference": {
                "id": "r",
                "kind": "all_applicants",
                "rows": 312,
                "digest": "sha256:00",
                "band": None,
            },
            "base_value": -1.204,
            "values": [{"feature": "income", "phi": 5e-324}, {"feature": "age", "phi": -1e22}],
            "reconciliation": {"expected": 0.896, "sum": 0.896, "error": 2.1e-7, "tolerance": 1e-4},
        },
        "reasons": [
            {
                "rank": 1,
                "code": "R05",
                "factor": "income",
                "text": "Income insufficient",
                "contribution": 0.83,
                "share": 1.0,
                "reference_value": None,
                "observed": [{"feature": "income", "value": 56.0}, {"feature": "property", "value": "condo"}],
                "near_tie": False,
            }
        ],
        "counterfactuals": {
            "status": "found",
            "complete": True,
            "items": [
                {
                    "changes": [{"feature": "income", "from": 56.0, "to": 61.5}],
                    "score": 0.46,
                    "outcome": "approve",
                    "verified": True,
                    "cost": 0.6,
                    "method": "threshold_search",
                }
            ],
            "evaluation_id": None,
            "seed": str(2**63 - 1),
        },
        "warnings": [{"code": "out_of_range", "feature": "income", "detail": "above its range"}],
    }


def test_comes_back_equal_and_typed() -> None:
    part = _part()
    back = parse_private(build_private(part))
    assert back == part
    assert [type(row["value"]) for row in back["features"]] == [float, type(None), int, bool, str]
    assert build_private(back) == build_private(part)


def test_bytes_are_plain_canonical_json() -> None:
    raw = json.loads(build_private(_part()))
    assert raw["features"][0] == {"name": "income", "type": "number", "value": "56"}
    assert raw["features"][2]["value"] == 44
    assert raw["attribution"]["values"] == [
        {"feature": "income", "phi": "5e-324"},
        {"feature": "age", "phi": "-1e+22"},
    ]
    assert raw["decision"]["margin"] == "0.30000000000000004"
    assert raw["counterfactuals"]["items"][0]["changes"] == [
        {"feature": "income", "from": "56", "to": "61.5"}
    ]


def test_order_of_keys_and_whole_reals_do_not_matter() -> None:
    part = _part()
    turned = cast("PrivatePart", dict(reversed(list(part.items()))))
    turned["features"] = [{"type": "number", "value": 56, "name": "income"}, *part["features"][1:]]
    assert build_private(turned) == build_private(part)


@given(
    st.floats(allow_nan=False, allow_infinity=False),
    st.floats(width=32, allow_nan=False, allow_infinity=False),
)
def test_every_real_comes_back_bit_for_bit(phi: float, value: float) -> None:
    part = _part()
    part["attribution"]["values"][0]["phi"] = phi
    part["features"][0]["value"] = value
    back = parse_private(build_private(part))
    assert back["attribution"]["values"][0]["phi"].hex() == (phi + 0.0).hex()
    assert cast("float", back["features"][0]["value"]).hex() == (value + 0.0).hex()


def _set(part: Any, path: tuple[str | int, ...], value: object) -> None:
    for step in path[:-1]:
        part = part[step]
    part[path[-1]] = value


@pytest.mark.parametrize(
    ("path", "value", "match"),
    [
        (("score",), 1.0, "/score: unknown"),
        (("decision", "score"), math.nan, "/decision/score: not a finite real"),
        (("decision", "score"), True, "/decision/score: not a real"),
        (("decision", "score"), 10**400, "/decision/score: not a finite real"),
        (("decision", "favourable"), 1, "/decision/favourable: not bool"),
        (("features", 0, "type"), "text", "/features/0/type: not one of"),
        (("features", 2, "value"), 44.0, "/features/2/value: not int"),
        (("features", 3, "value"), 1, "/features/3/value: not bool"),
        (("features", 4, "value"), 1, "/features/4/value: not str"),
        (
            ("reasons", 0, "observed", 0, "feature"),
            "other",
            "/reasons/0/observed/0/value: .* undeclared feature",
        ),
        (("warnings",), {}, "/warnings: not a list"),
        (("warnings", 0), "x", "/warnings/0: not a record"),
    ],
)
def test_refuses_to_write_what_it_does_not_know(
    path: tuple[str | int, ...], value: object, match: str
) -> None:
    part = copy.deepcopy(_part())
    _set(part, path, value)
    with pytest.raises(PrivatePartMalformed, match=match):
        build_private(part)


@pytest.mark.parametrize(
    ("path", "value", "match"),
    [
        (("decision", "score"), 0.71, "not a decimal string"),
        (("decision", "score"), "0.710", "not the shortest decimal string"),
        (("decision", "score"), "nan", "not a decimal string"),
        (("decision", "score"), "many", "not a decimal string"),
        (("features",), None, "features: not a list of records"),
        (("features",), ["x"], "features: not a list of records"),
        (("purpose",), 3, "/purpose: not str"),
    ],
)
def test_refuses_to_read_what_it_did_not_write(
    path: tuple[str | int, ...], value: object, match: str
) -> None:
    raw = json.loads(build_private(_part()))
    _set(raw, path, value)
    with pytest.raises(PrivatePartMalformed, match=match):
        parse_private(json.dumps(raw).encode())


def test_refuses_what_is_no_json_and_what_is_missing() -> None:
    with pytest.raises(PrivatePartMalformed, match="not JSON"):
        parse_private(b"{")
    part = cast("dict[str, object]", _part())
    del part["decision_id"]
    with pytest.raises(PrivatePartMalformed, match="/decision_id: missing"):
        build_private(cast("PrivatePart", part))
