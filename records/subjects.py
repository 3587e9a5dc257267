"""Under which name the log keeps the key that the entries about one person, or one decision, hang on."""

from __future__ import annotations

from uuid import UUID

from audit.entry import Entry


def subject_named(model: str, decision_id: str, subject_ref: str | None) -> str:
    """The name of this person's key, or of the decision's own where the caller named nobody.

    Every entry about a decision that says anything personal is encrypted under this subject, so that one
    erasure reaches all of them.
    """
    return f"decision/{model}/{decision_id}" if subject_ref is None else f"subject/{subject_ref}"


def key_beside(entry: Entry) -> UUID | None:
    """The key of a decision's entry, beside which everything is kept that is said about it later.

    Not under the name: after an erasure the same name has another key, which that erasure did not reach.
    """
    return None if entry.private is None else entry.private.key_id
