"""A reason catalogue: which words a factor gets, in each language, by what was observed.

A factor has wordings in order; the first whose conditions all hold is taken. A wording without conditions is
for everything the others leave over, and comes last. Nothing is ever worded by a fallback that nobody wrote.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from explain.features import Value

Test = Literal["missing", "present", "above_reference", "below_reference", "at_least", "below", "one_of"]
ComponentKind = Literal["model", "knockout", "judgmental"]


@dataclass(frozen=True, slots=True)
class Language:
    """How one language writes numbers; `tag` is its BCP 47 tag, for instance `en`."""

    tag: str
    decimal_mark: str = "."
    group_mark: str = ","


@dataclass(frozen=True, slots=True)
class Condition:
    """One test of one feature's observed value; `reference` means the mean of the frozen reference."""

    feature: str
    test: Test
    limit: float | None = None  # of at_least and below
    values: tuple[Value, ...] = ()  # of one_of


@dataclass(frozen=True, slots=True)
class Wording:
    """One reason code and its text in every language.

    A text may hold slots: `{income}` is the observed value of a feature of the factor, `{income.reference}`
    the mean of the reference, both with that feature's unit and decimals.
    """

    code: str
    texts: Mapping[str, str]
    when: tuple[Condition, ...] = ()


@dataclass(frozen=True, slots=True)
class FactorWords:
    """What a factor is called, and its wordings in order."""

    factor: str
    labels: Mapping[str, str]
    wordings: tuple[Wording, ...]


@dataclass(frozen=True, slots=True)
class FeatureWords:
    """What a feature is called, its unit, how its numbers are rounded and how its categories are called."""

    feature: str
    labels: Mapping[str, str]
    units: Mapping[str, str]
    decimals: int | None = None
    categories: Mapping[str, Mapping[str, str]] | None = None  # category -> language -> word


@dataclass(frozen=True, slots=True)
class ComponentWords:
    """A reason that another component of a combined system gives: a knock-out rule, a person's judgment.

    `incomplete` marks "application incomplete", which may be given only where nothing could be decided
    (12 CFR 1002.9, comment 9(a)(1)-4).
    """

    code: str
    kind: ComponentKind
    texts: Mapping[str, str]
    incomplete: bool = False


@dataclass(frozen=True, slots=True)
class ReasonCatalogue:
    """One version of a catalogue, ready to be used."""

    name: str
    version: str
    digest: str
    languages: Mapping[str, Language]
    default_language: str
    factors: Mapping[str, FactorWords]
    features: Mapping[str, FeatureWords]
    components: Mapping[str, ComponentWords]


@dataclass(frozen=True, slots=True)
class Worded:
    """The wording that was taken: its place among the factor's wordings, its code and its text."""

    wording: int
    code: str
    text: str
