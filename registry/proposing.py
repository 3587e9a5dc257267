"""Asking the counterfactual server for proposals: `Proposer`, for the service and the workers.

An absent, busy or failing server is told as `unavailable`, a search that its deadline ended as `stopped`; a
stopped one contributes nothing, so that a replay can leave it out.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from explain.counterfactual.base import Effort
from explain.counterfactual.concluding import Found
from explain.counterfactual.options import cost_of
from explain.counterfactual.problem import Problem, Proposal, Proposed
from explain.deadline import Deadline
from registry.loaded_version import LoadedVersion
from registry.proposals import AskedSearch, Job, JobResult, MalformedJob, VersionName
from runtime.forking.asking import ask, ask_now, tell
from runtime.forking.frames import Answer, Question

__all__ = ["AskedSearch", "Proposer"]


class Proposer:
    """The counterfactual server of this machine, or the fact that there is none."""

    def __init__(self, socket: Path | None) -> None:
        """Say where it listens; None: every search is `unavailable`."""
        self._socket = socket

    @property
    def configured(self) -> bool:
        """Whether there is a server to ask; it may be down all the same."""
        return self._socket is not None

    def prepare(self, loaded: LoadedVersion) -> None:
        """Let the server load this version ahead of the first search, if it is there; waits for nothing."""
        if self._socket is not None:
            tell(self._socket, Question("prepare", VersionName.of(loaded).to_bytes()))

    async def propose(
        self, loaded: LoadedVersion, problem: Problem, asked: AskedSearch, deadline: Deadline
    ) -> Found:
        """Let the server search until the deadline; cancelling ends the search there too. Never raises."""
        if self._socket is None:
            return _unavailable(asked)
        if deadline.expired:
            return _stopped(asked)
        return _found(problem, asked, await ask(self._socket, _question(loaded, problem, asked, deadline)))

    def propose_now(
        self, loaded: LoadedVersion, problem: Problem, asked: AskedSearch, deadline: Deadline
    ) -> Found:
        """Do the same while this thread waits."""
        if self._socket is None:
            return _unavailable(asked)
        if deadline.expired:
            return _stopped(asked)
        return _found(problem, asked, ask_now(self._socket, _question(loaded, problem, asked, deadline)))


def _question(loaded: LoadedVersion, problem: Problem, asked: AskedSearch, deadline: Deadline) -> Question:
    job = Job.of(problem, asked).to_bytes()
    return Question("job", VersionName.of(loaded).to_bytes(), job, deadline.remaining_seconds())


def _found(problem: Problem, asked: AskedSearch, answer: Answer) -> Found:
    """Read the answer; what is in it are rows and counts, and everything else is computed here."""
    if answer.state == "unavailable":
        return _unavailable(asked)
    if answer.state == "stopped":
        return _stopped(asked, answer.progress)
    try:
        result = JobResult.from_bytes(answer.body, len(problem.instance.row))
    except MalformedJob:
        return _unavailable(asked)
    if not result.finished:
        return _stopped(asked, result.evaluations)
    proposals = tuple(_proposal(problem, row, asked.method) for row in result.rows)
    return Found(Effort(asked.method, "finished", result.evaluations), Proposed(proposals))


def _proposal(problem: Problem, row: np.ndarray, method: str) -> Proposal:
    before = problem.instance.row
    changed = (row != before) & ~(np.isnan(row) & np.isnan(before))
    features = tuple(np.flatnonzero(changed).tolist())
    return Proposal(features, row, cost_of(problem.constraints, problem.scales, before, row), method)


def _stopped(asked: AskedSearch, evaluations: int = 0) -> Found:
    return Found(Effort(asked.method, "stopped", evaluations))


def _unavailable(asked: AskedSearch) -> Found:
    return Found(Effort(asked.method, "unavailable"))
