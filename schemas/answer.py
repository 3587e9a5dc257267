"""One explanation: what the service answers."""

from __future__ import annotations

from pydantic import Field

from schemas.base import Digest, Identifier, JsonScalar, Many, Moment, ResourceName, Wire
from schemas.counterfactual import CounterfactualAnswers, Supplement
from schemas.log import Receipt
from schemas.manifest_sections import ReferenceKind
from schemas.problem import Problem
from schemas.review import Review, Standing


class ContrastAnswer(Wire):
    """The two classes between which a model with several classes decided."""

    adverse: str = Field(description="the adverse class with the largest margin")
    favourable: str = Field(description="the favourable class with the largest margin")


class DecisionAnswer(Wire):
    """What the model decided."""

    outcome: str = Field(description="the outcome, in the manifest's words")
    favourable: bool = Field(description="whether it is the favourable one")
    score: float = Field(description="the native library's own score")
    margin: float = Field(description="the native library's own margin")
    threshold: float = Field(description="the manifest's threshold on the score")
    output_space: str = Field(description="the space in which contributions add up")
    contrast: ContrastAnswer | None = Field(
        default=None, description="several classes: margin and contributions are the difference of these two"
    )


class ReferenceAnswer(Wire):
    """The rows the attribution compares with."""

    id: Digest = Field(description="the reference; the same as its digest")
    kind: ReferenceKind = Field(description="how rows were selected")
    rows: int = Field(ge=1, description="how many")
    digest: Digest = Field(description="digest of the rows")
    band: float | None = Field(default=None, description="the band around the threshold that was really used")


class FeatureContribution(Wire):
    """One feature's share of the margin."""

    feature: str = Field(description="the feature")
    value: JsonScalar = Field(description="its value; null when missing")
    phi: float = Field(description="its Shapley value, in margin space")


class Reconciliation(Wire):
    """The check that the contributions add up to the model's own margin."""

    expected: float = Field(description="the native library's own margin")
    sum: float = Field(description="base value plus all contributions")
    error: float = Field(ge=0, description="how far they are apart")
    tolerance: float = Field(ge=0, description="how far they may be apart")


class AttributionAnswer(Wire):
    """Where the margin comes from."""

    method: str = Field(description="the method and its variant")
    reference: ReferenceAnswer = Field(description="the rows it compares with")
    base_value: float = Field(description="mean margin over the reference")
    values: Many[FeatureContribution] = Field(description="one for each feature, in the model's order")
    reconciliation: Reconciliation = Field(description="the check against the model itself")


class ReasonAnswer(Wire):
    """One principal reason."""

    rank: int = Field(ge=1, le=4, description="1 is the strongest")
    code: str = Field(description="the reason code")
    factor: str = Field(description="the factor")
    text: str = Field(description="the reason in words")
    contribution: float | None = Field(
        description="sum of the contributions of the factor's features, in margin space; null where another "
        "component than the model gave the reason"
    )
    share: float | None = Field(
        ge=0, le=1, description="share of all adverse contributions; null for another component's reason"
    )
    reference_value: float | None = Field(default=None, description="mean of the feature over the reference")
    observed: dict[str, JsonScalar] = Field(
        description="what led to it: values by feature, or another component's own words by name"
    )
    near_tie: bool = Field(default=False, description="whether a neighbour in the ranking is about as large")
    sensitive: bool = Field(default=False, description="whether a notice has to stop at it")
    proxy: bool = Field(
        default=False, description="whether the manifest declares it a proxy; a notice stops at it too"
    )
    component: str | None = Field(
        default=None, description="the component of a combined decision that it comes from; null otherwise"
    )


class ComponentAnswer(Wire):
    """One component of a combined decision, with the result that counts."""

    name: str = Field(description="what it is called")
    kind: str = Field(description="model, knockout or judgmental")
    result: str = Field(description="passed, failed, gray or not_used")


class CombinedAnswer(Wire):
    """What all components of a combined decision decided together."""

    outcome: str = Field(description="the outcome, in the manifest's words")
    favourable: bool = Field(description="whether it is the favourable one")
    components: Many[ComponentAnswer] = Field(description="each component, in the caller's order")


class NoticeClock(Wire):
    """Whether a notice is owed, by when, and what stands in its way."""

    clock: str = Field(description="which clock runs, for instance `completed_application`, or `unknown`")
    due_at: Moment | None = Field(default=None, description="when it is due; null where no date is known")
    blocked: Many[str] = Field(
        default=(), description="factors for which no notice is made until compliance has looked"
    )


class WarningAnswer(Wire):
    """Something a reader of the explanation should know."""

    code: str = Field(description="the kind of warning")
    feature: str | None = Field(default=None, description="the feature it is about")
    detail: str = Field(description="what it is")


class Timings(Wire):
    """Where the time went, in milliseconds."""

    attribution: float = Field(ge=0, description="Shapley values and their reconciliation")
    reasons: float = Field(ge=0, description="components compared, reasons ranked and worded")
    counterfactuals: float = Field(ge=0, description="search and verification")
    audit: float = Field(ge=0, description="until the entry was committed")
    total: float = Field(ge=0, description="from the arrival of the request")


class Explanation(Wire):
    """One explanation of record."""

    explanation_id: Identifier = Field(description="the explanation; the same as its entry")
    decision_id: str = Field(description="the caller's own id")
    model: ResourceName = Field(description="the model")
    version: ResourceName = Field(description="the version that decided")
    decision: DecisionAnswer = Field(description="what the model decided")
    attribution: AttributionAnswer = Field(description="where the margin comes from")
    reasons: Many[ReasonAnswer] = Field(
        max_length=4, description="principal reasons of the whole decision; none when it is favourable"
    )
    counterfactuals: CounterfactualAnswers = Field(description="what would change the model's decision")
    combined: CombinedAnswer | None = Field(
        default=None, description="the whole decision, where components were sent"
    )
    notice: NoticeClock | None = Field(
        default=None, description="the notice that is owed, where the profile and the action ask for one"
    )
    warnings: Many[WarningAnswer] = Field(
        default=(), description="what is unusual about inputs, reasons and components"
    )
    timings_ms: Timings | None = Field(
        default=None, description="of the call that made it; null when read back"
    )
    receipt: Receipt = Field(description="the log's signed promise")
    late: bool = Field(default=False, description="whether the answer overran its budget")
    created_at: Moment | None = Field(default=None, description="when it was made")
    supplements: Many[Supplement] = Field(
        default=(), description="what was appended since, when read back; the first answer has none"
    )
    reviews: Many[Review] = Field(
        default=(), description="what people did about the decision since, oldest first; when read back"
    )
    standing: Standing | None = Field(
        default=None,
        description="when read back: the outcome that holds after the reviews; null where none "
        "names one, so that the decision's own holds",
    )


class ExplanationMatches(Wire):
    """The explanations that carry one decision id."""

    explanations: Many[Explanation] = Field(description="at most one for each model")


class BatchRow(Wire):
    """The answer to one decision of a batch."""

    status: int = Field(ge=200, le=599, description="the status the decision alone would have had")
    explanation: Explanation | None = Field(default=None, description="when it succeeded")
    problem: Problem | None = Field(default=None, description="when it did not")


class BatchAnswer(Wire):
    """The answers to a batch, in the order of its decisions."""

    answers: Many[BatchRow] = Field(description="one for each decision")
