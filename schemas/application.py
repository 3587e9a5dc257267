"""The application behind a decision: what was decided, by which components, and what a notice must say."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
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
    at: Moment | None = Field(default=None, description="when it was decided")


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

    @model_validator(mode="after")
    def _agree(self) -> Self:
        faults: list[tuple[tuple[str | int, ...], str]] = []
        if self.kind != "model" and self.result not in ("passed", "failed"):
            faults.append((("result",), f"{self.result} is for the model only"))
        if self.kind == "model" and self.reasons:
            faults.append((("reasons",), "the model's reasons come from its attribution"))
        elif self.result == "failed" and self.kind != "model" and not self.reasons:
            faults.append((("reasons",), "a component that failed gives at least one reason"))
        elif self.result == "passed" and self.reasons:
            faults.append((("reasons",), "a component that passed gives none"))
        if len({reason.code for reason in self.reasons}) < len(self.reasons):
            faults.append((("reasons",), "gives the same code twice"))
        if faults:
            raise refusal("DecisionComponent", faults)
        return self


def component_faults(components: Sequence[DecisionComponent]) -> Iterator[tuple[tuple[str | int, ...], str]]:
    """What is wrong with components side by side, whatever the model says; each fault with its place."""
    failed = any(one.kind != "model" and one.result == "failed" for one in components)
    judged = any(one.kind == "judgmental" for one in components)
    names, models = set[str](), 0
    for at, one in enumerate(components):
        if one.name in names:
            yield (at, "name"), "is the name of another component too"
        names.add(one.name)
        if one.kind != "model":
            continue
        models += 1
        if models > 1:
            yield (at, "kind"), "there is one model"
        if one.result == "not_used" and not failed:
            yield (at, "result"), "not_used needs another component that failed"
        if one.result == "gray" and not judged:
            yield (at, "result"), "gray needs a judgmental component"
