"""What a search may spend: a deadline on the clock, or a number of evaluations that replays without one."""

from __future__ import annotations

from explain.deadline import Deadline


class Budget:
    """Counts the evaluations spent and says when to stop; once stopped, it stays so.

    What is scored after the stop, to settle what was already begun, no longer counts: allowing `spent`
    evaluations stops a second search at the same place.
    """

    def __init__(self, deadline: Deadline, max_evaluations: int | None) -> None:
        self.spent = 0
        self.stopped = False
        self._deadline = deadline
        self._allowed = max_evaluations

    def spend(self, evaluations: int) -> None:
        """Count candidates whose margin was computed."""
        if not self.stopped:
            self.spent += evaluations

    def goes_on(self) -> bool:
        """Tell whether another batch may begin."""
        if not self.stopped:
            reached = self._allowed is not None and self.spent >= self._allowed
            self.stopped = reached or self._deadline.expired
        return not self.stopped
