"""The kinds of problem: a stable name, a status, a title; those that several errors share."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Kind:
    """One row of the table: the stable name of a problem, its status, its title."""

    name: str
    status: int
    title: str
    retry_after_seconds: int | None = None
    # Said instead of the error's own words where those could carry what must not leave: a driver's message,
    # a margin.
    detail: str | None = None

    # Nobody foresaw this one: its stack is worth a log line.
    unexpected: bool = False

    @property
    def type(self) -> str:
        return f"/problems/{self.name}"


INVALID_INPUT = Kind("invalid-input", 422, "The input is not valid")
NOT_FOUND = Kind("not-found", 404, "Not found")
METHOD_NOT_ALLOWED = Kind("method-not-allowed", 405, "This address does not take that method")
OVERLOADED = Kind("overloaded", 503, "The service is overloaded", retry_after_seconds=1)
CONFLICT = Kind("decision-conflict", 409, "This decision is on record with other input")
ERASED = Kind("erased", 410, "The personal data was erased")
MISMATCH = Kind("decision-mismatch", 409, "The decision that was sent is not reproduced")
AUDIT_UNAVAILABLE = Kind(
    "audit-unavailable",
    503,
    "The record could not be reached",
    retry_after_seconds=2,
    detail="Nothing is answered that is not on record; a retry finds out whether the entry was written.",
)
INTERNAL = Kind(
    "internal-error",
    500,
    "The service failed",
    detail="The request failed for a reason that is not the caller's; the log has it under this instance.",
    unexpected=True,
)
INTEGRITY = Kind(
    "integrity-halt",
    503,
    "The log is halted",
    detail="What is stored contradicts what was signed; an operator is needed.",
)

STORE_DAMAGED = Kind(
    "model-damaged",
    500,
    "The stored model is damaged",
    detail="Stored bytes of this version do not match its digest.",
)
