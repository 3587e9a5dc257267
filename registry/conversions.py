"""What a manifest says, in the explanation core's own types."""

from __future__ import annotations

from collections.abc import Sequence

from explain.contrast import Contrast
from explain.counterfactual.constraints.checker import Constraints, FeatureConstraint
from explain.counterfactual.constraints.expressions import Expression
from explain.counterfactual.constraints.inequalities import Inequality
from explain.counterfactual.constraints.links import Link
from explain.errors import ConstraintError, FieldError
from explain.features import Feature, FeatureSpace, FloatWidth
from explain.outcome import OutcomeRule
from explain.reasons import Factor
from schemas.manifest import Manifest
from schemas.manifest_checks import PROBABILITIES
from schemas.manifest_counterfactuals import DerivedLink, FeatureFreedom, LinearInequality
from schemas.manifest_sections import ManifestFeature

DEFAULT_BAND = 0.05  # of a probability, either side of the threshold


def space_of(manifest: Manifest, float_width: FloatWidth = 32) -> FeatureSpace:
    """Return the features in the model's own order."""
    return FeatureSpace(tuple(_feature(feature) for feature in manifest.features), float_width)


def _feature(feature: ManifestFeature) -> Feature:
    minimum, maximum = (None, None) if feature.range is None else map(float, feature.range)
    return Feature(
        name=feature.name,
        type=feature.type,
        unit=feature.unit,
        minimum=minimum,
        maximum=maximum,
        categories=feature.categories or (),
        nullable=feature.nullable,
        sensitive=feature.sensitive,
    )


def rule_of(manifest: Manifest) -> OutcomeRule:
    """Return the threshold and its sides; for several classes, the contrast of the two sides' best."""
    outcome = manifest.outcome
    if outcome.classes is not None and outcome.adverse_classes is not None:
        adverse = tuple(outcome.classes.index(name) for name in outcome.adverse_classes)
        contrast = Contrast(tuple(outcome.classes), adverse)
        return OutcomeRule("margin", 0.0, outcome.adverse, outcome.favourable, "high_is_adverse", contrast)
    assert outcome.threshold is not None  # noqa: S101  the schema asks for it
    return OutcomeRule(
        score=outcome.score,
        threshold=float(outcome.threshold),
        adverse=outcome.adverse,
        favourable=outcome.favourable,
        direction=outcome.direction,
    )


def band_of(manifest: Manifest) -> float | None:
    """Return the band around the threshold; None where the kind of reference has none."""
    reference = manifest.reference
    if reference.kind != "near_cutoff_approved":
        return None
    if reference.band is None:
        assert manifest.outcome.score in PROBABILITIES  # noqa: S101  the schema asks for it otherwise
        return DEFAULT_BAND
    return float(reference.band)


def factors_of(manifest: Manifest) -> tuple[Factor, ...]:
    """Return the factors, in the declared order."""
    sensitive = {feature.name for feature in manifest.features if feature.sensitive}
    proxies = {feature.name for feature in manifest.features if feature.proxy_for}
    return tuple(
        Factor(
            name=factor.name,
            features=factor.features,
            sensitive=not sensitive.isdisjoint(factor.features),
            proxy=not proxies.isdisjoint(factor.features),
            inquiries=factor.inquiries,
        )
        for factor in manifest.factors
    )


def constraints_of(manifest: Manifest, space: FeatureSpace) -> Constraints:
    """Return what a counterfactual may change; ConstraintError for what cannot be kept, each at its place."""
    declared = manifest.counterfactuals
    proxies = {feature.name for feature in manifest.features if feature.proxy_for}
    return Constraints(
        space=space,
        by_feature={name: _constraint(freedom) for name, freedom in declared.features.items()},
        max_changes=declared.max_changes,
        protected=frozenset({*manifest.protected, *proxies}),
        groups=declared.one_hot,
        inequalities=tuple(_inequality(inequality) for inequality in declared.inequalities),
        links=_links(declared.links),
    )


def _constraint(freedom: FeatureFreedom) -> FeatureConstraint:
    minimum, maximum = (None, None) if freedom.range is None else map(float, freedom.range)
    transitions = freedom.transitions
    return FeatureConstraint(
        mutable=freedom.mutable,
        direction=freedom.direction,
        minimum=minimum,
        maximum=maximum,
        step=None if freedom.step is None else float(freedom.step),
        fill=freedom.missing == "fill",
        transitions=None
        if transitions is None
        else {name: frozenset(targets) for name, targets in transitions.items()},
    )


def _inequality(declared: LinearInequality) -> Inequality:
    """Write a lower bound as the upper bound of the negated sum."""
    sign, bound = (1.0, declared.at_most) if declared.at_most is not None else (-1.0, declared.at_least)
    assert bound is not None  # noqa: S101  the schema asks for one of the two
    return Inequality(
        tuple((name, sign * float(weight)) for name, weight in declared.terms.items()), sign * float(bound)
    )


def _links(declared: Sequence[DerivedLink]) -> tuple[Link, ...]:
    links, faults = [], []
    for index, link in enumerate(declared):
        try:
            links.append(Link(link.feature, Expression.parse(link.equals), link.decimals))
        except ConstraintError as fault:
            faults.append(FieldError(f"/links/{index}/equals", str(fault)))
    if faults:
        raise ConstraintError(errors=faults)
    return tuple(links)
