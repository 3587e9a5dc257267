"""Notices of adverse decisions: what was sent, what the applicant answered, what is still owed."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from schemas.base import Identifier, Many, Moment, ResourceName, Wire
from schemas.log import Receipt
from schemas.review import Standing

NoticeAnswers = Literal["decision", "counteroffer_lapsed", "reasons_requested"]
NoticeChannel = Literal["mail", "email", "portal", "in_person"]
NoticeListState = Literal["overdue", "due", "sent", "undated", "blocked", "overridden"]


class NoticeSent(Wire):
    """A notice was sent."""

    sent_at: Moment = Field(description="when it was sent; not before the decision, not in the future")
    channel: NoticeChannel = Field(description="how it was sent")
    template: Literal["adverse_action", "other"] = Field(
        default="adverse_action",
        description="`adverse_action`: the letter this service makes; `other`: a letter of the sender's own, "
        "which for a counteroffer is not taken to be a denial too",
    )
    answers: NoticeAnswers = Field(
        default="decision",
        description="which clock it stops: that of the decision, or one that started after its notice",
    )


class NoticeResponse(Wire):
    """The applicant answered a notice."""

    response: Literal["counteroffer_accepted", "reasons_requested"] = Field(
        description="`counteroffer_accepted`: accepted or used the credit offered; `reasons_requested`: "
        "asked for a statement of reasons"
    )
    at: Moment = Field(description="when the answer arrived; not before the notice, not in the future")


class RunningClock(Wire):
    """A clock that nothing has stopped."""

    clock: str = Field(description="which clock, for instance `completed_application`")
    due_at: Moment | None = Field(description="when it runs out; null where no date is known")


class NoticeStep(Wire):
    """A step of a notice that is on record."""

    explanation_id: Identifier = Field(description="the explanation that the notice is about")
    entry_type: Literal["notice.sent", "notice.response"] = Field(description="what was recorded")
    at: Moment = Field(description="when it happened, as told")
    running: Many[RunningClock] = Field(
        description="the clocks that run after it, the nearest in front; none once all is done"
    )
    receipt: Receipt = Field(description="the log's promise about the entry; the first one for a repetition")


class Overridden(Standing):
    """What holds of a decision, where it is no longer what the notice is about."""

    since: Moment = Field(description="from when on the decision has not held, without a break")


class NoticeListItem(Wire):
    """One notice that was owed at some time."""

    explanation_id: Identifier = Field(description="the explanation that it is about")
    model: ResourceName = Field(description="the model that decided")
    version: ResourceName = Field(description="its version")
    action: str | None = Field(description="what became of the application, as the caller said")
    recorded_at: Moment = Field(description="when the explanation went on record")
    clock: str = Field(description="the clock of the decision's own notice")
    due_at: Moment | None = Field(description="when that notice is due; null where no date is known")
    blocked: bool = Field(description="whether compliance has to look before a notice is made")
    first_rendered_at: Moment | None = Field(description="when a letter was first made")
    sent_at: Moment | None = Field(description="when the decision's own notice was sent")
    channel: str | None = Field(description="how it was sent")
    template: str | None = Field(description="which letter was sent")
    late: bool = Field(description="whether it was sent after its day")
    response: str | None = Field(description="the applicant's last answer")
    response_at: Moment | None = Field(description="when it arrived")
    next_clock: str | None = Field(description="of the clocks that run, the one that runs out first")
    next_due_at: Moment | None = Field(description="when it runs out")
    overdue: bool = Field(description="whether it has run out")
    closed_at: Moment | None = Field(description="when the last clock stopped; null while one runs")
    overridden: Overridden | None = Field(
        description="what holds where a person decided otherwise or the decision was made again; a clock "
        "that had not run out by then runs no longer. Null while the decision holds"
    )


class NoticesAsOf(Wire):
    """How far the list has read the log."""

    entries: int = Field(ge=0, description="how many entries of the tree are in the list")
    tree_size: int = Field(ge=0, description="how many entries the tree has")
    at: Moment | None = Field(description="time of the last entry in the list")


class NoticeList(Wire):
    """A page of notices."""

    notices: Many[NoticeListItem] = Field(description="those that wait longest first")
    next_cursor: str | None = Field(
        default=None, description="ask with it for the next page; null on the last"
    )
    as_of: NoticesAsOf = Field(description="how far the list has read the log; what came later is not in it")
