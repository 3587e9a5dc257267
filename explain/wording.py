"""Wording: a reason, its observed values and a catalogue become one plain sentence.

What a sentence says is decided once, by the conditions, and is the same in every language: a wording is only
taken where each of its texts, in whatever language, has a value for each of its slots. Nothing that was
observed is ever read as a slot or as markup; whoever lays a text out escapes it.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping
from decimal import ROUND_HALF_EVEN, Context, Decimal
from functools import lru_cache

from explain.catalogue import (
    Condition,
    FactorWords,
    FeatureWords,
    Language,
    ReasonCatalogue,
    Test,
    Worded,
    Wording,
)
from explain.errors import ReasonUnmapped
from explain.features import Value

Values = Mapping[str, Value]
"""What was observed, by feature: the members of one factor; None is a missing value."""

Means = Mapping[str, float | None]
"""The mean of the reference where it is not missing, by numeric feature."""

REFERENCE = ".reference"
_COMPARE: Mapping[Test, Callable[[float, float], bool]] = {
    "above_reference": operator.gt,
    "below_reference": operator.lt,
    "at_least": operator.ge,
    "below": operator.lt,
}
_SLOT = re.compile(r"\{([^{}]+)\}")
_EXACT = Context(prec=800, rounding=ROUND_HALF_EVEN)  # any float64 with nine decimals, to the last digit
_QUANTA = tuple(Decimal(1).scaleb(-decimals) for decimals in range(10))


def word(
    factor: FactorWords, values: Values, means: Means, catalogue: ReasonCatalogue, language: str
) -> Worded:
    """Take the first wording whose conditions all hold and whose slots all have a value.

    Raises ReasonUnmapped if there is none, or if the one that holds has no code or no text in this language:
    the next one never takes its place.
    """
    for at, wording in enumerate(factor.wordings):
        if not all(holds(condition, values, means) for condition in wording.when):
            continue
        if not _has_its_values(wording, values, means):
            continue
        if not wording.code.strip():
            break
        return Worded(at, wording.code, _text(factor.factor, wording, (values, means), catalogue, language))
    raise ReasonUnmapped(factor.factor)


def text_of(
    catalogue: ReasonCatalogue, factor: str, wording: int, values: Values, means: Means, *, language: str
) -> str:
    """Return a wording that was taken before, in any language; its conditions are not asked again.

    Raises ReasonUnmapped if the catalogue has no such wording, no text for it in this language, or no value
    for one of its slots.
    """
    words = catalogue.factors.get(factor)
    if words is None or not 0 <= wording < len(words.wordings):
        raise ReasonUnmapped(factor)
    return _text(factor, words.wordings[wording], (values, means), catalogue, language)


def component_text(catalogue: ReasonCatalogue, code: str, language: str) -> str:
    """Return the text of a reason that another component gave; ReasonUnmapped if there is none."""
    words = catalogue.components.get(code)
    text = "" if words is None else words.texts.get(language, "")
    if not text.strip():
        raise ReasonUnmapped(code)
    return text


def holds(condition: Condition, values: Values, means: Means) -> bool:
    """Tell whether a condition holds for what was observed.

    A missing value fulfils `missing` alone. Comparisons are of numbers, those with the reference strict:
    neither side holds for a value that equals the mean, or where there is no mean.
    """
    value, test = values.get(condition.feature), condition.test
    if value is None:
        return test == "missing" and condition.feature in values
    if test in ("missing", "present"):
        return test == "present"
    if test == "one_of":
        return any(_same(value, one) for one in condition.values)
    limit = condition.limit if test in ("at_least", "below") else means.get(condition.feature)
    if limit is None or isinstance(value, bool | str):
        return False
    return _COMPARE[test](value, limit)


def names_missing(wording: Wording) -> bool:
    """Tell whether a wording was written for a missing value."""
    return any(condition.test == "missing" for condition in wording.when)


def format_number(value: float, decimals: int | None, language: Language) -> str:
    """Write a number as a language does, rounded half to even from the exact value of the float.

    Without `decimals` it is the shortest form that reads back as the same float, never with an exponent.
    """
    if decimals is not None:
        number = Decimal(value).quantize(_QUANTA[decimals], context=_EXACT)
    elif isinstance(value, int):
        number = Decimal(value)
    else:
        number = Decimal(repr(value).removesuffix(".0"))
    plain = f"{number or abs(number):,f}"  # zero has no sign
    return plain.translate({ord(","): language.group_mark, ord("."): language.decimal_mark})


def format_value(feature: FeatureWords | None, value: Value, language: Language) -> str:
    """Write one observed value: a number with its unit, a category or a boolean by its word.

    A category without a word is written as it was sent, a boolean as `true` or `false`; ValueError for a
    missing value, for which there are only whole sentences.
    """
    if value is None:
        raise ValueError("a missing value has no form")
    if isinstance(value, bool | str):
        name = value if isinstance(value, str) else str(value).lower()
        words = {} if feature is None or feature.categories is None else feature.categories.get(name, {})
        return words.get(language.tag, name)
    number = format_number(value, None if feature is None else feature.decimals, language)
    unit = "" if feature is None else feature.units.get(language.tag, "")
    # A sign such as % stands where the catalogue puts it; a word does not run into the number.
    return f"{number} {unit}" if unit[:1].isalnum() else number + unit


def _same(value: Value, other: Value) -> bool:
    """Compare two values; true and 1 are not the same."""
    return value == other and isinstance(value, bool) == isinstance(other, bool)


def _has_its_values(wording: Wording, values: Values, means: Means) -> bool:
    return all(
        _slot_value(slot, values, means)[1] is not None
        for text in wording.texts.values()
        for slot in _parts(text)[1::2]
    )


def _slot_value(slot: str, values: Values, means: Means) -> tuple[str, Value]:
    """Return the feature of a slot and its value, None where there is none.

    A feature's own name goes before `.reference`. The mean is written only where the factor is that one
    feature: of it alone does a record keep the mean, and the sentence must be writable from the record.
    """
    if slot in values:
        return slot, values[slot]
    feature = slot.removesuffix(REFERENCE)
    if feature == slot or feature not in values or len(values) > 1:
        return feature, None
    return feature, means.get(feature)


def _text(
    factor: str, wording: Wording, seen: tuple[Values, Means], catalogue: ReasonCatalogue, language: str
) -> str:
    """Fill the slots of a wording's text in one language."""
    text = wording.texts.get(language, "")
    if not text.strip():
        raise ReasonUnmapped(factor)
    pieces = list(_parts(text))
    for place in range(1, len(pieces), 2):
        feature, value = _slot_value(pieces[place], *seen)
        if value is None:
            raise ReasonUnmapped(factor)
        pieces[place] = format_value(catalogue.features.get(feature), value, catalogue.languages[language])
    return "".join(pieces)


@lru_cache(maxsize=16_384)
def _parts(text: str) -> tuple[str, ...]:
    """Take a text apart: what stands as it is at even places, slots at odd ones. Catalogues do not change."""
    return tuple(_SLOT.split(text))
