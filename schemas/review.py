"""What people did about a decision that was explained: asked for a review, reviewed, overrode, corrected."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from schemas.application import Line
from schemas.base import Identifier, Moment, Wire
from schemas.findings import Finding
from schemas.log import Receipt
from schemas.problem import refusal

ReviewKind = Literal["requested", "reviewed", "overridden", "corrected"]
Outcome = Annotated[str, Field(min_length=1, max_length=128)]
Note = Annotated[str, Field(min_length=1, max_length=8192)]


class ReviewRequest(Wire):
    """Put on record what a person did about one decision.

    The explanation itself stays as it is; what is appended points at it, and may point at what it takes the
    place of.
    """

    kind: ReviewKind = Field(
        description="requested: somebody asked that a person look; reviewed: a person looked; overridden: a "
        "person decided otherwise; corrected: something on record was wrong"
    )
    outcome: Outcome | None = Field(
        default=None,
        description="the outcome that holds after it, in the manifest's words; needed for `overridden`, "
        "which changes it, and never for `requested`",
    )
    note: Note | None = Field(
        default=None, description="why, in words; encrypted under the person's key, and gone when that is"
    )
    reviewer: Line | None = Field(
        default=None,
        description="who did it, where that is not the token's holder; encrypted like the note",
    )
    supersedes: Identifier | None = Field(
        default=None,
        description="what this takes the place of: the entry of an earlier review of the same explanation; "
        "or an earlier explanation of the same model, where this explanation is that decision made again",
    )
    superseded_by: Identifier | None = Field(
        default=None,
        description="for `corrected` and `overridden`: the later explanation of the same model in which this "
        "decision was made again, about the same person. Needed where an adverse outcome is to hold that did "
        "not (profile `lending`): it must carry the reasons of the decision really taken",
    )

    @model_validator(mode="after")
    def _agree(self) -> Self:
        faults = list(self._faults())
        if faults:
            raise refusal("ReviewRequest", faults)
        return self

    def _faults(self) -> Iterator[Finding]:
        if self.kind == "requested" and self.outcome is not None:
            yield ("outcome",), "must be left out of a request: nobody has looked yet"
        if self.kind == "overridden" and self.outcome is None:
            yield ("outcome",), "is needed to override one"
        if self.kind not in ("corrected", "overridden") and self.superseded_by is not None:
            yield ("superseded_by",), "belongs to an override or a correction"
        if self.kind == "corrected" and (self.note, self.outcome, self.superseded_by) == (None, None, None):
            yield ("note",), "is needed where neither an outcome nor another explanation corrects anything"


class Review(Wire):
    """One review that is on record."""

    entry_id: Identifier = Field(description="its entry in the log")
    explanation_id: Identifier = Field(description="the explanation that it is about")
    kind: ReviewKind = Field(description="what was done")
    outcome: str | None = Field(description="the outcome that holds after it, where one was told")
    note: str | None = Field(description="why; null where nothing was said or its key is destroyed")
    reviewer: str | None = Field(description="who did it, where that was said")
    by: str = Field(description="whose token put it on record")
    at: Moment = Field(description="when it was put on record")
    supersedes: Identifier | None = Field(description="what it takes the place of")
    superseded_by: Identifier | None = Field(description="the explanation of the decision made again")
    receipt: Receipt = Field(description="the log's promise; the first one for a repetition")


class Standing(Wire):
    """What holds of a decision after people looked at it."""

    outcome: str = Field(description="the outcome that holds, in the manifest's words")
    entry_id: Identifier = Field(
        description="the review that says so; one that was superseded does not count"
    )
    kind: Literal["reviewed", "overridden", "corrected"] = Field(description="what that review was")
    at: Moment = Field(description="when it was put on record")
    superseded_by: Identifier | None = Field(
        description="the explanation of the decision made again, where a review names it"
    )
