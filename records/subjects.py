"""Under which name the log keeps the key that the entries about one person, or one decision, hang on."""

from __future__ import annotations


def subject_named(model: str, decision_id: str, subject_ref: str | None) -> str:
    """The name of this person's key, or of the decision's own where the caller named nobody.

    Every entry about a decision that says anything personal is encrypted under this subject, so that one
    erasure reaches all of them.
    """
    return f"decision/{model}/{decision_id}" if subject_ref is None else f"subject/{subject_ref}"
