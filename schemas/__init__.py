"""The wire, version 1: pydantic models that a client may import.

from schemas import Explanation, ExplanationRequest
request = ExplanationRequest(decision_id="A-1", features={"income": 56.0})
"""

from schemas.answer import (
    BatchAnswer,
    BatchRow,
    Explanation,
    ExplanationMatches,
    ReasonAnswer,
)
from schemas.application import Application, Decided, DecisionComponent
from schemas.counterfactual import CounterfactualAnswers, CounterfactualRequest, Supplement
from schemas.evaluation import Evaluation, EvaluationList, EvaluationRequest
from schemas.explanation import ExplanationBatch, ExplanationRequest
from schemas.log import ConsistencyProof, InclusionProof, LogEntry, Receipt, VerifierKey, VerifierKeys
from schemas.manifest import Manifest
from schemas.model_version import ApprovalRequest, ModelList, ModelSummary, ModelVersion
from schemas.problem import PointedError, Problem, pointed_errors

__all__ = [
    "Application",
    "ApprovalRequest",
    "BatchAnswer",
    "BatchRow",
    "ConsistencyProof",
    "CounterfactualAnswers",
    "CounterfactualRequest",
    "Decided",
    "DecisionComponent",
    "Evaluation",
    "EvaluationList",
    "EvaluationRequest",
    "Explanation",
    "ExplanationBatch",
    "ExplanationMatches",
    "ExplanationRequest",
    "InclusionProof",
    "LogEntry",
    "Manifest",
    "ModelList",
    "ModelSummary",
    "ModelVersion",
    "PointedError",
    "Problem",
    "ReasonAnswer",
    "Receipt",
    "Supplement",
    "VerifierKey",
    "VerifierKeys",
    "pointed_errors",
]
