"""The first answer, rebuilt from its private bytes, is the first answer: text for text, bit for bit."""

from __future__ import annotations

import struct
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from explain.attribution.base import Attribution
from explain.counterfactual.base import Change, Counterfactual, CounterfactualSet, Effort
from explain.features import Feature, FeatureSpace, Instance, Value
from explain.outcome import Decision
from explain.reasons import Reason
from records.private import build_private, parse_private
from schemas.answer import Explanation
from schemas.explanation import ExplanationRequest
from service.finding import Durations, Finding, Question
from service.record import answer, clear_body, private_part

DIGEST = "sha256:" + "0" * 64
ID = "0193b8a0-0000-7000-8000-000000000000"

reals = st.floats(allow_nan=False, allow_infinity=False)
# Names and texts are the caller's own: any text, though never a JSON key on record.
texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20)
lines = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=20)


@st.composite
def _features(draw: st.DrawFn) -> tuple[Feature, Value]:
    kind = draw(st.sampled_from(["number", "integer", "boolean", "category"]))
    name = draw(texts)
    value: st.SearchStrategy[Any] = {
        "number": reals.map(lambda real: real + 0.0),
        "integer": st.integers(-(2**53) + 1, 2**53 - 1),
        "boolean": st.booleans(),
        "category": texts,
    }[kind]
    given_value = draw(st.none() | value)
    categories = (given_value or "x",) if kind == "category" else ()
    return Feature(name, cast("Any", kind), categories=categories, nullable=True), given_value


@st.composite
def findings(draw: st.DrawFn) -> Finding:
    features = draw(st.lists(_features(), min_size=1, max_size=6, unique_by=lambda pair: pair[0].name))
    space = FeatureSpace(tuple(feature for feature, _ in features))
    values = tuple(value for _, value in features)
    width = len(features)
    names = st.sampled_from(space.names)
    one = dict(zip(space.names, values, strict=True))
    changes = st.lists(names, min_size=1, max_size=3, unique=True)
    items = tuple(
        Counterfactual(
            tuple(Change(name, one[name], one[name]) for name in draw(changes)),
            *(draw(reals) for _ in range(2)), draw(texts), abs(draw(reals)), "threshold_search", True,
        )
        for _ in range(draw(st.integers(0, 2)))
    )  # fmt: skip
    reasons = tuple(
        Reason(rank + 1, draw(texts), draw(texts), draw(texts), draw(reals), draw(st.floats(0, 1)),
               draw(st.none() | reals), ((draw(names), None),), draw(st.booleans()), draw(st.booleans()))
        for rank in range(draw(st.integers(0, 4)))
    )  # fmt: skip
    reasons = tuple(
        Reason(r.rank, r.code, r.factor, r.text, r.contribution, r.share, r.reference_value,
               tuple((name, one[name]) for name, _ in r.observed), r.near_tie, r.sensitive)
        for r in reasons
    )  # fmt: skip
    loaded = SimpleNamespace(
        model_name="m", version="1", artifact_digest=DIGEST, manifest_digest=DIGEST, reference_digest=DIGEST,
        catalogue=SimpleNamespace(name="c", version="1", digest=DIGEST), space=space,
        reference=SimpleNamespace(kind="given", rows=np.zeros((3, width)), band=draw(st.none() | reals)),
    )  # fmt: skip
    request = ExplanationRequest(
        decision_id=draw(lines),
        subject_ref=draw(st.none() | lines),
        features={},
        purpose=draw(st.none() | st.just("x")),
    )
    phi = np.array(draw(st.lists(reals, min_size=width, max_size=width)))
    return Finding(
        question=Question("m", request),
        loaded=cast("Any", loaded),
        instance=Instance(values, np.zeros(width)),
        decision=Decision(draw(texts), draw(st.booleans()), draw(reals), draw(reals), draw(reals)),
        attribution=Attribution(
            "exact", draw(reals), phi, draw(reals), draw(reals), abs(draw(reals)), abs(draw(reals))
        ),
        reasons=reasons,
        counterfactuals=CounterfactualSet(
            "found",
            True,
            items,
            7,
            draw(st.integers(0, 2**63 - 1)),
            (Effort("threshold_search", "finished"),),
        ),
        warnings=({"code": "missing", "feature": draw(names), "detail": draw(texts)},),
        durations=Durations(1.0, 1.0, 1.0),
    )


def _bits(value: object) -> object:
    """The value with each real as its eight bytes, so that equal means identical."""
    if isinstance(value, float):
        return struct.pack("<d", value)
    if isinstance(value, dict):
        return {name: _bits(member) for name, member in value.items()}
    if isinstance(value, list | tuple):
        return [_bits(member) for member in value]
    return value


@settings(max_examples=60, deadline=None)
@given(findings())
def test_the_answer_rebuilt_from_private_bytes_is_the_answer(finding: Finding) -> None:
    part, body = private_part(finding), clear_body(finding)
    first = answer(part, body, ID)
    again = answer(parse_private(build_private(part)), body, ID)
    assert _bits(again) == _bits(first)
    assert orjson.dumps(again) == orjson.dumps(first)
    # What was put on record is what the engine said, not something that merely reads back alike.
    attribution = cast("dict[str, Any]", first["attribution"])
    assert [row["phi"] for row in attribution["values"]] == finding.attribution.phi.tolist()
    assert [row["value"] for row in attribution["values"]] == list(finding.instance.values)


@settings(max_examples=30, deadline=None)
@given(findings())
def test_the_answer_is_what_the_schema_publishes(finding: Finding) -> None:
    made = answer(private_part(finding), clear_body(finding), ID)
    receipt = {
        "entry_id": ID, "leaf_hash": "0" * 64, "log_origin": "o", "time": "2026-11-20T10:15:00.000000Z",
        "integrate_by": "2026-11-21T10:15:00.000000Z", "key_id": "k", "signature": "s", "index": None,
    }  # fmt: skip
    published = Explanation.model_validate({**made, "receipt": receipt, "late": False})
    # A client that reads the schema must not miss a reason at which a notice has to stop.
    assert [reason.sensitive for reason in published.reasons] == [one.sensitive for one in finding.reasons]


@settings(max_examples=30, deadline=None)
@given(findings())
def test_nothing_personal_is_in_the_clear(finding: Finding) -> None:
    body = clear_body(finding)
    assert set(body) == {
        "model", "version", "model_digest", "manifest_digest", "reference_digest", "method", "catalogue",
        "outcome", "favourable", "reason_codes", "counterfactual_status", "code_version",
    }  # fmt: skip
