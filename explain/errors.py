"""What can go wrong while explaining, as one tree of named errors.

ExplainError
├── InvalidFeatures           the caller's features, each fault with its JSON pointer
├── InvalidNarrowing          the limits or the goal a caller sets for counterfactuals, each with its pointer
├── TargetReached             the goal that a caller sets is reached already
├── ModelUnsupported          a construct that cannot be explained exactly
├── ModelCorrupt              the artifact's structure is broken
├── ManifestContradiction     the artifact says otherwise than the manifest
├── ReferenceTooSmall         too few reference rows to mean anything
├── AttributionUnreconciled   the values do not add up to the model's own margin
├── TablesChanged             the prepared tables changed after they were checked
├── ReasonUnmapped            a factor has no reason
└── ConstraintError           the counterfactual constraints contradict each other

Where an error carries no detail of its own, the first line of its docstring is its message.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FieldError:
    """One fault of one input field; `pointer` is a JSON pointer relative to its part of the input."""

    pointer: str
    detail: str


class ExplainError(Exception):
    """The decision could not be explained."""

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or (type(self).__doc__ or "").partition("\n")[0])


class InvalidFeatures(ExplainError):
    """The features do not fit the model's manifest."""

    def __init__(self, errors: Iterable[FieldError]) -> None:
        self.errors = tuple(errors)
        super().__init__(
            "; ".join(f"{error.pointer or '(features)'}: {error.detail}" for error in self.errors)
        )


class InvalidNarrowing(ExplainError):
    """What is asked of the counterfactuals does not fit the manifest.

    The limits that a caller sets are wider than the manifest's, or leave nothing, or the goal is none of this
    model. Pointers are relative to the request's `counterfactuals`.
    """

    def __init__(self, errors: Iterable[FieldError]) -> None:
        self.errors = tuple(errors)
        super().__init__("; ".join(f"{error.pointer}: {error.detail}" for error in self.errors))


class TargetReached(ExplainError):
    """The decision already reaches the goal that is asked for."""


class ModelUnsupported(ExplainError):
    """The model uses a construct that cannot be explained exactly."""

    def __init__(self, construct: str) -> None:
        self.construct = construct
        super().__init__(f"the model cannot be explained exactly: {construct}")


class ModelCorrupt(ExplainError):
    """The model artifact is damaged or not what it claims to be."""

    def __init__(self, detail: str) -> None:
        self.detail = detail
        super().__init__(f"the model artifact is corrupt: {detail}")


class ManifestContradiction(ExplainError):
    """The model artifact says otherwise than the manifest."""

    def __init__(self, detail: str) -> None:
        self.detail = detail
        super().__init__(f"the artifact contradicts the manifest: {detail}")


class ReferenceTooSmall(ExplainError):
    """The reference population is too small to explain against."""


class AttributionUnreconciled(ExplainError):
    """The attribution does not add up to the model's own margin."""

    def __init__(self, expected: float, total: float, tolerance: float) -> None:
        self.expected = expected
        self.total = total
        self.tolerance = tolerance
        super().__init__(
            f"the attribution adds up to {total!r}, "
            f"the model's own margin is {expected!r} (tolerance {tolerance:g})"
        )


class TablesChanged(ExplainError):
    """The prepared tables changed after they were checked."""


class ReasonUnmapped(ExplainError):
    """A principal factor has no reason in the catalogue."""

    def __init__(self, factor: str) -> None:
        self.factor = factor
        super().__init__(f"factor {factor!r} has no reason code and text")


class ConstraintError(ExplainError):
    """The counterfactual constraints contradict each other.

    `errors` says where, with pointers relative to the manifest's `counterfactuals`; it may be empty.
    """

    def __init__(self, message: str | None = None, errors: Iterable[FieldError] = ()) -> None:
        self.errors = tuple(errors)
        super().__init__(message or "; ".join(error.detail for error in self.errors) or None)
