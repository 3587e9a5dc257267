"""The part of a manifest that says what a counterfactual may change."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from schemas.base import Many, Number, Pair, Wire

CounterfactualMethod = Literal["direct", "dice_random", "dice_genetic", "dice_kdtree"]

FeatureName = Annotated[
    str,
    Field(
        min_length=1,
        max_length=128,
        pattern=r"^[^\x00-\x1f\x7f]+$",
        description="the feature, as the model knows it",
    ),
]
Label = Annotated[str, Field(min_length=1, max_length=128, pattern=r"^[^\x00-\x1f\x7f]+$")]
Range = Annotated[Pair[Number], Field(description="least and greatest, both included")]


class FeatureFreedom(Wire):
    """What a counterfactual may do with one feature."""

    mutable: bool = Field(description="whether it may change at all")
    direction: Literal["increase", "decrease"] | None = Field(
        default=None, description="the only way it may move"
    )
    range: Range | None = Field(default=None, description="where it must stay")
    step: Annotated[Number, Field(gt=0)] | None = Field(default=None, description="the grain of a change")
    missing: Literal["keep", "fill"] = Field(
        default="keep", description="keep: a missing value stays missing; fill: it may be given"
    )
    transitions: dict[Label, Many[Label]] | None = Field(
        default=None,
        max_length=10_000,
        description="categories: which may become which; one that is not named stays as it is",
    )


class LinearInequality(Wire):
    """A weighted sum of features that every counterfactual keeps within a bound."""

    terms: dict[FeatureName, Number] = Field(
        min_length=1, max_length=100, description="weight by feature; numbers and integers only"
    )
    at_most: Number | None = Field(default=None, description="the greatest sum; this or at_least")
    at_least: Number | None = Field(default=None, description="the least sum; this or at_most")


class DerivedLink(Wire):
    """A feature that is computed from others, and recomputed when they change."""

    feature: FeatureName
    equals: Annotated[str, Field(min_length=1, max_length=256)] = Field(
        description='sums, products and quotients of features and numbers, for instance "loan / value"; a '
        "name that is no identifier stands between backquotes"
    )
    decimals: Annotated[int, Field(ge=0, le=9)] | None = Field(
        default=None, description="to how many decimals the result is rounded; not at all when left out"
    )


class ManifestCounterfactuals(Wire):
    """What may be suggested to an applicant. A feature that is not named keeps its value."""

    features: dict[FeatureName, FeatureFreedom] = Field(
        default_factory=dict, description="freedom by feature"
    )
    max_changes: int = Field(default=3, ge=1, le=100, description="how many features may change together")
    one_hot: Many[Annotated[Many[FeatureName], Field(min_length=2, max_length=1000)]] = Field(
        default=(),
        max_length=100,
        description="groups of features of which exactly one is 1 and all others are 0; moving the 1 is one "
        "change",
    )
    inequalities: Many[LinearInequality] = Field(
        default=(), max_length=100, description="what every suggestion keeps to"
    )
    links: Many[DerivedLink] = Field(default=(), max_length=100, description="derived features")
    methods: Annotated[Many[CounterfactualMethod], Field(min_length=1, max_length=4)] = Field(
        default=("direct", "dice_random"),
        description="searches, in the order in which they are asked, each while fewer counterfactuals than "
        "wanted are verified and time is left",
    )
