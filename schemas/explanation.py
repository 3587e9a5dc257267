"""One explanation: what an application asks."""

from __future__ import annotations

from pydantic import Field

from schemas.application import (
    Agency,
    Applicant,
    Application,
    ApplicationAction,
    ComponentReason,
    ConsumerReport,
    CreditScore,
    Decided,
    DecisionComponent,
    InputName,
    Line,
)
from schemas.base import CallerId, JsonScalar, Many, ResourceName, Wire, Word
from schemas.counterfactual import CounterfactualRequest

__all__ = [
    "Agency",
    "Applicant",
    "Application",
    "ApplicationAction",
    "ComponentReason",
    "ConsumerReport",
    "CreditScore",
    "Decided",
    "DecisionComponent",
    "ExplanationBatch",
    "ExplanationRequest",
    "InputName",
    "Line",
]

DEFAULT_BUDGET_MS = 1000
FEATURE_LIMIT = 4096


class ExplanationRequest(Wire):
    """Explain one decision."""

    decision_id: CallerId = Field(description="the caller's own id of the decision; repeating it is a retry")
    subject_ref: CallerId | None = Field(
        default=None,
        description="the person, as the caller knows them; recommended: without it no erasure by person",
    )
    features: dict[InputName, JsonScalar] = Field(
        max_length=FEATURE_LIMIT, description="every feature of the manifest by name; null means missing"
    )
    version: ResourceName | None = Field(
        default=None, description="the model version; the approved one when left out"
    )
    budget_ms: int = Field(
        default=DEFAULT_BUDGET_MS, ge=20, le=60_000, description="milliseconds in which the answer is wanted"
    )
    counterfactuals: CounterfactualRequest = Field(
        default=CounterfactualRequest(), description="the counterfactuals wanted"
    )
    protected: dict[InputName, JsonScalar] = Field(
        default_factory=dict, max_length=100, description="protected attributes, kept apart and never echoed"
    )
    purpose: Word | None = Field(default=None, description="why it is asked, for instance `adverse_action`")
    decided: Decided | None = Field(default=None, description="what was decided, to be reproduced")
    application: Application | None = Field(default=None, description="the application behind the decision")
    components: Many[DecisionComponent] = Field(
        default=(),
        max_length=20,
        description="the parts of a combined decision; none for a model that decides alone",
    )


class ExplanationBatch(Wire):
    """Explain several decisions; each is read, recorded and answered alone, in order."""

    decisions: Many[ExplanationRequest] = Field(
        min_length=1, description="explanation requests, up to a configured number (1000 unless changed)"
    )
