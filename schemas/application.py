"""The application behind a decision: what was decided, by which components, and what a notice must say."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from schemas.base import ONE_LINE, Many, Moment, Number, Pair, ReasonCode, Wire
from schemas.problem import refusal

InputName = Annotated[str, Field(max_length=128)]
Line = Annotated[str, Field(min_length=1, max_length=512, pattern=ONE_LINE)]
ApplicationAction = Literal[
    "approval",
    "denial",
    "counteroffer",
    "incompleteness",
    "withdrawal",
    "account_termination",
    "unfavourable_change",
]


class Decided(Wire):
    """What the caller says was decided; an answer that the model does not reproduce is refused."""

    outcome: Annotated[str, Field(min_length=1, max_length=128)] | None = Field(
        default=None, description="the outcome, in the manifest's words"
    )
    score: Number | None = Field(default=None, description="the score")
    at: Moment | None = Field(default=None, description="when it was decided; not in the future")


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

    completed_at: Moment | None = Field(
        default=None,
        description="when the application was complete; not after the decision, not in the future",
    )
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
    """One part of a combined decision (12 CFR 1002.9, comments 9(b)(2)-7 and -8).

    What is said of the model must be reproduced. `gray` leaves the decision to another component: for the
    model a score in the gray band, for judgment one that came first. `not_used` is for a model that was not
    asked, as something else had decided before.
    """

    name: Line = Field(description="what this component is called")
    kind: Literal["model", "knockout", "judgmental"] = Field(
        description="model: this model; knockout: a rule that denies by itself; judgmental: a person"
    )
    result: Literal["passed", "failed", "gray", "not_used"] = Field(
        description="gray: for the model and for judgment; not_used: for the model"
    )
    reasons: Many[ComponentReason] = Field(
        default=(),
        max_length=4,
        description="its reasons in order; for a component that failed, not the model",
    )
