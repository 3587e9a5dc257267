"""The first answer, rebuilt from its private bytes, is the first answer: text for text, bit for bit."""

from __future__ import annotations

import struct
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast
from uuid import UUID

import numpy as np
import orjson
from hypothesis import given, settings
from hypothesis import strategies as st

from audit.canonical import canonical
from explain.attribution.base import Attribution
from explain.components import Combined, Component
from explain.counterfactual.base import Change, Counterfactual, CounterfactualSet, Effort
from explain.features import Feature, FeatureSpace, Instance, Value
from explain.outcome import Decision
from explain.reasons import Reason
from records.private import build_private, parse_private
from schemas.answer import Explanation
from schemas.application import Application, DecisionComponent
from schemas.counterfactual import CounterfactualAnswers, CounterfactualRequest
from schemas.explanation import ExplanationRequest
from service.explanations.finding import Finding, Question
from service.explanations.owing import notice_of
from service.explanations.record import answer, clear_body, private_part
from service.explanations.searching import Recourse

DIGEST = "sha256:" + "0" * 64
NOW = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)
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
def _components(draw: st.DrawFn) -> Component:
    kind, result = st.sampled_from(["knockout", "judgmental"]), st.sampled_from(["passed", "failed"])
    return Component(draw(lines), cast("Any", draw(kind)), cast("Any", draw(result)))


APPLICATION = {
    "completed_at": "2026-11-12T08:00:00Z",
    "action": "denial",
    "requested": "100,000 over 10 years",
    "applicant": {"name": "Ana Pérez", "address": ["1 Main Street", "Boston"]},
    "consumer_reports": [
        {
            "agency": {"name": "Bureau", "address": "2 Side Street", "telephone": "800-1"},
            "score": {
                "value": 612,
                "range": [300, 850],
                "created_at": "2026-11-11T08:00:00+01:00",
                "source": "Scorer",
                "key_factors": ["Too many inquiries"],
            },
        },
        {"agency": {"name": "Other", "address": "3 Side Street", "telephone": "800-2"}},
    ],
}


ASKED: list[dict[str, Any]] = [
    {},
    {
        "count": 1,
        "required": True,
        "features_to_vary": ["b", "a"],
        "permitted_range": {"a": [1, 2.5], "c": ["x", "y"], "d": []},
        "max_changes": 2,
        "methods": ["direct", "dice_random"],
        "target": {"score": 0.2, "direction": "below"},
    },
    {"target": {"class": "green"}},
]


@st.composite
def findings(draw: st.DrawFn) -> Finding:
    features = draw(st.lists(_features(), min_size=1, max_size=6, unique_by=lambda pair: pair[0].name))
    space = FeatureSpace(tuple(feature for feature, _ in features))
    values = tuple(value for _, value in features)
    width = len(features)
    names = st.sampled_from(space.names)
    one = dict(zip(space.names, values, strict=True))
    changes = st.lists(names, min_size=1, max_size=3, unique=True)
    reasons = tuple(
        Reason(
            rank + 1, draw(texts), draw(texts), draw(texts), draw(reals), draw(st.floats(0, 1)),
            draw(st.none() | reals), tuple((name, one[name]) for name in draw(changes)), draw(st.booleans()),
            draw(st.booleans()), draw(st.booleans()), draw(st.none() | lines), draw(st.integers(0, 9)),
        )
        if draw(st.booleans())
        else Reason(
            rank + 1, draw(texts), draw(texts), draw(texts), None, None, None, (), False, False,
            component=draw(lines), given=((draw(lines), draw(lines)),),
        )
        for rank in range(draw(st.integers(0, 4)))
    )  # fmt: skip
    components = draw(st.lists(_components(), max_size=3))
    outcome, favourable = draw(texts), draw(st.booleans())
    loaded = SimpleNamespace(
        model_name="m", version="1", artifact_digest=DIGEST, manifest_digest=DIGEST, reference_digest=DIGEST,
        catalogue=SimpleNamespace(name="c", version="1", digest=DIGEST), space=space,
        reference=SimpleNamespace(kind="given", rows=np.zeros((3, width)), band=draw(st.none() | reals)),
        manifest=SimpleNamespace(profile=draw(st.sampled_from(["lending", "clinical"]))),
    )  # fmt: skip
    request = ExplanationRequest(
        decision_id=draw(lines),
        subject_ref=draw(st.none() | lines),
        features={},
        counterfactuals=CounterfactualRequest.model_validate(draw(st.sampled_from(ASKED))),
        purpose=draw(st.none() | st.just("x")),
        application=draw(st.none() | st.just(Application.model_validate(APPLICATION))),
        components=tuple(
            DecisionComponent(name=sent.name, kind=sent.kind, result=sent.result) for sent in components
        ),
    )
    phi = np.array(draw(st.lists(reals, min_size=width, max_size=width)))
    return Finding(
        question=Question("m", request),
        loaded=cast("Any", loaded),
        instance=Instance(values, np.zeros(width)),
        decision=Decision(outcome, favourable, draw(reals), draw(reals), draw(reals)),
        attribution=Attribution(
            "exact", draw(reals), phi, draw(reals), draw(reals), abs(draw(reals)), abs(draw(reals))
        ),
        combined=Combined(
            draw(texts), draw(st.booleans()), (Component("model", "model", "passed"), *components)
        ),
        reasons=reasons,
        key_factors=({"code": "R1", "factor": "f", "text": "t", "contribution": 0.5},)
        * draw(st.integers(0, 1)),
        warnings=({"code": "missing", "feature": draw(names), "detail": draw(texts)},),
        sought=None,
        attribution_ms=1.0,
        reasons_ms=1.0,
    )


@st.composite
def recourses(draw: st.DrawFn, finding: Finding) -> Recourse:
    one = dict(zip(finding.loaded.space.names, finding.instance.values, strict=True))
    changes = st.lists(st.sampled_from(finding.loaded.space.names), min_size=1, max_size=3, unique=True)
    items = tuple(
        Counterfactual(
            tuple(Change(name, one[name], one[name], draw(st.booleans())) for name in draw(changes)),
            *(draw(reals) for _ in range(2)), draw(texts), abs(draw(reals)), "threshold_search", True,
        )
        for _ in range(draw(st.integers(0, 2)))
    )  # fmt: skip
    found = CounterfactualSet(
        "found" if items else "deferred",
        bool(items),
        items,
        7,
        draw(st.integers(0, 2**63 - 1)),
        (Effort("threshold_search", "finished", 7), Effort("dice_random", "unavailable")),
        draw(st.sampled_from([None, "bounded"])),
        least_cost=draw(st.none() | reals),
    )
    return Recourse(found, 1.0, None if items else UUID(ID))


@st.composite
def explanations(draw: st.DrawFn) -> tuple[Finding, Recourse]:
    finding = draw(findings())
    return finding, draw(recourses(finding))


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
@given(explanations())
def test_the_answer_rebuilt_from_private_bytes_is_the_answer(made: tuple[Finding, Recourse]) -> None:
    finding, recourse = made
    notice = notice_of(finding, NOW)
    part, body = private_part(finding, recourse, notice), clear_body(finding, recourse, notice)
    first = answer(part, body, ID)
    again = answer(parse_private(build_private(part)), body, ID)
    assert _bits(again) == _bits(first)
    assert orjson.dumps(again) == orjson.dumps(first)
    # What was put on record is what the engine said, not something that merely reads back alike.
    attribution = cast("dict[str, Any]", first["attribution"])
    assert [row["phi"] for row in attribution["values"]] == finding.attribution.phi.tolist()
    assert [row["value"] for row in attribution["values"]] == list(finding.instance.values)


@settings(max_examples=30, deadline=None)
@given(explanations())
def test_the_answer_is_what_the_schema_publishes(explained: tuple[Finding, Recourse]) -> None:
    finding, recourse = explained
    notice = notice_of(finding, NOW)
    made = answer(private_part(finding, recourse, notice), clear_body(finding, recourse, notice), ID)
    receipt = {
        "entry_id": ID, "leaf_hash": "0" * 64, "log_origin": "o", "time": "2026-11-20T10:15:00.000000Z",
        "integrate_by": "2026-11-21T10:15:00.000000Z", "key_id": "k", "signature": "s", "index": None,
    }  # fmt: skip
    published = Explanation.model_validate({**made, "receipt": receipt, "late": False})
    # A client that reads the schema must not miss a reason at which a notice has to stop.
    assert [reason.sensitive for reason in published.reasons] == [one.sensitive for one in finding.reasons]
    told = published.counterfactuals
    assert list(CounterfactualAnswers.model_fields) == list(made["counterfactuals"])  # type: ignore[call-overload]
    assert told.evaluation_id == (None if recourse.evaluation_id is None else str(recourse.evaluation_id))
    assert [one.evaluations for one in told.searches] == [7, 0]
    assert [[change.derived for change in item.changes] for item in told.items] == [
        [change.derived for change in item.changes] for item in recourse.found.items
    ]


@settings(max_examples=60, deadline=None)
@given(explanations())
def test_nothing_personal_is_in_the_clear(made: tuple[Finding, Recourse]) -> None:
    finding, recourse = made
    notice, request = notice_of(finding, NOW), finding.question.request
    body = clear_body(finding, recourse, notice)
    always = {
        "model", "version", "model_digest", "manifest_digest", "reference_digest", "method", "catalogue",
        "outcome", "favourable", "reason_codes", "counterfactual_status", "code_version",
    }  # fmt: skip
    blocked = any(reason.sensitive or reason.proxy for reason in finding.reasons)
    owed = finding.loaded.manifest.profile == "lending" and not finding.combined.favourable
    assert (notice is not None) == owed
    expected = set(always)
    expected |= {"model_outcome"} if request.components else set()
    expected |= {"action"} if request.application else set()
    expected |= {"notice_clock", "notice_due_at"} if owed else set()
    expected |= {"counterfactual_evaluation_id"} if recourse.evaluation_id else set()
    expected |= {"notice_blocked"} if owed or blocked else set()
    assert set(body) == expected
    assert (body["outcome"], body["favourable"]) == (finding.combined.outcome, finding.combined.favourable)
    assert body.get("model_outcome", finding.decision.outcome) == finding.decision.outcome
    assert body.get("notice_blocked", False) == blocked
    if owed:
        assert body["notice_due_at"] == ("2026-12-12T08:00:00.000000Z" if request.application else None)
    assert canonical(dict(body))
