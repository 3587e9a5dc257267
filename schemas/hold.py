"""Legal holds: what must not be destroyed, whatever its period and whoever asks."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from schemas.base import Identifier, Many, Moment, ResourceName, Wire
from schemas.erasure import Subject
from schemas.log import Receipt
from schemas.problem import Problem, refusal

HoldKind = Literal["subject", "explanation", "model", "everything"]
_MEMBERS = {
    "subject": {"subject_ref", "model", "decision_id"},
    "explanation": {"explanation_id"},
    "model": {"model", "version"},
    "everything": set[str](),
}


class HoldScope(Subject):
    """What a hold covers."""

    kind: HoldKind = Field(description="a subject, one explanation, a model or one version of it, everything")
    explanation_id: Identifier | None = Field(default=None, description="of the kind `explanation`")
    version: ResourceName | None = Field(
        default=None, description="of the kind `model`: one version; all of them when left out"
    )

    @model_validator(mode="after")
    def _agree(self) -> Self:
        given = {name for name in self.model_fields_set - {"kind"} if getattr(self, name) is not None}
        faults: list[tuple[tuple[str, ...], str]] = [
            ((name,), f"is not a member of the kind {self.kind}")
            for name in sorted(given - _MEMBERS[self.kind])
        ]
        if self.kind == "subject":
            faults += self.named()
        for kind, name in (("explanation", "explanation_id"), ("model", "model")):
            if self.kind == kind and name not in given:
                faults.append(((name,), f"is required of the kind {kind}"))
        if faults:
            raise refusal("HoldScope", faults)
        return self


class HoldRequest(Wire):
    """Place a hold."""

    scope: HoldScope = Field(description="what it covers, entries that are still to come among it")
    reason: str = Field(min_length=1, max_length=2000, description="why; kept encrypted")


class HeldScope(Wire):
    """What a hold covers, as it is on record: a subject by the id of its key."""

    kind: HoldKind = Field(description="a subject, one explanation, a model or one version of it, everything")
    subject_key_id: Identifier | None = Field(default=None, description="of the kind `subject`")
    explanation_id: Identifier | None = Field(default=None, description="of the kind `explanation`")
    model: ResourceName | None = Field(default=None, description="of the kind `model`")
    version: ResourceName | None = Field(default=None, description="of the same, where it is one version")


class ExpiredMonth(Wire):
    """One month of one class, whose keys are destroyed: nothing that lay in it can be read again."""

    retention_class: str = Field(description="the class that says how long entries are kept")
    month: str = Field(
        pattern=r"^[0-9]{4}-[0-9]{2}$", description="the month in which they were made, in UTC"
    )


class Hold(Wire):
    """One hold."""

    hold_id: Identifier = Field(description="the hold")
    scope: HeldScope = Field(description="what it covers")
    placed_at: Moment = Field(description="since when it stands")
    placed_by: str = Field(description="who placed it")
    past_saving: Many[ExpiredMonth] | None = Field(
        description="what it does not protect, as it was gone or going by then: of an explanation the months "
        "with anything about it; of other kinds every month in which something it covers could have been, as "
        "nothing tells any more whether it was; null: placed by a version that did not say"
    )
    released_at: Moment | None = Field(description="since when it stands no longer")
    released_by: str | None = Field(description="who released it")
    reason: str | None = Field(
        default=None, description="why; read of one hold only, null once its subject was erased"
    )
    receipt: Receipt = Field(description="the log's promise about the placing")
    released_receipt: Receipt | None = Field(description="the same about the release")


class HoldList(Wire):
    """A page of holds."""

    holds: Many[Hold] = Field(description="in the order in which they were placed")
    next_cursor: str | None = Field(
        default=None, description="ask with it for the next page; null on the last"
    )


class HoldRefusal(Problem):
    """Why a hold comes too late; nothing is on record of it."""

    ground: Literal["erasure", "expiry"] = Field(
        description="`erasure`: the person's key is destroyed; `expiry`: the months are, or are being"
    )
    past_saving: Many[ExpiredMonth] = Field(
        description="of the ground `expiry`: the months with anything in this scope that nothing saves now"
    )
