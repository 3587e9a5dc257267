"""Evaluations: slow questions answered by a worker."""

from __future__ import annotations

from typing import Literal

from pydantic import Field, JsonValue

from schemas.base import Identifier, Many, Moment, ResourceName, Wire, Word

EvaluationState = Literal["queued", "running", "completed", "failed", "cancelled"]


class EvaluationRequest(Wire):
    """Ask for one evaluation."""

    kind: Word = Field(
        description="which evaluation: `kernelshap`, `importance`, `reason_stability`, "
        "`reference_comparison`, `counterfactual` or `counterfactual_metrics`"
    )
    model: ResourceName = Field(description="the model it is about")
    version: ResourceName | None = Field(
        default=None, description="its version; the approved one when left out"
    )
    parameters: dict[str, JsonValue] = Field(
        default_factory=dict,
        max_length=32,
        description="of `kernelshap`: `explanation_id`; of `importance`: `over`, which is `reference`; of "
        "`reason_stability`: `explanation_id` and, if wanted, `draws`, 50 to 2000; of "
        "`reference_comparison`: `explanation_id` and `reference`, which is `near_cutoff_approved`, "
        "`all_applicants` or `given`; of `counterfactual`: `explanation_id`; of `counterfactual_metrics`: "
        "`explanation_id` and, if wanted, `of`, which is `answer` or `supplement`, and `reference`",
    )


class Evaluation(Wire):
    """One evaluation and how far it is."""

    evaluation_id: Identifier = Field(description="the evaluation")
    kind: Word = Field(description="which evaluation")
    model: ResourceName = Field(description="the model it is about")
    version: ResourceName | None = Field(description="its version")
    parameters: dict[str, JsonValue] = Field(description="as asked")
    state: EvaluationState = Field(description="how far it is")
    progress: float = Field(ge=0, le=1, description="share of the work done")
    result: dict[str, JsonValue] | None = Field(default=None, description="the answer, once completed")
    failure: str | None = Field(default=None, description="the named reason, once failed")
    attempts: int = Field(default=0, ge=0, description="how often a worker took it up")
    requested_at: Moment = Field(description="when it was asked for")
    started_at: Moment | None = Field(default=None, description="when a worker first took it up")
    finished_at: Moment | None = Field(default=None, description="when it completed, failed or was cancelled")
    requested_entry_id: Identifier | None = Field(default=None, description="log entry of the request")
    outcome_entry_id: Identifier | None = Field(default=None, description="log entry of the outcome")


class EvaluationList(Wire):
    """A page of evaluations."""

    evaluations: Many[Evaluation] = Field(description="newest first")
    next_cursor: str | None = Field(
        default=None, description="ask with it for the next page; null on the last"
    )
