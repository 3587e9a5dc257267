"""The records of the private part: the first answer to one decision, in plain dictionaries.

Their annotations are the format (`records.private` writes and reads by them): a field added here is a field
added to the log. Annotations stay real objects in this file: they are read when it is imported.
"""

from typing import Literal, NotRequired, TypedDict

from records.counterfactual_parts import CounterfactualPart, Value

FeatureType = Literal["number", "integer", "boolean", "category"]


class FeatureRow(TypedDict):
    """One feature as the caller sent it, typed; rows stand in the model's own order."""

    name: str
    type: FeatureType
    value: Value


class ContrastPart(TypedDict):
    """The two classes between which a model with several classes decided."""

    adverse: str
    favourable: str


class DecisionPart(TypedDict):
    """What the model decided."""

    outcome: str
    favourable: bool
    score: float
    margin: float
    threshold: float
    output_space: str
    contrast: NotRequired[ContrastPart]


class PhiRow(TypedDict):
    """The Shapley value of one feature, in margin space."""

    feature: str
    phi: float


class Reconciliation(TypedDict):
    """How far the attribution stood from the native margin, and how far it was allowed to."""

    expected: float
    sum: float
    error: float
    tolerance: float


class ReferencePart(TypedDict):
    """The frozen reference population of the attribution."""

    id: str
    kind: str
    rows: int
    digest: str
    band: NotRequired[float | None]


class AttributionPart(TypedDict):
    """The attribution as it was answered."""

    method: str
    reference: ReferencePart
    base_value: float
    values: list[PhiRow]
    reconciliation: Reconciliation


class ObservedRow(TypedDict):
    """What was observed of one feature of a factor."""

    feature: str
    value: Value


class GivenRow(TypedDict):
    """What another component than the model said it had seen, in its own words."""

    name: str
    text: str


class ReasonPart(TypedDict):
    """One principal reason."""

    rank: int
    code: str
    factor: str
    text: str
    contribution: float | None
    share: float | None
    reference_value: float | None
    observed: list[ObservedRow]
    near_tie: bool
    sensitive: NotRequired[bool]
    proxy: NotRequired[bool]
    component: NotRequired[str | None]
    wording: NotRequired[int]
    given: NotRequired[list[GivenRow]]


class WarningRow(TypedDict):
    """One flagged input."""

    code: str
    feature: str | None
    detail: str


class DecidedPart(TypedDict):
    """What the caller said had been decided."""

    outcome: NotRequired[str | None]
    score: NotRequired[float | None]
    at: NotRequired[str | None]


class ApplicantPart(TypedDict):
    """To whom a notice is addressed."""

    name: str
    address: list[str]


class AgencyPart(TypedDict):
    """A consumer reporting agency."""

    name: str
    address: str
    telephone: str


class CreditScorePart(TypedDict):
    """A credit score as its source disclosed it."""

    value: float
    least: float
    greatest: float
    created_at: str
    source: str
    key_factors: list[str]
    inquiries: str | None


class ConsumerReportPart(TypedDict):
    """A consumer report that the decision was based on."""

    agency: AgencyPart
    score: CreditScorePart | None


class ApplicationPart(TypedDict):
    """The facts about the application: they set the notice's clock and stand in the notice."""

    completed_at: NotRequired[str | None]
    action: NotRequired[str | None]
    requested: NotRequired[str | None]
    counteroffer: NotRequired[str | None]
    applicant: NotRequired[ApplicantPart | None]
    consumer_reports: NotRequired[list[ConsumerReportPart]]


class GivenReasonPart(TypedDict):
    """A reason that another component than the model gave, told or not; what it saw in its own words."""

    code: str
    observed: list[GivenRow]


class ComponentPart(TypedDict):
    """One component of a combined decision, with the result that counts and all the reasons it gave."""

    name: str
    kind: str
    result: str
    reasons: NotRequired[list[GivenReasonPart]]


class CombinedPart(TypedDict):
    """What all components decided together."""

    outcome: str
    favourable: bool
    components: list[ComponentPart]


class NoticePart(TypedDict):
    """Which clock the notice runs by, when it is due, and the factors that block it."""

    clock: str
    due_at: str | None
    blocked: list[str]


class CrowdedOutPart(TypedDict):
    """A principal reason of the model that stops a notice, where other components' reasons took its place."""

    factor: str
    sensitive: bool
    proxy: bool


class KeyFactorPart(TypedDict):
    """One key factor of a consumer-report score, derived from the attribution; `wording` as of a reason."""

    code: str
    factor: str
    text: str
    contribution: float
    wording: NotRequired[int]
    reference_value: NotRequired[float | None]
    sensitive: NotRequired[bool]
    proxy: NotRequired[bool]


class PrivatePart(TypedDict):
    """Everything needed to rebuild the first answer exactly."""

    decision_id: str
    subject_ref: str | None
    purpose: str | None
    features: list[FeatureRow]
    decision: DecisionPart
    attribution: AttributionPart
    reasons: list[ReasonPart]
    counterfactuals: CounterfactualPart
    warnings: list[WarningRow]
    decided: NotRequired[DecidedPart | None]
    application: NotRequired[ApplicationPart | None]
    combined: NotRequired[CombinedPart | None]
    notice: NotRequired[NoticePart | None]
    key_factors: NotRequired[list[KeyFactorPart]]
    crowded_out: NotRequired[list[CrowdedOutPart]]


class SupplementPart(TypedDict):
    """What was found after the answer to one decision, readable alone: `features` are those that change."""

    decision_id: str
    subject_ref: str | None
    features: list[FeatureRow]
    counterfactuals: CounterfactualPart
