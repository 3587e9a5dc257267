"""A manifest in the explanation core's own types."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from explain.contrast import Contrast
from explain.errors import ConstraintError
from explain.features import FeatureSpace
from registry.conversions import band_of, constraints_of, factors_of, rule_of, space_of
from schemas.manifest import Manifest

DOCS = Path(__file__).resolve().parents[3] / "docs"
DOCUMENT: dict[str, Any] = yaml.safe_load((DOCS / "manifest.example.yaml").read_text("utf-8"))
MANIFEST = Manifest.model_validate(DOCUMENT)


def changed(**parts: Any) -> Manifest:
    document = json.loads(json.dumps(DOCUMENT))
    for name, part in parts.items():
        document[name] = {**document[name], **part}
    return Manifest.model_validate(document)


def test_the_features_keep_the_models_order() -> None:
    space = space_of(MANIFEST)
    assert isinstance(space, FeatureSpace)
    assert space.names == ("income", "debt_ratio", "property_type", "age")
    assert (space.features[0].minimum, space.features[0].maximum) == (0.0, 1000.0)
    assert (space.features[1].minimum, space.features[1].maximum) == (None, None)
    assert space.features[2].categories == ("single", "two_to_four", "condo")
    assert [feature.nullable for feature in space.features] == [False, False, True, False]
    assert [feature.sensitive for feature in space.features] == [False, False, False, True]


def test_the_threshold_belongs_to_the_adverse_side() -> None:
    rule = rule_of(MANIFEST)
    assert rule.outcome(0.3) == "decline"
    assert rule.outcome(0.2999) == "approve"


def test_of_several_classes_the_largest_margin_decides() -> None:
    classes = {"classes": ["a", "b", "c"], "adverse_classes": ["c", "a"], "score": "margin"}
    rule = rule_of(changed(outcome={**classes, "threshold": None}))
    assert rule.contrast == Contrast(("a", "b", "c"), (2, 0))
    margins = np.array([[0.0, 1.0, 0.5], [0.0, 1.0, 1.5]])
    assert rule.favourable_mask(rule.scores_of(margins, margins)).tolist() == [True, False]


def test_factors_carry_what_their_members_are() -> None:
    document = json.loads(json.dumps(DOCUMENT))
    document["features"][1]["proxy_for"] = ["race"]
    document["factors"][2]["inquiries"] = True
    factors = factors_of(Manifest.model_validate(document))
    assert [factor.sensitive for factor in factors] == [False, False, False, True]
    assert [factor.proxy for factor in factors] == [False, True, False, False]
    assert [factor.inquiries for factor in factors] == [False, False, True, False]


def test_constraints_are_the_manifests() -> None:
    constraints = constraints_of(MANIFEST, space_of(MANIFEST))
    assert constraints.max_changes == 3
    assert constraints.of(0).mutable
    assert (constraints.of(0).direction, constraints.of(0).step) == ("increase", 0.1)
    assert constraints.limits(0) == (0.0, 1000.0)
    assert [constraints.of(at).mutable for at in range(4)] == [True, False, False, False]


def test_what_ties_features_together_is_the_manifests() -> None:
    sums = [{"terms": {"income": 2, "debt_ratio": 1}, "at_most": 9}, {"terms": {"age": 3}, "at_least": 1}]
    manifest = changed(
        counterfactuals={
            "inequalities": sums,
            "links": [{"feature": "debt_ratio", "equals": "900 / income", "decimals": 2}],
        }
    )
    constraints = constraints_of(manifest, space_of(manifest))
    assert [(one.terms, one.at_most) for one in constraints.inequalities] == [
        ((("income", 2.0), ("debt_ratio", 1.0)), 9.0),
        ((("age", -3.0),), -1.0),
    ]
    assert [(link.feature, link.parts, link.decimals) for link in constraints.links] == [
        ("debt_ratio", ("income",), 2)
    ]
    assert not constraints.simple(np.array([5.0, 180.0, 0.0, 40.0]))


def test_categories_and_missing_values_are_the_manifests() -> None:
    freedom = {"mutable": True, "missing": "fill", "transitions": {"single": ["condo"]}}
    manifest = changed(counterfactuals={"features": {"property_type": freedom}})
    constraints = constraints_of(manifest, space_of(manifest))
    assert constraints.of(2).fill
    assert constraints.of(2).transitions == {"single": frozenset({"condo"})}
    assert constraints.changeable(np.array([5.0, 180.0, np.nan, 40.0])) == [2]


def test_a_proxy_never_changes() -> None:
    document = json.loads(json.dumps(DOCUMENT))
    document["features"][1]["proxy_for"] = ["race"]
    manifest = Manifest.model_validate(document)
    assert constraints_of(manifest, space_of(manifest)).protected == {"race", "sex", "debt_ratio"}


def test_a_range_that_leaves_nothing_is_refused() -> None:
    manifest = changed(counterfactuals={"features": {"income": {"mutable": True, "range": [2000, 3000]}}})
    with pytest.raises(ConstraintError, match="empty"):
        constraints_of(manifest, space_of(manifest))


def test_the_band_has_a_default_for_probabilities_only() -> None:
    assert band_of(MANIFEST) == 0.05
    bare = json.loads(json.dumps(DOCUMENT))
    del bare["reference"]["band"]
    assert band_of(Manifest.model_validate(bare)) == 0.05
    assert band_of(changed(reference={"kind": "all_applicants"})) is None
