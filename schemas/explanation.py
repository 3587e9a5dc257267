"""One explanation: what an application asks."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from schemas.base import (
    ONE_LINE,
    CallerId,
    JsonScalar,
    Many,
    Moment,
    Number,
    Pair,
    ReasonCode,
    ResourceName,
    Wire,
    Word,
)
from schemas.problem import refusal

DEFAULT_BUDGET_MS = 1000
FEATURE_LIMIT = 4096

InputName = Annotated[str, Field(max_length=128)]


class CounterfactualRequest(Wire):
    """How many counterfactuals are wanted, and whether the answer is worth anything without one."""

    count: int = Field(default=3, ge=0, le=10, description="how many; 0 for none")
    required: bool = Field(
        default=False,
        description="answer 503 `counterfactual-unavailable` if none is verified inside the budget",
    )

    @model_validator(mode="after")
    def _agree(self) -> Self:
        if self.required and self.count == 0:
            raise refusal("CounterfactualRequest", [(("required",), "must be false when count is 0")])
        return self


class Decided(Wire):
    """What the caller says was decided; an answer that the model does not reproduce is refused."""

    outcome: Annotated[str, Field(min_length=1, max_length=128)] | None = Field(
        default=None, description="the outcome, in the manifest's words"
    )
    score: Number | None = Field(default=None, description="the score")
    at: Moment | None = Field(default=None, description="when it was decided")


ApplicationAction = Literal[
    "approval",
    "denial",
    "counteroffer",
    "incompleteness",
    "withdrawal",
    "account_termination",
    "unfavourable_change",
]


Line = Annotated[str, Field(min_length=1, max_length=512, pattern=ONE_LINE)]


class Applicant(Wire):
    """To whom a notice is addressed."""

    name: Line = Field(description="the applicant's name")
    address: Many[Line] = Field(default=(), max_length=8, description="the lines of the address")


class Agency(Wire):
    """A consumer reporting agency, as a notice names it (FCRA 615(a)(3))."""

    name: Line = Field(description="its name")
    address: Line = Field(description="its address")
    telephone: Line = Field(description="its telephone number, toll-free if it compiles nationwide")


class CreditScore(Wire):
    """A credit score that was used, as its source disclosed it (FCRA 609(f)(1), 615(a)(2))."""

    value: Number = Field(description="the score")
    range: Pair[Number] = Field(description="least and greatest possible score of this model")
    created_at: Moment = Field(description="when the score was created")
    source: Line = Field(description="who provided the score")
    key_factors: Many[Line] = Field(
        default=(), max_length=4, description="key factors in their order, at most four"
    )
    inquiries: Line | None = Field(
        default=None,
        description="the number of inquiries, in words, where it was a key factor and is not among them",
    )

    @model_validator(mode="after")
    def _agree(self) -> Self:
        least, greatest = self.range
        if least >= greatest:
            raise refusal("CreditScore", [(("range",), "must be ordered: least, greatest")])
        if not least <= self.value <= greatest:
            raise refusal("CreditScore", [(("value",), "must lie in the range of the score")])
        return self


class ConsumerReport(Wire):
    """A consumer report that the decision was based on, in whole or in part."""

    agency: Agency = Field(description="who provided it")
    score: CreditScore | None = Field(default=None, description="the score that was used, if one was")


class Application(Wire):
    """What happened to the application: for the clocks of its notice and for what the notice must say."""

    completed_at: Moment | None = Field(default=None, description="when the application was complete")
    action: ApplicationAction | None = Field(default=None, description="the action taken on it")
    requested: Line | None = Field(default=None, description="the credit that was asked for, in words")
    counteroffer: Line | None = Field(
        default=None, description="the credit that was offered instead, in words; for a counteroffer"
    )
    applicant: Applicant | None = Field(default=None, description="to whom a notice is addressed")
    consumer_reports: Many[ConsumerReport] = Field(
        default=(), max_length=5, description="the consumer reports that were used"
    )

    @model_validator(mode="after")
    def _agree(self) -> Self:
        if self.counteroffer is not None and self.action != "counteroffer":
            raise refusal("Application", [(("counteroffer",), "is for the action counteroffer only")])
        return self


class ComponentReason(Wire):
    """A reason that a component other than the model gave."""

    code: ReasonCode = Field(description="a code that the catalogue declares for this kind of component")
    observed: dict[InputName, Line] = Field(
        default_factory=dict, max_length=20, description="what led to it, in words, by name"
    )


class DecisionComponent(Wire):
    """One part of a combined decision (12 CFR 1002.9, comments 9(b)(2)-7 and -8)."""

    name: Line = Field(description="what this component is called")
    kind: Literal["model", "knockout", "judgmental"] = Field(
        description="model: this model; knockout: a rule that denies by itself; judgmental: a person"
    )
    result: Literal["passed", "failed", "gray", "not_used"] = Field(
        description="gray is for the model: its score sent the application on to judgment; not_used is too: "
        "something else had decided before; what is said of the model must be reproduced"
    )
    reasons: Many[ComponentReason] = Field(
        default=(),
        max_length=4,
        description="its reasons in order; for a component that failed, not the model",
    )


class ExplanationRequest(Wire):
    """Explain one decision."""

    decision_id: CallerId = Field(description="the caller's own id of the decision; repeating it is a retry")
    subject_ref: CallerId | None = Field(
        default=None,
        description="the person, as the caller knows them; recommended: without it no erasure by person",
    )
    features: dict[InputName, JsonScalar] = Field(
        max_length=FEATURE_LIMIT, description="every feature of the manifest by name; null means missing"
    )
    version: ResourceName | None = Field(
        default=None, description="the model version; the approved one when left out"
    )
    budget_ms: int = Field(
        default=DEFAULT_BUDGET_MS, ge=20, le=60_000, description="milliseconds in which the answer is wanted"
    )
    counterfactuals: CounterfactualRequest = Field(
        default=CounterfactualRequest(), description="the counterfactuals wanted"
    )
    protected: dict[InputName, JsonScalar] = Field(
        default_factory=dict, max_length=100, description="protected attributes, kept apart and never echoed"
    )
    purpose: Word | None = Field(default=None, description="why it is asked, for instance `adverse_action`")
    decided: Decided | None = Field(default=None, description="what was decided, to be reproduced")
    application: Application | None = Field(default=None, description="the application behind the decision")
    components: Many[DecisionComponent] = Field(
        default=(),
        max_length=20,
        description="the parts of a combined decision; none for a model that decides alone",
    )


class ExplanationBatch(Wire):
    """Explain several decisions; each is read, recorded and answered alone, in order."""

    decisions: Many[ExplanationRequest] = Field(
        min_length=1, description="explanation requests, up to a configured number (1000 unless changed)"
    )
