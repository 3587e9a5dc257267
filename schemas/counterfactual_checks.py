"""Checks of a manifest's counterfactuals against its features: names, types, and what may never change.

What takes arithmetic (formulas, empty ranges, sums that nothing satisfies) is checked where it is computed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from schemas.findings import Finding, Location, repeated
from schemas.manifest_counterfactuals import DerivedLink, FeatureFreedom, LinearInequality
from schemas.manifest_sections import ManifestFeature, ManifestSections

AT = "counterfactuals"
Features = Mapping[str, ManifestFeature]


def counterfactual_findings(manifest: ManifestSections) -> Iterator[Finding]:
    """Find everything in which the counterfactuals and the features disagree."""
    by_name = {feature.name: feature for feature in manifest.features}
    declared = manifest.counterfactuals
    for name, freedom in declared.features.items():
        at = (AT, "features", name)
        if name not in by_name:
            yield at, f'"{name}" is not a feature'
        else:
            yield from _freedom(by_name[name], freedom, at)
    yield from _groups(by_name, manifest)
    for index, inequality in enumerate(declared.inequalities):
        yield from _inequality(by_name, inequality, (AT, "inequalities", index))
    for index, link in enumerate(declared.links):
        yield from _link(by_name.get(link.feature), link, (AT, "links", index, "feature"))
    yield from repeated(declared.methods, (AT, "methods"))


def _freedom(feature: ManifestFeature, freedom: FeatureFreedom, at: Location) -> Iterator[Finding]:
    if freedom.mutable and feature.sensitive:
        yield (*at, "mutable"), "must be false: a sensitive feature is never changed"
    if freedom.mutable and feature.proxy_for:
        yield (*at, "mutable"), "must be false: a proxy of what is protected is never changed"
    if freedom.missing == "fill" and not (feature.nullable and freedom.mutable):
        why = "mutable" if feature.nullable else "nullable"
        yield (*at, "missing"), f"must be keep: the feature is not {why}"
    yield from _kind(feature, freedom, at)
    if freedom.transitions is not None:
        yield from _transitions(feature, freedom.transitions, (*at, "transitions"))


def _kind(feature: ManifestFeature, freedom: FeatureFreedom, at: Location) -> Iterator[Finding]:
    """Find what does not suit the feature's type."""
    if freedom.range is not None and freedom.range[0] > freedom.range[1]:
        yield (*at, "range"), "must be ordered: least, greatest"
    if feature.type in {"boolean", "category"}:
        fields = ("range", "step") if feature.type == "boolean" else ("direction", "range", "step")
        for field in fields:
            if getattr(freedom, field) is not None:
                yield (*at, field), f"is for numbers and integers, not for the type {feature.type}"
    if feature.type == "integer" and freedom.step is not None and freedom.step != int(freedom.step):
        yield (*at, "step"), "must be a whole number for an integer"


def _transitions(
    feature: ManifestFeature, transitions: Mapping[str, tuple[str, ...]], at: Location
) -> Iterator[Finding]:
    if feature.categories is None:
        yield at, f"is for categories, not for the type {feature.type}"
        return
    known = set(feature.categories)
    for name, targets in transitions.items():
        if name not in known:
            yield (*at, name), f'"{name}" is not one of the categories'
        for index, target in enumerate(targets):
            if target not in known:
                yield (*at, name, index), f'"{target}" is not one of the categories'
        yield from repeated(targets, (*at, name))


def _groups(by_name: Features, manifest: ManifestSections) -> Iterator[Finding]:
    declared = manifest.counterfactuals
    seen: dict[str, int] = {}
    for index, group in enumerate(declared.one_hot):
        for place, name in enumerate(group):
            at = (AT, "one_hot", index, place)
            if name not in by_name:
                yield at, f'"{name}" is not a feature'
            elif by_name[name].type == "category":
                yield at, f'"{name}" is a category: it is one by itself'
            elif name in seen:
                where = "twice" if seen[name] == index else "in two groups"
                yield at, f'"{name}" is named {where}'
            elif name not in declared.features or not declared.features[name].mutable:
                yield at, f'"{name}" must be mutable: moving the 1 changes two members'
            seen.setdefault(name, index)


def _inequality(by_name: Features, inequality: LinearInequality, at: Location) -> Iterator[Finding]:
    if (inequality.at_most is None) == (inequality.at_least is None):
        yield (*at, "at_most"), "either at_most or at_least is required"
    for name in inequality.terms:
        if name not in by_name:
            yield (*at, "terms", name), f'"{name}" is not a feature'
        elif by_name[name].type not in {"number", "integer"}:
            yield (*at, "terms", name), f"is for numbers and integers, not for the type {by_name[name].type}"


def _link(feature: ManifestFeature | None, link: DerivedLink, at: Location) -> Iterator[Finding]:
    if feature is None:
        yield at, f'"{link.feature}" is not a feature'
    elif feature.sensitive or feature.proxy_for:
        yield at, "must be no sensitive feature and no proxy: those never change"
