"""Checks of a manifest that look at several fields at once."""

from __future__ import annotations

from collections.abc import Iterator

from schemas.counterfactual_checks import counterfactual_findings
from schemas.findings import Finding, Location, repeated
from schemas.manifest_sections import ManifestFeature, ManifestSections, Outcome

PROBABILITIES = ("probability_of_adverse", "probability_of_favourable")


def contradictions(manifest: ManifestSections) -> tuple[Finding, ...]:
    """List everything in which a manifest disagrees with itself."""
    return (
        *_outcome(manifest.outcome),
        *_features(manifest),
        *_factors(manifest),
        *_reference(manifest),
        *counterfactual_findings(manifest),
        *_protected(manifest),
        *_proxies(manifest),
        *_words(manifest),
        *_disclosed_score(manifest),
    )


def _outcome(outcome: Outcome) -> Iterator[Finding]:
    at = "outcome"
    if outcome.adverse == outcome.favourable:
        yield (at, "favourable"), "must differ from the adverse outcome"
    if outcome.classes is not None or outcome.adverse_classes is not None:
        yield from _multiclass(outcome)
        return
    if outcome.threshold is None:
        yield (at, "threshold"), "is required"
    probability = outcome.score in PROBABILITIES
    if probability and outcome.threshold is not None and not 0 < outcome.threshold < 1:
        yield (at, "threshold"), "must lie between 0 and 1, both excluded, for a probability"
    if probability and outcome.direction is not None:
        yield (at, "direction"), "is for the scores margin and value only"
    if not probability and outcome.direction is None:
        yield (at, "direction"), f"is required for the score {outcome.score}"
    yield from _gray_band(outcome)


def _gray_band(outcome: Outcome) -> Iterator[Finding]:
    band, at = outcome.gray_band, ("outcome", "gray_band")
    if band is None:
        return
    if band[0] > band[1]:
        yield at, "must be ordered: least, greatest"
    elif outcome.threshold is not None and not band[0] <= outcome.threshold <= band[1]:
        yield at, "must contain the threshold"
    if outcome.score in PROBABILITIES and not 0 <= min(band) <= max(band) <= 1:
        yield at, "must lie between 0 and 1 for a probability"


def _multiclass(outcome: Outcome) -> Iterator[Finding]:
    classes, adverse = outcome.classes, outcome.adverse_classes
    if outcome.score != "margin":
        yield ("outcome", "score"), "must be margin: the class with the largest one decides"
    if outcome.threshold is not None:
        yield ("outcome", "threshold"), "is not for several classes: the largest margin decides"
    if outcome.direction is not None:
        yield ("outcome", "direction"), "is not for several classes: adverse_classes says what is adverse"
    if outcome.gray_band is not None:
        yield ("outcome", "gray_band"), "is not for several classes: it is around a threshold"
    if classes is None or adverse is None:
        yield (
            ("outcome", "adverse_classes" if adverse is None else "classes"),
            "is required for a multiclass outcome",
        )
        return
    yield from repeated(classes, ("outcome", "classes"))
    yield from repeated(adverse, ("outcome", "adverse_classes"))
    for index, name in enumerate(adverse):
        if name not in classes:
            yield ("outcome", "adverse_classes", index), f'"{name}" is not one of the classes'
    if set(classes) <= set(adverse):
        yield ("outcome", "adverse_classes"), "must leave at least one favourable class"


def _features(manifest: ManifestSections) -> Iterator[Finding]:
    for (_, index), detail in repeated((feature.name for feature in manifest.features), ("features",)):
        yield ("features", index, "name"), detail
    for index, feature in enumerate(manifest.features):
        yield from _feature(feature, ("features", index))


def _feature(feature: ManifestFeature, at: Location) -> Iterator[Finding]:
    numeric = feature.type in {"number", "integer"}
    if feature.range is not None and not numeric:
        yield (*at, "range"), f"is for numbers and integers, not for the type {feature.type}"
    if feature.range is not None and feature.range[0] > feature.range[1]:
        yield (*at, "range"), "must be ordered: least, greatest"
    if feature.type == "category" and feature.categories is None:
        yield (*at, "categories"), "is required for the type category"
    if feature.type != "category" and feature.categories is not None:
        yield (*at, "categories"), f"is for the type category, not for {feature.type}"
    if feature.decimals is not None and not numeric:
        yield (*at, "decimals"), f"is for numbers and integers, not for the type {feature.type}"
    yield from repeated(feature.categories or (), (*at, "categories"))
    yield from repeated(feature.proxy_for, (*at, "proxy_for"))


def _factors(manifest: ManifestSections) -> Iterator[Finding]:
    for (_, index), detail in repeated((factor.name for factor in manifest.factors), ("factors",)):
        yield ("factors", index, "name"), detail
    known = {feature.name for feature in manifest.features}
    owner: dict[str, str] = {}
    for index, factor in enumerate(manifest.factors):
        for place, name in enumerate(factor.features):
            at = ("factors", index, "features", place)
            if name not in known:
                yield at, f'"{name}" is not a feature'
            elif name in owner:
                yield at, f'"{name}" is already in the factor "{owner[name]}"'
            owner.setdefault(name, factor.name)
    for index, feature in enumerate(manifest.features):
        if feature.name not in owner:
            yield (
                ("features", index),
                f'"{feature.name}" is in no factor; every feature belongs to exactly one',
            )


def _reference(manifest: ManifestSections) -> Iterator[Finding]:
    reference, score = manifest.reference, manifest.outcome.score
    if reference.kind == "near_cutoff_approved" and reference.band is None and score not in PROBABILITIES:
        yield ("reference", "band"), f"is required for near_cutoff_approved with the score {score}"


def _protected(manifest: ManifestSections) -> Iterator[Finding]:
    yield from repeated(manifest.protected, ("protected",))
    folded = {feature.name.casefold() for feature in manifest.features}
    for index, name in enumerate(manifest.protected):
        if name.casefold() in folded:
            yield ("protected", index), f'"{name}" is a feature; what is protected is never an input'


def _proxies(manifest: ManifestSections) -> Iterator[Finding]:
    for index, feature in enumerate(manifest.features):
        for place, name in enumerate(feature.proxy_for):
            if name not in manifest.protected:
                yield ("features", index, "proxy_for", place), f'"{name}" is not declared in protected'


def _words(manifest: ManifestSections) -> Iterator[Finding]:
    """Reasons come from a catalogue or from the manifest; what is never missing needs no words for it."""
    nullable = {feature.name for feature in manifest.features if feature.nullable}
    counted = 0
    for index, factor in enumerate(manifest.factors):
        at = ("factors", index)
        if factor.reason is not None and manifest.catalogue is not None:
            yield (*at, "reason"), "must be left out: the manifest names a catalogue"
        elif factor.reason is not None and factor.reason.missing and nullable.isdisjoint(factor.features):
            yield (*at, "reason", "missing"), "is never given: no feature of the factor is nullable"
        counted += factor.inquiries
        if factor.inquiries and counted > 1:
            yield (*at, "inquiries"), "is for one factor at most"


def _disclosed_score(manifest: ManifestSections) -> Iterator[Finding]:
    """A score is disclosed with the range of possible ones: one that this model's scores can have."""
    declared = None if manifest.notice is None else manifest.notice.consumer_report_score
    if declared is None:
        return
    outcome, at = manifest.outcome, ("notice", "consumer_report_score")
    least, greatest = declared.range
    if outcome.classes is not None:
        yield at, "is not for several classes: none of their margins is a score of its own"
    elif least >= greatest:
        yield (*at, "range"), "must be ordered: least, greatest"
    elif outcome.score in PROBABILITIES and not 0 <= least < greatest <= 1:
        yield (*at, "range"), "must lie between 0 and 1: the model's score is a probability"
    elif outcome.threshold is not None and not least <= outcome.threshold <= greatest:
        yield (*at, "range"), "must contain the threshold: the model's score can lie on both sides of it"
