"""Whether a catalogue words the reasons of a model version, and what it leaves without words."""

from __future__ import annotations

from collections.abc import Iterator

from explain.catalogue import FactorWords, ReasonCatalogue, Wording
from registry.errors import CatalogueUnfit
from schemas.catalogue_checks import slots_of
from schemas.manifest import Manifest
from schemas.manifest_sections import ManifestFactor, ManifestFeature

_NUMERIC_TESTS = frozenset({"above_reference", "below_reference", "at_least", "below"})
_NUMERIC_TYPES = frozenset({"number", "integer"})


def require_fit(manifest: Manifest, words: ReasonCatalogue, *, complete: bool) -> None:
    """Raise CatalogueUnfit where wordings contradict the manifest, or, if `complete`, leave out a factor."""
    features = {feature.name: feature for feature in manifest.features}
    faults = [
        fault
        for factor in manifest.factors
        if factor.name in words.factors
        for fault in _faults(factor, words, features)
    ]
    if complete:
        faults += [f'no wording for the factor "{name}"' for name in _without_reason(manifest, words)]
    if faults:
        raise CatalogueUnfit(faults)


def gaps(manifest: Manifest, words: ReasonCatalogue) -> dict[str, list[str]]:
    """Name the factors for which a decision may find no words, or none for a value that is missing."""
    nullable = {feature.name for feature in manifest.features if feature.nullable}
    covered = [factor for factor in manifest.factors if factor.name in words.factors]
    return {
        "factors_without_reason": _without_reason(manifest, words),
        "factors_not_always_worded": [
            factor.name for factor in covered if not _always(words.factors[factor.name], words, nullable)
        ],
        "factors_without_missing_reason": [
            factor.name
            for factor in covered
            if not nullable.intersection(factor.features) <= _missing_tests(words.factors[factor.name])
        ],
    }


def _without_reason(manifest: Manifest, words: ReasonCatalogue) -> list[str]:
    """A decision in which one of these is principal will get no explanation."""
    return [factor.name for factor in manifest.factors if factor.name not in words.factors]


def _always(factor: FactorWords, words: ReasonCatalogue, nullable: set[str]) -> bool:
    """Tell whether some wording is left for whatever is observed.

    A wording with a slot is not taken where that value is missing.
    """
    worded = {
        wording.when[0].feature
        for wording in factor.wordings
        if len(wording.when) == 1 and wording.when[0].test == "missing"
    }
    return any(
        not wording.when and nullable.intersection(name for name, _ in _slots(wording, words)) <= worded
        for wording in factor.wordings
    )


def _missing_tests(factor: FactorWords) -> set[str]:
    """Return the features whose missing value has a wording of its own."""
    return {
        condition.feature
        for wording in factor.wordings
        for condition in wording.when
        if condition.test == "missing"
    }


def _faults(
    factor: ManifestFactor, words: ReasonCatalogue, features: dict[str, ManifestFeature]
) -> Iterator[str]:
    for index, wording in enumerate(words.factors[factor.name].wordings):
        at = f'factor "{factor.name}", wording {index}'
        for fault in (
            *_conditions(wording, factor, features),
            *_slot_faults(wording, factor, words, features),
        ):
            yield f"{at}: {fault}"


def _conditions(
    wording: Wording, factor: ManifestFactor, features: dict[str, ManifestFeature]
) -> Iterator[str]:
    for condition in wording.when:
        if condition.feature not in factor.features:
            yield f'"{condition.feature}" is not one of the factor\'s features'
            continue
        feature = features[condition.feature]
        if condition.test in _NUMERIC_TESTS and feature.type not in _NUMERIC_TYPES:
            yield f'{condition.test} is for numbers, and "{feature.name}" has the type {feature.type}'
        if condition.test == "missing" and not feature.nullable:
            yield f'"{feature.name}" is never missing'
        for value in condition.values:
            if not _possible(value, feature):
                yield f'"{feature.name}" never is {value!r}'


def _possible(value: object, feature: ManifestFeature) -> bool:
    """Tell whether a feature of this type can have this value."""
    if feature.type == "category":
        return value in (feature.categories or ())
    if feature.type == "boolean":
        return isinstance(value, bool)
    return isinstance(value, int | float) and not isinstance(value, bool)


def _slots(wording: Wording, words: ReasonCatalogue) -> list[tuple[str, bool]]:
    return sorted({slot for text in wording.texts.values() for slot in slots_of(text, words.features)})


def _slot_faults(
    wording: Wording, factor: ManifestFactor, words: ReasonCatalogue, features: dict[str, ManifestFeature]
) -> Iterator[str]:
    for name, reference in _slots(wording, words):
        if name not in factor.features:
            yield f'the slot "{{{name}}}" names no feature of the factor'
        elif reference and (features[name].type not in _NUMERIC_TYPES or len(factor.features) > 1):
            # A record keeps the mean of such a factor alone, and words must be written again from it.
            yield f'the slot "{{{name}.reference}}" is for a factor of one number'
