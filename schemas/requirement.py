"""Rules as data: the file format, and what clients see of it."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, PlainSerializer, WithJsonSchema, model_validator
from pydantic_core import PydanticCustomError

from schemas.base import ONE_LINE, Digest, Many, Wire
from schemas.problem import refusal

RecordedStatus = Literal["in_force", "proposed", "withdrawn", "superseded"]
StatusOnDate = Literal["in_force", "not_yet_in_force", "proposed", "withdrawn", "superseded"]


def _day(given: object) -> object:
    """Accept a calendar day as ISO 8601 text, exactly ten characters."""
    if isinstance(given, str):
        try:
            found = date.fromisoformat(given)
        except ValueError as error:
            raise PydanticCustomError("day", "must be a day such as 2026-11-20") from error
        if found.isoformat() != given:
            raise PydanticCustomError("day", "must be a day such as 2026-11-20")
        return found
    return given


Day = Annotated[
    date,
    BeforeValidator(_day),
    PlainSerializer(date.isoformat, return_type=str),
    WithJsonSchema({"type": "string", "format": "date", "examples": ["2026-11-20"]}),
]
RequirementId = Annotated[
    str, Field(pattern=r"^[a-z0-9]+(-[a-z0-9]+)*$", max_length=64, description="a rule's id")
]
Line = Annotated[str, Field(min_length=1, max_length=512, pattern=ONE_LINE)]
Tag = Annotated[str, Field(pattern=r"^[a-z]{2}$")]


class RequirementRecord(Wire):
    """One rule with its dates and its status."""

    id: RequirementId
    citation: Line = Field(description="how it is cited")
    citations: dict[Tag, Line] = Field(
        default_factory=dict, description="how it is cited in another language, where that differs"
    )
    kind: Literal["rule", "judgment"] = Field(default="rule", description="a judgment has a day of its own")
    title: Line = Field(description="what it is about")
    text: Line = Field(description="what it asks for, in our words; the source itself is what counts")
    jurisdiction: Literal["US", "US-CO", "US-NYC", "EU"] = Field(description="where it holds")
    effective_from: Day | None = Field(
        default=None, description="the first day on which it holds; null where it is not stated"
    )
    effective_to: Day | None = Field(
        default=None, description="the first day on which it no longer holds; null while none is known"
    )
    status: RecordedStatus = Field(
        description="as the data have it; in_force is also a rule adopted for a later day"
    )
    superseded_by: RequirementId | None = Field(default=None, description="the rule that took its place")
    source: Line = Field(description="where the dates are from, and what else a reader should know")

    @model_validator(mode="after")
    def _agree(self) -> Self:
        faults = []
        ended = self.status in ("withdrawn", "superseded")
        if ended and self.effective_to is None:
            faults.append((("effective_to",), "is required for a rule that is withdrawn or superseded"))
        if not ended and self.effective_to is not None:
            faults.append((("effective_to",), "is for a rule that is withdrawn or superseded"))
        if (self.status == "superseded") != (self.superseded_by is not None):
            faults.append((("superseded_by",), "goes with the status superseded, and with no other"))
        if self.effective_from and self.effective_to and self.effective_from >= self.effective_to:
            faults.append((("effective_to",), "must be after effective_from"))
        if self.kind == "judgment" and self.effective_from is None:
            faults.append((("effective_from",), "is required for a judgment"))
        if faults:
            raise refusal("RequirementRecord", faults)
        return self


class RequirementsFile(Wire):
    """One file of rules."""

    requirements: Literal["ofrecord/requirements-v1"] = Field(description="the format")
    records: Many[RequirementRecord] = Field(min_length=1, description="the rules")


class RequirementsIndex(Wire):
    """The data as a whole: version, day and files."""

    requirements: Literal["ofrecord/requirements-v1"] = Field(description="the format")
    version: Annotated[str, Field(min_length=1, max_length=64)] = Field(description="version of the data")
    as_of: Day = Field(description="the day on which the data were true")
    files: Many[Annotated[str, Field(pattern=r"^[a-z_]+$")]] = Field(min_length=1, description="its files")


class RequirementAnswer(RequirementRecord):
    """One rule, with its status on the day that was asked for."""

    status_on: StatusOnDate = Field(description="its status on that day")
    printed: str = Field(description="the citation as a report prints it, with its status in words")


class RequirementList(Wire):
    """The rules and where they stood on one day."""

    on: Day = Field(description="the day that was asked for")
    as_of: Day = Field(description="the day on which the data were true: what came later is not in them")
    version: str = Field(description="version of the data")
    digest: Digest = Field(description="digest of the data and of the words for a status")
    language: str = Field(description="the language of `printed`")
    requirements: Many[RequirementAnswer] = Field(description="the rules in order")
