"""Counterfactuals: what a request may ask for, and what the service answers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Annotated, Literal, Self

from pydantic import ConfigDict, Field, PlainValidator, WithJsonSchema, model_validator
from pydantic_core import PydanticCustomError

from schemas.base import Identifier, JsonScalar, Many, Moment, Number, Wire, number
from schemas.findings import Finding, Location, repeated
from schemas.log import Receipt
from schemas.manifest_counterfactuals import CounterfactualMethod, FeatureName, Label
from schemas.problem import refusal

CounterfactualStatus = Literal[
    "found", "partial", "deferred", "no_recourse", "unresolved", "not_needed", "not_requested"
]

_LONGEST_LABEL, _MOST_LABELS = 128, 10_000


def _permitted(given: object) -> tuple[int | float, int | float] | tuple[str, ...]:
    """Accept two numbers or any number of texts, not both; a fault of one of them is at its own place."""
    if isinstance(given, list | tuple):
        if len(given) > _MOST_LABELS:
            raise PydanticCustomError("permitted_range", f"must have at most {_MOST_LABELS} categories")
        faults: list[Finding] = []
        if all(isinstance(one, str) for one in given):
            faults.extend(_unlabelled(given))
            if not faults:
                return tuple(given)
        elif len(given) == 2 and not any(isinstance(one, str) for one in given):
            least, greatest = (_end(one, (index,), faults) for index, one in enumerate(given))
            if not faults:
                return least, greatest
        if faults:
            raise refusal("PermittedRange", faults)
    raise PydanticCustomError("permitted_range", "must be least and greatest, or a list of categories")


def _unlabelled(given: Sequence[str]) -> Iterator[Finding]:
    """Find the texts that are no category of any model, or stand there twice; none of them is repeated."""
    unfit = [at for at, label in enumerate(given) if not 0 < len(label) <= _LONGEST_LABEL]
    for index in unfit:
        yield (index,), f"must have 1 to {_LONGEST_LABEL} characters"
    if not unfit:
        yield from ((at, "is there already") for at, _ in repeated(given, ()))


def _end(given: object, at: Location, faults: list[Finding]) -> int | float:
    """Read one end of a range; zero, and one fault more, for what is no number."""
    try:
        return number(given)
    except PydanticCustomError as fault:
        faults.append((at, fault.message()))
        return 0


PermittedRange = Annotated[
    tuple[int | float, int | float] | tuple[str, ...],
    PlainValidator(_permitted),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "array", "items": {"type": "number"}, "minItems": 2, "maxItems": 2},
                {"type": "array", "items": {"type": "string", "minLength": 1, "maxLength": _LONGEST_LABEL}},
            ]
        }
    ),
]


class CounterfactualTarget(Wire):
    """Another goal than the favourable side of the configured threshold."""

    model_config = ConfigDict(validate_by_name=False)  # what is sent says `class`, and nothing else

    score: Number | None = Field(default=None, description="the score to reach; with direction")
    direction: Literal["below", "above"] | None = Field(
        default=None, description="below: a score less than it; above: this score or more"
    )
    class_: Label | None = Field(
        default=None, alias="class", description="several classes: the class that should be decided for"
    )

    @model_validator(mode="after")
    def _agree(self) -> Self:
        if (self.class_ is None) == (self.score is None):
            raise refusal("CounterfactualTarget", [(("score",), "either score and direction, or class")])
        if (self.score is None) != (self.direction is None):
            raise refusal("CounterfactualTarget", [(("direction",), "belongs to score, and score to it")])
        return self


class CounterfactualRequest(Wire):
    """How many counterfactuals are wanted, within which narrower limits than the manifest's."""

    count: int = Field(default=3, ge=0, le=10, description="how many; 0 for none")
    required: bool = Field(
        default=False,
        description="answer 503 `counterfactual-unavailable` if none is verified inside the budget",
    )
    features_to_vary: Annotated[Many[FeatureName], Field(min_length=1, max_length=4096)] | None = Field(
        default=None, description="of the mutable features only these; all when left out"
    )
    permitted_range: dict[FeatureName, PermittedRange] = Field(
        default_factory=dict,
        max_length=4096,
        description="per feature, within the manifest's: least and greatest, or the categories it may become",
    )
    max_changes: Annotated[int, Field(ge=1, le=100)] | None = Field(
        default=None, description="fewer features that may change together than the manifest allows"
    )
    methods: Annotated[Many[CounterfactualMethod], Field(min_length=1, max_length=4)] | None = Field(
        default=None,
        description="of the manifest's searches these; each of them is asked, while time is left",
    )
    target: CounterfactualTarget | None = Field(
        default=None, description="the goal; the favourable outcome when left out"
    )

    @model_validator(mode="after")
    def _agree(self) -> Self:
        faults: list[Finding] = []
        if self.required and self.count == 0:
            faults.append((("required",), "must be false when count is 0"))
        faults.extend(repeated(self.features_to_vary or (), ("features_to_vary",)))
        faults.extend(repeated(self.methods or (), ("methods",)))
        if faults:
            raise refusal("CounterfactualRequest", faults)
        return self


class ChangeAnswer(Wire):
    """One feature that would be different."""

    feature: str = Field(description="the feature")
    before: JsonScalar = Field(alias="from", description="its value")
    after: JsonScalar = Field(alias="to", description="the value that would help")
    derived: bool = Field(
        default=False, description="whether it follows from other changes by one of the manifest's links"
    )


class CounterfactualAnswer(Wire):
    """One set of changes with which the model itself reaches the goal."""

    changes: Many[ChangeAnswer] = Field(min_length=1, description="what would be different")
    score: float = Field(description="the native library's own score after the changes")
    margin: float | None = Field(
        default=None, description="the native library's own margin after the changes"
    )
    outcome: str = Field(description="the outcome after the changes")
    verified: bool = Field(description="re-scored by the model and checked against every constraint")
    cost: float = Field(ge=0, description="size of the changes in units of the reference's spread")
    method: str = Field(description="the search that found it")


class SearchAnswer(Wire):
    """How far one search went."""

    method: str = Field(description="the search")
    state: Literal["finished", "stopped", "unavailable"] = Field(
        description="finished: it ended by itself; stopped: by the budget; unavailable: it could not be asked"
    )
    evaluations: int = Field(ge=0, description="candidates whose margin it computed")


class CounterfactualAnswers(Wire):
    """What would change the decision."""

    status: CounterfactualStatus = Field(description="what was found, or why nothing was")
    complete: bool = Field(description="whether nothing more is to come")
    items: Many[CounterfactualAnswer] = Field(default=(), description="best first")
    evaluation_id: Identifier | None = Field(default=None, description="where a deferred answer will be")
    proof: Literal["exhaustive", "bounded"] | None = Field(
        default=None, description="of `no_recourse`: every permitted change was looked at, or bounded"
    )
    searches: Many[SearchAnswer] = Field(default=(), description="how far each search went, in order")


class Supplement(Wire):
    """What was found after the answer: an entry of its own that points at its explanation."""

    entry_id: Identifier = Field(description="its entry in the log")
    evaluation_id: Identifier = Field(description="the evaluation that found it")
    counterfactuals: CounterfactualAnswers = Field(description="what it found")
    created_at: Moment = Field(description="when it was appended")
    receipt: Receipt = Field(description="the log's signed promise")
