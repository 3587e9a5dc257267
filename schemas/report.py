"""Reports as clients see them: which there are, and the header that each begins with."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from schemas.base import Digest, HexHash, Identifier, Many, Moment, Wire

ReportFormat = Literal["json", "csv"]
ReportColumnType = Literal["integer", "boolean", "text", "time", "id", "digest", "words", "json"]


class ReportColumn(Wire):
    """One column of a report."""

    name: str = Field(description="its name: the member of a row in JSON, the first line of data in CSV")
    type: ReportColumnType = Field(description="what its cells hold; any of them may be null")
    meaning: str = Field(description="what that says")


class ReportOffer(Wire):
    """A report that can be pulled."""

    name: str = Field(description="its name in the address")
    number: int = Field(ge=1, description="its number among the reports")
    title: str = Field(description="what it is")
    parameters: Many[Literal["from", "to", "model", "explanation_id"]] = Field(description="what it takes")
    discloses: bool = Field(description="whether it opens what is on record about a person")
    columns: Many[ReportColumn] = Field(description="its columns in order")


class ReportList(Wire):
    """The reports that there are."""

    reports: Many[ReportOffer] = Field(description="in order of their numbers")


class ReportPeriod(Wire):
    """A half-open period: `from` is in it, `to` is not."""

    from_: Moment | None = Field(
        alias="from",
        description="the first entry's time where none was asked for; null: there was none yet",
    )
    to: Moment = Field(description="the moment of the pull where none was asked for")


class ReportCheckpoint(Wire):
    """The newest checkpoint when the report was made: every row that has an `index` is in its tree."""

    tree_size: int = Field(ge=1, description="entries in the tree")
    root: HexHash = Field(description="root of the tree")
    note_digest: Digest = Field(description="digest of the signed note")
    signed_at: Moment = Field(description="when it was signed")


class ReportRule(Wire):
    """A rule that the report serves, never without its status."""

    requirement_id: str = Field(description="the rule, as listed at /v1/requirements")
    status: str = Field(description="where it stood on the day of the report")
    printed: str = Field(description="the citation with its status in words")


class ReportHeader(Wire):
    """What a report says of itself before its rows."""

    report: str = Field(description="its name")
    number: int = Field(description="its number")
    title: str = Field(description="what it is")
    organisation: str = Field(description="whose report it is, as the settings say; or `not stated`")
    log_origin: str = Field(description="the name of the log")
    period: ReportPeriod = Field(description="which period it covers")
    filters: dict[str, str] = Field(description="what else narrowed it down")
    format: ReportFormat = Field(description="the form it is written in")
    generated_at: Moment = Field(description="when it was made")
    rows: int = Field(ge=0, description="how many rows follow")
    sha256: HexHash = Field(description="SHA-256 digest of the data part")
    checkpoint: ReportCheckpoint | None = Field(description="null while the log's tree is empty")
    pending_entries: int = Field(
        ge=0, description="entries of the log that were not in the tree yet, and so in no report"
    )
    summary: dict[str, Any] = Field(description="what this report says of all rows together")
    rules: Many[ReportRule] = Field(description="the rules that it serves, with their status on that day")
    columns: Many[ReportColumn] = Field(description="its columns")
    generated_by: str = Field(description="who pulled it: the principal of the token")
    entry_id: Identifier = Field(
        description="the entry `report.pulled` of the log, which has rows and digest"
    )


class ReportDocument(Wire):
    """A report as JSON: the header in the first line, each row in a line of its own."""

    header: ReportHeader = Field(description="what it covers")
    rows: Many[dict[str, Any]] = Field(description="objects with a member for each column")
