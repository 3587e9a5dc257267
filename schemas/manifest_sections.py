"""The parts of a manifest, version 1, each checked by itself."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from schemas.base import PROSE, Many, Number, ReasonCode, ResourceName, Wire
from schemas.manifest_counterfactuals import FeatureName, Label, ManifestCounterfactuals, Range

Family = Literal["xgboost", "lightgbm", "sklearn", "catboost", "mlp", "text"]
Profile = Literal["lending", "clinical", "general"]
ReferenceKind = Literal["near_cutoff_approved", "all_applicants", "given"]
TEXT_LIMIT = 2048

Text = Annotated[str, Field(min_length=1, max_length=TEXT_LIMIT, pattern=PROSE)]


class Outcome(Wire):
    """What the model decides and where the line runs."""

    adverse: Label = Field(description="the outcome that needs reasons, for instance `decline`")
    favourable: Label = Field(description="the other outcome, for instance `approve`")
    score: Literal["probability_of_adverse", "probability_of_favourable", "margin", "value"] = Field(
        description="what the model's score means"
    )
    threshold: Number | None = Field(
        default=None,
        description="probability_of_adverse: adverse when score >= threshold; probability_of_favourable: "
        "adverse when score < threshold; margin and value: see direction",
    )
    direction: Literal["high_is_adverse", "low_is_adverse"] | None = Field(
        default=None, description="which side of the threshold is adverse; for margin and value only"
    )
    gray_band: Range | None = Field(
        default=None,
        description="scores that are referred to judgment: least and greatest, threshold between",
    )
    classes: Many[Label] | None = Field(
        default=None,
        min_length=2,
        max_length=1000,
        description="multiclass: every class, in the model's order",
    )
    adverse_classes: Many[Label] | None = Field(
        default=None, min_length=1, max_length=1000, description="multiclass: the classes that are adverse"
    )


class ManifestFeature(Wire):
    """One input of the model."""

    name: FeatureName
    type: Literal["number", "integer", "boolean", "category"] = Field(description="what a request must send")
    unit: Label | None = Field(default=None, description="the unit, in plain words")
    range: Range | None = Field(
        default=None, description="usual values; what lies outside is flagged, not refused"
    )
    categories: Many[Label] | None = Field(
        default=None,
        min_length=1,
        max_length=10_000,
        description="every category, in the artifact's own order",
    )
    nullable: bool = Field(default=False, description="whether it may be missing")
    sensitive: bool = Field(
        default=False, description="may be scored, but blocks a notice when it is principal"
    )
    proxy_for: Many[FeatureName] = Field(
        default=(),
        max_length=100,
        description="protected attributes that it stands in for; blocks a notice when it is principal",
    )
    noise: bool = Field(
        default=False, description="meant to carry nothing; the gate warns when it outranks a real factor"
    )
    label: Label | None = Field(default=None, description="what a reader calls it")
    source: Text | None = Field(default=None, description="where its values come from")
    decimals: Annotated[int, Field(ge=0, le=9)] | None = Field(
        default=None, description="how many decimals a reader is shown"
    )


class MissingText(Wire):
    """The reason given when a value of the factor is missing."""

    code: ReasonCode
    text: Text = Field(description="the reason in words an applicant understands")


class ReasonText(Wire):
    """The reason given when a factor is principal."""

    code: ReasonCode
    text: Text = Field(description="the reason in words an applicant understands")
    missing: MissingText | None = Field(
        default=None, description="the reason where a value of the factor is missing"
    )


class ManifestFactor(Wire):
    """A group of features that is one reason; its contribution is the sum of theirs."""

    name: Label = Field(description="the factor")
    features: Many[FeatureName] = Field(
        min_length=1, description="its features; every feature is in exactly one factor"
    )
    reason: ReasonText | None = Field(
        default=None,
        description="without one, a decision in which the factor is principal gets no explanation",
    )
    label: Label | None = Field(default=None, description="what a reader calls it")
    inquiries: bool = Field(
        default=False, description="counts recent inquiries: the fifth key factor of a consumer-report score"
    )


class ManifestReasons(Wire):
    """How many principal reasons are given."""

    limit: int = Field(default=4, ge=1, le=4, description="at most so many, over all components together")
    minimum_share: Annotated[Number, Field(ge=0, lt=1)] = Field(
        default=0,
        description="factors below this share of all adverse contributions are not principal; 0 for none",
    )


class CatalogueName(Wire):
    """A registered reason catalogue."""

    name: ResourceName = Field(description="its name")
    version: ResourceName = Field(description="its version")


class Role(Wire):
    """What the system does in the decision (EU AI Act, Article 86; GDPR, Article 22)."""

    kind: Literal["determinative", "advisory"] = Field(
        description="determinative: its output is the decision; advisory: a person decides"
    )
    human_involvement: Text | None = Field(default=None, description="who looks at it, when and how")


class ManifestReference(Wire):
    """How the rows that attributions compare with are chosen from the uploaded ones."""

    kind: ReferenceKind = Field(
        description="near_cutoff_approved, all_applicants, or given: the rows as they are"
    )
    band: Number | None = Field(
        default=None,
        gt=0,
        description="near_cutoff_approved: how far from the threshold, in the score's own unit; "
        "0.05 for a probability when left out",
    )
    minimum_rows: int = Field(
        default=100, ge=1, le=1_000_000, description="fewer widen the band, which is recorded"
    )


class Retention(Wire):
    """Which clock decides how long entries are kept."""

    kind: Literal["consumer_credit", "business_credit", "clinical", "general"] = Field(
        description="the clock"
    )


class ConsumerReportScore(Wire):
    """A score that is itself sold as a consumer-report score (FCRA 609(f))."""

    range: Range = Field(description="least and greatest possible score")
    source: Label = Field(description="who provides the score")


class Notice(Wire):
    """What every adverse-action notice carries."""

    creditor: Text = Field(description="name of the creditor")
    address: Text = Field(description="address of the creditor")
    agency: Text = Field(description="name and address of the federal agency")
    telephone: Label | None = Field(default=None, description="telephone number of the creditor")
    contact: Text | None = Field(
        default=None, description="where a person can ask for an explanation, a correction or a human review"
    )
    counterfactual_paragraph: bool = Field(
        default=False, description="whether the notice says what would have changed the decision"
    )
    consumer_report_score: ConsumerReportScore | None = Field(
        default=None,
        description="this model's own score is a consumer-report score: its key factors are then "
        "derived from its attribution",
    )


class ManifestSections(Wire):
    """All parts side by side, before they are compared with each other."""

    manifest: Literal["ofrecord/v1"] = Field(description="the format of this document")
    model: ResourceName = Field(description="the model")
    version: ResourceName = Field(description='the version, a text: write "1", not 1')
    family: Family = Field(description="the kind of artifact")
    profile: Profile = Field(description="the rules the model lives under")
    purpose: Text = Field(description="what it decides, in plain words")
    outcome: Outcome = Field(description="what it decides and where the line runs")
    features: Many[ManifestFeature] = Field(
        min_length=1, max_length=4096, description="in the model's own order"
    )
    factors: Many[ManifestFactor] = Field(
        min_length=1, max_length=4096, description="every feature in exactly one"
    )
    catalogue: CatalogueName | None = Field(
        default=None,
        description="the registered catalogue that words the reasons; then no factor carries one",
    )
    reasons: ManifestReasons = Field(default=ManifestReasons(), description="how many reasons are given")
    role: Role | None = Field(default=None, description="what the system does in the decision")
    reference: ManifestReference = Field(description="what attributions compare with")
    counterfactuals: ManifestCounterfactuals = Field(
        default=ManifestCounterfactuals(), description="what may be suggested; without it, nothing"
    )
    protected: Many[FeatureName] = Field(
        default=(),
        max_length=100,
        description="never inputs; carried beside the decision for fairness audits",
    )
    retention: Retention | None = Field(default=None, description="how long entries are kept")
    notice: Notice | None = Field(default=None, description="what a notice carries")
