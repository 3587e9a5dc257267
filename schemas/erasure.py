"""Erasures: destroying the key that everything about one person is encrypted under."""

from __future__ import annotations

from typing import Literal, Self

from pydantic import Field, model_validator

from schemas.base import CallerId, Identifier, Many, Moment, ResourceName, Wire
from schemas.log import Receipt
from schemas.problem import Problem, refusal

ErasureBasis = Literal[
    "no_longer_necessary",
    "consent_withdrawn",
    "objection",
    "unlawful_processing",
    "legal_obligation",
    "child_consent",
    "other",
]
ErasureState = Literal["scheduled", "held", "completed", "refused"]
ErasureGround = Literal["retention", "hold"]


class Subject(Wire):
    """Whom or what something is about: a person, or a decision about nobody who was named."""

    subject_ref: CallerId | None = Field(
        default=None, description="the person, by the reference that the decisions were sent with"
    )
    model: ResourceName | None = Field(
        default=None, description="of a decision that was sent without `subject_ref`: its model"
    )
    decision_id: CallerId | None = Field(default=None, description="of the same: the caller's own id")

    def named(self) -> list[tuple[tuple[str, ...], str]]:
        """What is wrong about how it is named: nothing, if it is named in one of the two ways."""
        if self.subject_ref is not None:
            beside = (name for name in ("model", "decision_id") if getattr(self, name) is not None)
            return [((name,), "is not sent beside subject_ref") for name in beside]
        if self.model is None and self.decision_id is None:
            return [(("subject_ref",), "is required, or model and decision_id")]
        missing = (name for name in ("model", "decision_id") if getattr(self, name) is None)
        return [((name,), "is required beside the other") for name in missing]


class ErasureRequest(Subject):
    """Ask for everything about one person to be made unreadable, now or at a time to come."""

    effective_at: Moment | None = Field(
        default=None,
        description="when it is to happen, within 30 years; at once when left out, or when that has passed",
    )
    basis: ErasureBasis | None = Field(
        default=None, description="why, of the grounds of GDPR Article 17(1) (a) to (f), or another"
    )

    @model_validator(mode="after")
    def _agree(self) -> Self:
        if faults := self.named():
            raise refusal("ErasureRequest", faults)
        return self


class Erasure(Wire):
    """One erasure and how far it is."""

    erasure_id: Identifier = Field(description="the erasure")
    state: ErasureState = Field(
        description="`scheduled` until its time and while it is done; `held` while it waits past its time"
    )
    basis: ErasureBasis | None = Field(description="why, as asked")
    requested_at: Moment = Field(description="when it was first asked for")
    effective_at: Moment = Field(description="when it is, or was, to happen")
    ground: ErasureGround | None = Field(description="why it was refused, or what it waits for")
    retained_until: Moment | None = Field(
        description="of the ground `retention`: until when something must be kept; null while that has no end"
    )
    hold_ids: Many[Identifier] = Field(description="the holds that stood, or stand, in the way")
    destroyed_at: Moment | None = Field(description="when the key was destroyed: from then on nothing opens")
    completed_at: Moment | None = Field(description="when what pointed at the person was gone too")
    entries: int | None = Field(description="how many entries of the log were encrypted under the key")
    indexes: int | None = Field(description="how many rows led from the caller's ids to them")
    evaluations: int | None = Field(description="how many evaluations about them were emptied")
    backups_gone_by: Moment | None = Field(
        description="when the last backup that may still hold the key is too old to exist"
    )
    requested_entry_id: Identifier = Field(
        description="log entry of the request, or of its refusal; where it was brought forward, of the last"
    )
    completed_entry_id: Identifier | None = Field(description="log entry of the end")
    receipt: Receipt = Field(description="the log's promise about the request")
    completed_receipt: Receipt | None = Field(description="the same about the end")


class ErasureRefusal(Problem):
    """Why an erasure was refused; the refusal is on record."""

    erasure_id: Identifier = Field(description="the refusal, to be read at /v1/erasures")
    ground: ErasureGround = Field(description="`hold` where there is one, whatever must be kept beside it")
    retained_until: Moment | None = Field(description="until when something must be kept, if that has an end")
    hold_ids: Many[Identifier] = Field(description="the holds in the way")
    retention_classes: Many[str] = Field(description="of what must be kept")
    rules: Many[str] = Field(description="the rules by which it must, each with its status")
