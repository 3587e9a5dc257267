"""How patient the workers and the scheduler are."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True)
class Policy:
    """The times and limits of evaluations and of the scheduler; all have working values.

    A lease lasts many heartbeats, so that a slow moment loses none; what no worker has taken for
    `unclaimed_seconds` is sent again, or after `waiting_seconds` while the queue is not empty: then it more
    likely waits for its turn than that it was lost.
    """

    lease_seconds: float = 30.0
    heartbeat_seconds: float = 1.0
    max_attempts: int = 5
    work_seconds: float = 1800.0  # afterwards the evaluation fails as `time-limit`
    hard_seconds: float = 2100.0  # afterwards the worker's child is killed; the lease runs out
    unclaimed_seconds: float = 15.0
    waiting_seconds: float = 600.0
    redeliver_at_most: int = 100
    longest_pause_seconds: float = 60.0
    tick_seconds: float = 1.0
    effort: int = 4_000_000  # rows scored by one cross-check, unless its reference asks for more
    fewest_coalitions: int = 1_000
    search_effort: int = 20_000_000  # candidates that one search for counterfactuals may look at
    search_seconds: float = 60.0  # and how long: others wait behind it; where it stopped is on record
    proposing_seconds: float = 30.0  # how long one search of the counterfactual server may take
    project_entries: int = 500  # entries of the log read into the table of notices in one transaction
    project_decisions: int = 5_000  # and into the table of decisions, which costs a tenth for each
    project_at_most: int = 20  # such transactions in one turn of the scheduler

    def pause(self, attempts: int) -> timedelta:
        """How long to leave an evaluation alone after so many attempts, beyond `unclaimed_seconds`."""
        return timedelta(seconds=min(2.0**attempts, self.longest_pause_seconds))

    @property
    def lease(self) -> timedelta:
        """How long a claim holds without a heartbeat."""
        return timedelta(seconds=self.lease_seconds)

    @property
    def unclaimed_for(self) -> timedelta:
        """How long a message may go unanswered before it is sent again."""
        return timedelta(seconds=self.unclaimed_seconds)

    @property
    def waiting_for(self) -> timedelta:
        """The same while there are messages that nobody has taken yet."""
        return timedelta(seconds=self.waiting_seconds)
