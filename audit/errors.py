"""What can go wrong with the log, each with its own name.

    AuditError
    ├── NotCanonical           a value has no canonical form
    ├── MalformedEntry         bytes that are not an entry
    ├── MalformedNote          text that is not a signed note or a checkpoint
    ├── MalformedProof         text that is not a tlog-proof, or a path of the wrong shape
    ├── VerificationFailed     evidence that does not hold, naming the step
    ├── AuditUnavailable       the database did not confirm
    ├── Overloaded             too many appends are waiting
    ├── EntryRefused           the database refused this one entry
    ├── Conflict               same idempotency key, other content
    ├── EntryNotFound          no such entry
    ├── PayloadErased          the key was destroyed on purpose
    │   └── PayloadExpired     because its retention period had ended
    ├── CustodyRefused         nothing on record allows this to be taken away
    ├── KeyMissing             the key is gone without a trace
    ├── LimitContradicted      a limit of a key that the log itself contradicts
    └── IntegrityHalt          what is stored contradicts what was signed

The docstring of a class is its default message.
"""

from __future__ import annotations

from uuid import UUID


class AuditError(Exception):
    """The audit log failed."""

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or type(self).__doc__)


class NotCanonical(AuditError):
    """The value has no canonical form."""


class MalformedEntry(AuditError):
    """These bytes are not a log entry."""


class MalformedNote(AuditError):
    """This text is not a signed note."""


class MalformedProof(AuditError):
    """This is not a transparency log proof."""


class VerificationFailed(AuditError):
    """The evidence does not hold."""

    def __init__(self, step: str, detail: str) -> None:
        super().__init__(f"{step}: {detail}")
        self.step = step
        self.detail = detail


class AuditUnavailable(AuditError):
    """The audit log did not confirm; a retry with the same key finds out whether the entry was recorded."""


class Overloaded(AuditError):
    """Too many entries are waiting to be committed."""

    def __init__(self, retry_after_seconds: int = 1) -> None:
        super().__init__()
        self.retry_after_seconds = retry_after_seconds


class EntryRefused(AuditError):
    """The database refused this entry."""


class Conflict(AuditError):
    """The same idempotency key was used for different content."""

    def __init__(self, entry_id: UUID) -> None:
        super().__init__()
        self.entry_id = entry_id


class EntryNotFound(AuditError):
    """There is no such entry."""


class PayloadErased(AuditError):
    """The key of this entry was destroyed; its personal data can no longer be read."""


class PayloadExpired(PayloadErased):
    """The retention period of this entry has ended; its personal data was destroyed with its key."""


class CustodyRefused(AuditError):
    """Nothing on record allows this to be taken away."""


class KeyMissing(AuditError):
    """The key of this entry is not in the keys database and no record says it was destroyed."""


class LimitContradicted(AuditError):
    """The log contradicts the limit that was given for a past key."""


class IntegrityHalt(AuditError):
    """What is stored contradicts what was signed."""
