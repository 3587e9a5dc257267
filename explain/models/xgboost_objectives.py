"""XGBoost's objectives: how many margins a model has, where they start, and what its score is.

A margin is a sum of leaves (or a linear function) over the base score. The file gives the base score as a
prediction, so it goes through the objective's inverse link first, in 32-bit steps as the library takes them.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from explain.errors import ModelCorrupt, ModelUnsupported
from explain.models.document import integer_member, member, object_member

Base = Literal["identity", "logit", "log"]
Score = Literal["margin", "sigmoid", "own"]

OUTPUT_LIMIT = 4096
TEXT_LIMIT = 32 * OUTPUT_LIMIT  # the longest spelling of so many numbers
EDGE = np.float32(1e-6)  # the library keeps probabilities this far from 0 and 1

# objective -> the base score's inverse link, and the score: the margin itself, its logistic function, or
# what the library alone computes. `multi:softmax` returns the number of a class, which is no score.
OBJECTIVES: dict[str, tuple[Base, Score]] = {
    "binary:logistic": ("logit", "sigmoid"),
    "binary:logitraw": ("identity", "margin"),
    "binary:hinge": ("identity", "own"),
    "reg:logistic": ("logit", "sigmoid"),
    "reg:squarederror": ("identity", "margin"),
    "reg:linear": ("identity", "margin"),
    "reg:squaredlogerror": ("identity", "margin"),
    "reg:absoluteerror": ("identity", "margin"),
    "reg:quantileerror": ("identity", "own"),
    "reg:pseudohubererror": ("identity", "margin"),
    "reg:gamma": ("log", "own"),
    "reg:tweedie": ("log", "own"),
    "count:poisson": ("log", "own"),
    "survival:cox": ("log", "own"),
    "survival:aft": ("log", "own"),
    "rank:pairwise": ("identity", "margin"),
    "rank:ndcg": ("identity", "margin"),
    "rank:map": ("identity", "margin"),
    "multi:softprob": ("identity", "own"),
    "multi:softmax": ("identity", "margin"),
}


@dataclass(frozen=True, slots=True, eq=False)
class Objective:
    """The objective of a file; `base_margins` has one number per output."""

    name: str
    score: Score
    base_margins: NDArray[np.float64]

    @property
    def outputs(self) -> int:
        """How many margins the model has."""
        return len(self.base_margins)


def read_objective(learner: dict[str, object]) -> Objective:
    """Read the objective, the number of outputs and the base score."""
    given = object_member(learner, "objective", "learner")
    name = member(given, "name", "objective")
    if not isinstance(name, str) or name not in OBJECTIVES:
        raise ModelUnsupported(f"objective {str(name)[:40]}")
    base, score = OBJECTIVES[name]
    parameters = object_member(learner, "learner_model_param", "learner")
    outputs = _outputs(parameters)
    _check_parameters(name, given, outputs)
    margins = _base_margins(member(parameters, "base_score", "learner_model_param"), base, outputs)
    return Objective(name, score, margins)


def _outputs(parameters: dict[str, object]) -> int:
    """Return the number of classes or targets; the library knows no targets of several classes each."""
    classes = integer_member(parameters, "num_class", "learner_model_param", 0)
    targets = integer_member(parameters, "num_target", "learner_model_param", 1)
    if classes > 1 and targets > 1:
        raise ModelCorrupt(f"{classes} classes and {targets} targets at once")
    outputs = max(classes, targets, 1)
    if outputs > OUTPUT_LIMIT:
        raise ModelUnsupported(f"more than {OUTPUT_LIMIT} outputs ({outputs} classes or targets)")
    return outputs


def _check_parameters(name: str, given: dict[str, object], outputs: int) -> None:
    """Compare the outputs that the objective itself declares; the library divides by them unasked."""
    if name.startswith("multi:"):
        parameters = object_member(given, "softmax_multiclass_param", "objective")
        declared = integer_member(parameters, "num_class", "softmax_multiclass_param")
    elif name == "reg:quantileerror":
        parameters = object_member(given, "quantile_loss_param", "objective")
        declared = len(
            _numbers(member(parameters, "quantile_alpha", "quantile_loss_param"), "quantile_alpha")
        )
    else:
        return
    if declared != outputs:
        raise ModelCorrupt(f"objective {name} declares {declared} outputs, the model has {outputs}")


def _base_margins(given: object, base: Base, outputs: int) -> NDArray[np.float64]:
    """Return the constants of all outputs; one number alone stands for each of them."""
    scores = np.array(_numbers(given, "base_score"), dtype=np.float64)
    if len(scores) not in (1, outputs):
        raise ModelCorrupt(f"base_score has {len(scores)} values for {outputs} outputs")
    if np.any(np.abs(scores) > np.finfo(np.float32).max):
        raise ModelCorrupt("base_score is not a finite number")
    narrow = np.broadcast_to(scores, outputs).astype(np.float32)
    if base == "logit":
        if np.any((narrow < 0.0) | (narrow > 1.0)):
            raise ModelCorrupt(f"base_score {narrow.tolist()} is no probability")
        held = np.clip(narrow, EDGE, np.float32(1.0) - EDGE)
        narrow = -_log(np.float32(1.0) / held - np.float32(1.0))
    elif base == "log":
        if np.any(narrow <= 0.0):
            raise ModelCorrupt(f"base_score {narrow.tolist()} is not positive")
        narrow = _log(narrow)
    return narrow.astype(np.float64)


def _log(numbers: NDArray[np.float32]) -> NDArray[np.float32]:
    """Round the logarithm to 32 bits once, which the C library's logf does nearly always."""
    return np.log(numbers.astype(np.float64)).astype(np.float32)


def _numbers(given: object, name: str) -> list[float]:
    """Read every spelling: 0.5, "5E-1", "[5E-1]", "[1E-1,2E-1]"."""
    value: object = given
    if isinstance(given, str):
        try:
            value = json.loads(given) if len(given) <= TEXT_LIMIT else None
        except (ValueError, RecursionError):
            raise ModelCorrupt(f"{name} {given[:40]!r} is not a number") from None
    values = value if isinstance(value, list) else [value]
    if len(values) > OUTPUT_LIMIT:
        raise ModelUnsupported(f"more than {OUTPUT_LIMIT} outputs ({name} has {len(values)} values)")
    if not values:
        raise ModelCorrupt(f"{name} is empty")
    return [_number(one, name) for one in values]


def _number(given: object, name: str) -> float:
    try:
        if isinstance(given, int | float) and not isinstance(given, bool) and math.isfinite(given):
            return float(given)
    except OverflowError:  # an integer of hundreds of digits
        pass
    raise ModelCorrupt(f"{name} {str(given)[:40]!r} is not a finite number")
