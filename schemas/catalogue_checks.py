"""Checks of a reason catalogue that look at several fields at once."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping

from schemas.catalogue_sections import (
    CatalogueComponent,
    CatalogueFactor,
    CatalogueFeature,
    CatalogueSections,
    FactorWording,
    Numerals,
    WordingCondition,
)

Location = tuple[str | int, ...]
Finding = tuple[Location, str]

SEED_LANGUAGE = "en"
_SLOT = re.compile(r"\{([^{}]*)\}")
_REFERENCE = ".reference"


def contradictions(catalogue: CatalogueSections) -> Iterator[Finding]:
    """List everything in which a catalogue disagrees with itself."""
    languages = tuple(catalogue.languages)
    yield from _languages(catalogue)
    yield from _repeated((feature.name for feature in catalogue.features), "features", "name")
    yield from _repeated((factor.name for factor in catalogue.factors), "factors", "name")
    yield from _repeated((component.code for component in catalogue.components), "components", "code")
    for index, feature in enumerate(catalogue.features):
        yield from _feature(feature, ("features", index), languages)
    known = {feature.name for feature in catalogue.features}
    for index, factor in enumerate(catalogue.factors):
        yield from _factor(factor, ("factors", index), languages, known)
    for index, component in enumerate(catalogue.components):
        yield from _component(component, ("components", index), languages)


def slots_of(text: str, known: Collection[str]) -> tuple[tuple[str, bool], ...]:
    """Return the slots of a text: the feature, and whether the mean of the reference is meant.

    A name that is a feature's own counts as that; only then does `.reference` mean anything. Raises
    ValueError, with a sentence, for a slot that is neither, and for a brace that belongs to none.
    """
    if "{" in (rest := _SLOT.sub("", text)) or "}" in rest:
        raise ValueError("has a brace that belongs to no slot")
    found = []
    for inner in _SLOT.findall(text):
        feature = inner if inner in known else inner.removesuffix(_REFERENCE)
        if feature not in known:
            raise ValueError(f'has the slot "{{{inner[:128]}}}", which names no known feature')
        found.append((feature, feature != inner))
    return tuple(found)


def _languages(catalogue: CatalogueSections) -> Iterator[Finding]:
    if catalogue.default_language not in catalogue.languages:
        yield ("default_language",), "is not one of the languages"
    for tag, numerals in catalogue.languages.items():
        yield from _numerals(tag, numerals)


def _numerals(tag: str, numerals: Numerals) -> Iterator[Finding]:
    english = tag.partition("-")[0] == "en"
    decimal, group = numerals.decimal_mark, numerals.group_mark
    for field, mark in (("decimal_mark", decimal), ("group_mark", group)):
        if mark is None and not english:
            yield ("languages", tag, field), "is required: only English has one by default"
    if (decimal or ".") == ("," if group is None else group):
        yield ("languages", tag, "group_mark"), "must differ from the decimal mark"


def _repeated(names: Iterable[str], member: str, field: str) -> Iterator[Finding]:
    seen: Counter[str] = Counter()
    for index, name in enumerate(names):
        seen[name] += 1
        if seen[name] > 1:
            yield (member, index, field), f'"{name}" is declared twice'


def _words(
    given: Mapping[str, str], at: Location, languages: tuple[str, ...], *, seeded: bool = False
) -> Iterator[Finding]:
    """Find languages without a text, and texts in languages that are not declared."""
    for language in languages:
        if language not in given and not (seeded and language == SEED_LANGUAGE):
            yield (*at, language), "is required: every text is in every language"
    for language in given:
        if language not in languages:
            yield (*at, language), "is not one of the languages"


def _feature(feature: CatalogueFeature, at: Location, languages: tuple[str, ...]) -> Iterator[Finding]:
    yield from _words(feature.labels, (*at, "labels"), languages)
    if feature.units:
        yield from _words(feature.units, (*at, "units"), languages)
    for category, words in (feature.categories or {}).items():
        yield from _words(words, (*at, "categories", category), languages)


def _factor(
    factor: CatalogueFactor, at: Location, languages: tuple[str, ...], known: set[str]
) -> Iterator[Finding]:
    yield from _words(factor.labels, (*at, "labels"), languages)
    unconditional: int | None = None
    for index, wording in enumerate(factor.wordings):
        place = (*at, "wordings", index)
        if unconditional is not None:
            yield place, f"is never reached: wording {unconditional} has no conditions"
        elif not wording.when:
            unconditional = index
        yield from _wording(wording, place, languages, known)


def _wording(
    wording: FactorWording, at: Location, languages: tuple[str, ...], known: set[str]
) -> Iterator[Finding]:
    yield from _seeded(wording.seed, at, languages)
    yield from _words(wording.texts, (*at, "texts"), languages, seeded=wording.seed is not None)
    for language, text in wording.texts.items():
        try:
            slots_of(text, known)
        except ValueError as fault:
            yield (*at, "texts", language), str(fault)
    for index, condition in enumerate(wording.when):
        yield from _condition(condition, (*at, "when", index))


def _condition(condition: WordingCondition, at: Location) -> Iterator[Finding]:
    numeric = condition.test in {"at_least", "below"}
    if numeric and condition.limit is None:
        yield (*at, "limit"), f"is required for {condition.test}"
    if not numeric and condition.limit is not None:
        yield (*at, "limit"), f"is for at_least and below, not for {condition.test}"
    chosen = condition.test == "one_of"
    if chosen and not condition.values:
        yield (*at, "values"), "is required for one_of"
    if not chosen and condition.values:
        yield (*at, "values"), f"is for one_of, not for {condition.test}"
    for index, value in enumerate(condition.values):
        if value is None:
            yield (*at, "values", index), "must be a value; what is missing is tested by missing"


def _component(component: CatalogueComponent, at: Location, languages: tuple[str, ...]) -> Iterator[Finding]:
    yield from _seeded(component.seed, at, languages)
    yield from _words(component.texts, (*at, "texts"), languages, seeded=component.seed is not None)
    for language, text in component.texts.items():
        if "{" in text or "}" in text:
            yield (*at, "texts", language), "has a brace; a component's text has no slots"


def _seeded(seed: str | None, at: Location, languages: tuple[str, ...]) -> Iterator[Finding]:
    if seed is not None and SEED_LANGUAGE not in languages:
        yield (*at, "seed"), "is an English text, and `en` is not one of the languages"
