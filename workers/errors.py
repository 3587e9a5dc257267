"""How the work on an evaluation can end without a result.

WorkError
├── EvaluationStopped      somebody said stop: cancelled, lost, stopping or time-limit
└── EvaluationImpossible   no retry will help; the reason has a name
"""

from __future__ import annotations

from typing import Literal

from audit.entry import Draft

StopReason = Literal["cancelled", "lost", "stopping", "time-limit"]


class WorkError(Exception):
    """The work ended without a result."""


class EvaluationStopped(WorkError):
    """The work was told to stop between two chunks."""

    def __init__(self, reason: StopReason) -> None:
        self.reason = reason
        super().__init__(reason)


class EvaluationImpossible(WorkError):
    """The evaluation cannot be done, now or later; `drafts` are entries that say more about it."""

    def __init__(self, reason: str, *drafts: Draft) -> None:
        self.reason, self.drafts = reason, drafts
        super().__init__(reason)
