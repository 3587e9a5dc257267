"""What the register says of reviews that count no more, and of those that never did."""

from __future__ import annotations

from typing import Any
from uuid import UUID

FOLLOWED = ("last_review_kind", "standing_outcome", "review_entry_id", "superseded_by")


def test_what_was_superseded_or_only_asked_for_does_not_count(office: Any) -> None:
    decided = office.decide()

    def reviewed(kind: str, outcome: str | None = None, **pointers: object) -> str:
        body = {"kind": kind, "outcome": outcome, **{name: str(one) for name, one in pointers.items()}}
        return str(office.append("explanation.reviewed", body, decided))

    def followed() -> list[str | None]:
        office.settle()
        (row,) = office.rows("period-register")
        return [row[name] for name in FOLLOWED]

    wrong = reviewed("overridden", "approve", superseded_by=UUID(int=3))
    assert followed() == ["overridden", "approve", wrong, str(UUID(int=3))]
    back = reviewed("corrected", supersedes=wrong, superseded_by="nowhere")
    reviewed("requested")
    assert followed() == ["corrected", None, back, None]
    kept = reviewed("reviewed", "approve")
    assert followed() == ["reviewed", "approve", kept, None]
