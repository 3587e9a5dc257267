"""What can go wrong between the wire and the rooms behind it.

ServiceError
 ├─ InvalidInput                  the document does not say what the contract asks
 │   └─ OverrideWithoutReasons
 ├─ UnsupportedMediaType
 ├─ BodyTooLarge
 ├─ BatchTooLarge
 ├─ Unauthenticated
 ├─ Forbidden
 ├─ NotFound
 ├─ DecisionConflict
 ├─ DecisionMismatch
 ├─ CounterfactualUnavailable
 ├─ NotAcceptable
 ├─ NoticeConflict
 ├─ NoticeStepRefused
 ├─ NoticeOverridden
 ├─ ErasureRefused
 ├─ TooBusy
 ├─ StillCommitting
 └─ NotReady

None of them carries an HTTP status: `service.problems` has the one table that does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from records.erasures import Erasure
from schemas.base import format_moment
from service.strict_json import Flaw


class ServiceError(Exception):
    """The request could not be answered."""

    def __init__(self, detail: str | None = None) -> None:
        super().__init__(detail or (type(self).__doc__ or "").strip())


class InvalidInput(ServiceError):
    """The input is not valid."""

    def __init__(self, flaws: tuple[Flaw, ...], detail: str | None = None) -> None:
        super().__init__(detail)
        self.flaws = flaws


class OverrideWithoutReasons(InvalidInput):
    """An adverse outcome is to hold for which no reasons are on record."""

    def __init__(self, said: str) -> None:
        super().__init__((Flaw("/superseded_by", said),))


class UnsupportedMediaType(ServiceError):
    """The content type is not one this address takes."""


class BodyTooLarge(ServiceError):
    """The body is larger than this service takes."""


class BatchTooLarge(ServiceError):
    """The batch has more decisions than this service takes at once."""


class Unauthenticated(ServiceError):
    """A valid bearer token is needed."""


class Forbidden(ServiceError):
    """This token may not do that."""


class NotFound(ServiceError):
    """There is nothing at this address."""


class DecisionConflict(ServiceError):
    """This decision is already on record with other input."""


class DecisionMismatch(ServiceError):
    """The model does not reproduce the decision that was sent."""

    def __init__(self, detail: str, pointer: str) -> None:
        super().__init__(detail)
        self.pointer = pointer
        self.members: Mapping[str, object] = {}


class CounterfactualUnavailable(ServiceError):
    """No verified counterfactual was found inside the budget, and one was required."""


class NotAcceptable(ServiceError):
    """This is not available in a media type that the caller accepts."""


class NoticeConflict(ServiceError):
    """This step of the notice is on record with other content."""


class NoticeStepRefused(ServiceError):
    """The notice is not at a point where this can follow."""


class NoticeOverridden(ServiceError):
    """A person decided otherwise: what holds is not the decision that this notice would tell."""

    def __init__(self, holds: Mapping[str, object]) -> None:
        super().__init__()
        self.members = {"standing": holds}


class ErasureRefused(ServiceError):
    """Something about this person must still be kept."""

    def __init__(self, erasure: Erasure, classes: Sequence[str], rules: Sequence[str]) -> None:
        """Take the classes of what must be kept, and the rules they rest on as they are printed."""
        said = "It is held." if erasure.ground == "hold" else _kept(erasure.retained_until)
        super().__init__(" ".join((said, *(f"{rule}." for rule in rules))))
        until = erasure.retained_until
        self.members = {
            "erasure_id": str(erasure.erasure_id),
            "ground": erasure.ground,
            "retained_until": None if until is None else format_moment(until),
            "hold_ids": [str(hold_id) for hold_id in erasure.hold_ids],
            "retention_classes": list(classes),
            "rules": list(rules),
        }


def _kept(until: datetime | None) -> str:
    if until is None:
        return "Something must be kept, and its period has not begun: a notice is owed."
    return f"Something must be kept until {format_moment(until)}."


class TooBusy(ServiceError):
    """More explanations are under way than this process takes."""

    def __init__(self, detail: str | None = None, retry_after_seconds: int | None = None) -> None:
        super().__init__(detail)
        self.retry_after_seconds = retry_after_seconds


class StillCommitting(ServiceError):
    """The entry was not committed in time; the retry decides whether it was recorded."""


class NotReady(ServiceError):
    """The process is still starting."""
