"""The parts of a reason catalogue, version 1, each checked by itself."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from schemas.base import JsonScalar, LanguageTag, Many, Number, ReasonCode, ResourceName, Wire
from schemas.manifest_counterfactuals import FeatureName, Label
from schemas.manifest_sections import Text

FORMAT = "ofrecord/catalogue-v1"
MANY = 4096

Words = Annotated[dict[LanguageTag, Label], Field(max_length=20)]
Texts = Annotated[dict[LanguageTag, Text], Field(max_length=20)]
Mark = Annotated[str, Field(max_length=1, pattern=r"^[^\x00-\x1f\x7f0-9{}-]?$")]
CatalogueId = Annotated[
    str,
    Field(
        pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,63}(@[A-Za-z0-9][A-Za-z0-9._-]{0,63})?$",
        description="a registered name, or `model@version` for the texts that a manifest carries itself",
    ),
]


class Numerals(Wire):
    """How one language writes numbers; required for every language but English."""

    decimal_mark: Annotated[Mark, Field(min_length=1)] | None = Field(
        default=None, description="between whole and decimals; `.` in English"
    )
    group_mark: Mark | None = Field(
        default=None, description="between thousands; `,` in English, empty for none"
    )


class WordingCondition(Wire):
    """One test of one feature's observed value."""

    feature: FeatureName
    test: Literal[
        "missing", "present", "above_reference", "below_reference", "at_least", "below", "one_of"
    ] = Field(description="the reference is the mean over the frozen reference rows")
    limit: Number | None = Field(default=None, description="for at_least and below")
    values: Many[JsonScalar] = Field(default=(), max_length=1000, description="for one_of")


class FactorWording(Wire):
    """One reason code with its text in every language."""

    code: ReasonCode
    seed: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$")] | None = Field(
        default=None,
        description="a wording of Regulation B's Appendix C, by its factor in the shipped catalogue "
        "`regulation-b-appendix-c`; it is the English text",
    )
    texts: Texts = Field(
        default_factory=dict,
        description="the reason by language; `{income}` is a feature's observed value, `{income.reference}` "
        "its mean over the reference",
    )
    when: Many[WordingCondition] = Field(
        default=(), max_length=20, description="all must hold; without any, the wording is for everything"
    )


class CatalogueFactor(Wire):
    """One factor: what it is called and its wordings, the first whose conditions hold being taken."""

    name: Label = Field(description="the factor, as manifests name it")
    labels: Words = Field(description="what a reader calls it, by language")
    wordings: Many[FactorWording] = Field(min_length=1, max_length=50, description="in order")


class CatalogueFeature(Wire):
    """How a feature and its values are written."""

    name: FeatureName
    labels: Words = Field(description="what a reader calls it, by language")
    units: Words = Field(default_factory=dict, description="the unit written after a number, by language")
    decimals: Annotated[int, Field(ge=0, le=9)] | None = Field(
        default=None, description="how many decimals are written"
    )
    categories: Annotated[dict[Label, Words], Field(max_length=10_000)] | None = Field(
        default=None, description="what a category is called, by category and language"
    )


class CatalogueComponent(Wire):
    """A reason that a knock-out rule or a person gives."""

    code: ReasonCode
    kind: Literal["knockout", "judgmental"] = Field(description="which kind of component may give it")
    seed: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$")] | None = Field(
        default=None, description="as for a wording of a factor"
    )
    texts: Texts = Field(default_factory=dict, description="the reason by language; it has no slots")
    incomplete: bool = Field(
        default=False, description="says that the application is incomplete; only where nothing was decided"
    )


class CatalogueSections(Wire):
    """All parts side by side, before they are compared with each other."""

    catalogue: Literal["ofrecord/catalogue-v1"] = Field(description="the format of this document")
    name: CatalogueId = Field(description="the catalogue")
    version: ResourceName = Field(description='its version, a text: write "1", not 1')
    languages: Annotated[dict[LanguageTag, Numerals], Field(min_length=1, max_length=20)] = Field(
        description="every language, with its way to write numbers; every text is in every language"
    )
    default_language: LanguageTag = Field(description="the language of answers")
    features: Many[CatalogueFeature] = Field(
        default=(), max_length=MANY, description="the features that texts speak of"
    )
    factors: Many[CatalogueFactor] = Field(default=(), max_length=MANY, description="in any order")
    components: Many[CatalogueComponent] = Field(
        default=(), max_length=1000, description="reasons of other components than the model"
    )
