"""Looking for counterfactuals inside a budget: what is asked next, when it is over, and what came of it.

Nothing here waits for anything. The direct search runs where `advance` is called; what another server
proposes comes in from outside, and is verified by the next `advance`.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Literal
from uuid import UUID

from explain.counterfactual.base import CounterfactualSet, Effort, Status
from explain.counterfactual.budget import Budget
from explain.counterfactual.concluding import Found, conclude
from explain.counterfactual.problem import Method, Problem
from explain.counterfactual.search import run, settles
from explain.deadline import Deadline
from runtime.ids import uuid7
from runtime.metrics import SEARCH_SECONDS
from service.errors import CounterfactualUnavailable
from service.explanations.asking import Sought
from service.explanations.finding import Finding

DIRECT = "direct"
FAIR_SECONDS = 0.25  # how long a search keeps its thread while others wait for one
Passed = Literal["stopped", "unavailable"]
Others = Callable[[str], Passed | None]


@dataclass(frozen=True, slots=True)
class Turn(Deadline):
    """A deadline that comes early where others wait: no search keeps its thread long at their cost."""

    fair_until: float = math.inf
    wanted: Callable[[], bool] = field(default=lambda: False, repr=False, compare=False)

    @classmethod
    def of(cls, deadline: Deadline, wanted: Callable[[], bool]) -> Turn:
        """A turn that begins now; `wanted` tells whether somebody waits for it to end."""
        fair_until = deadline.clock() + FAIR_SECONDS
        return cls(deadline.budget_ms, deadline.started, deadline.clock, fair_until, wanted)

    @property
    def expired(self) -> bool:
        """Whether the budget is used up, or a fair share of the thread is and somebody waits."""
        return self.remaining_seconds() <= 0.0 or (self.clock() >= self.fair_until and self.wanted())


@dataclass(frozen=True, slots=True, eq=False)
class Stand:
    """How far a search is: the methods still to be asked, what the others found, and what that amounts to.

    `unread` is what came in from outside since then. `ended` is when the last method ended or should have, on
    the monotonic clock.
    """

    left: tuple[str, ...]
    found: tuple[Found, ...] = ()
    concluded: CounterfactualSet | None = None
    unread: Found | None = None
    ended: float = 0.0

    def over(self, sought: Sought) -> bool:
        """Whether nobody else is to be asked."""
        concluded = self.concluded
        if concluded is None or self.unread is not None:
            return False
        if not self.left or concluded.status == "no_recourse":
            return True
        return not sought.each and len(concluded.items) >= sought.problem.count

    def told(self, found: Found, deadline: Deadline) -> Stand:
        """The same when the method that is next has answered from outside."""
        return replace(self, left=self.left[1:], unread=found, ended=_by(deadline))


@dataclass(frozen=True, slots=True, eq=False)
class Recourse:
    """What was found of what would change a decision, and for how many milliseconds it was looked for.

    `evaluation_id` names the search of a worker that goes on where this one was deferred.
    """

    found: CounterfactualSet
    milliseconds: float = 0.0
    evaluation_id: UUID | None = None


def advance(
    finding: Finding, sought: Sought, stand: Stand, deadline: Deadline, others: Others = lambda _: None
) -> Stand:
    """Concludes from what has come in and goes on: until it is over, or somebody else is to be asked.

    `others` tells what becomes of a method that is not the direct one; None where it is to be asked.
    """
    if stand.unread is not None:
        stand = _concluded(sought, stand, stand.unread)
    while stand.left and not stand.over(sought):
        method = stand.left[0]
        if method == DIRECT:
            found = _own(finding, sought, deadline)
            stand = replace(stand, ended=_by(deadline))
        elif deadline.remaining_seconds() <= 0.0:
            found = (Found(Effort(method, "stopped")),)
        elif (passed := others(method)) is not None:
            found = (Found(Effort(method, passed)),)
        else:
            break
        stand = _concluded(sought, replace(stand, left=stand.left[1:]), *found)
    return stand


def settled(finding: Finding, sought: Sought, stand: Stand) -> CounterfactualSet:
    """What there is when no thread was to be had in time: what had been verified, and nothing else.

    What came in and was never looked at counts as stopped, so that a replay leaves it out too.
    """
    passed = [Found(Effort(_name(finding, sought, method), "stopped")) for method in stand.left]
    if stand.unread is not None:
        passed.insert(0, Found(stand.unread.effort._replace(state="stopped")))
    return conclude(sought.problem, [*stand.found, *passed])


def recourse_of(sought: Sought, found: CounterfactualSet, started: float, now: datetime) -> Recourse:
    """What is answered; where nothing is verified and nothing proved, a worker goes on.

    Raises `CounterfactualUnavailable` where one was required and none is verified.
    """
    if sought.required and not any(item.verified for item in found.items):
        raise CounterfactualUnavailable(_unfound(found))
    milliseconds = 1e3 * (time.monotonic() - started)
    if found.status != "unresolved":
        return Recourse(found, milliseconds)
    return Recourse(replace(found, status="deferred", complete=False), milliseconds, uuid7(now))


def _unfound(found: CounterfactualSet) -> str:
    """Says why there is none: proved, out of time, not asked, or looked for in vain."""
    states = {effort.state for effort in found.effort}
    if found.status == "no_recourse":
        return "It is proved that no permitted change reaches the goal: more time would not find one."
    if "stopped" in states:
        return "The time ended before the search did, and none was verified until then."
    if "unavailable" in states:
        return "None was verified, and one of the searches could not be asked."
    return "The search ended without a verified one, which does not prove that there is none."


def nothing_sought(finding: Finding) -> Recourse:
    """The answer where nothing is looked for."""
    status: Status = "not_needed" if finding.decision.favourable else "not_requested"
    return Recourse(CounterfactualSet(status, complete=True, items=(), evaluations=0, seed=0, effort=()))


def _own(finding: Finding, sought: Sought, deadline: Deadline) -> tuple[Found, ...]:
    """Lets the direct search look until it ends or the deadline stops it.

    Where it ended and neither found nor proved anything, the exact search goes on: what it does not settle
    until the deadline either, a worker does.
    """
    search, problem = finding.loaded.search, sought.problem
    direct = _timed(search.direct(problem), problem, deadline)
    if settles(direct):
        return (direct,)
    return direct, _timed(search.exact, problem, deadline)


def _timed(method: Method, problem: Problem, deadline: Deadline) -> Found:
    started = time.monotonic()
    found = run(method, problem, Budget(deadline, None))
    SEARCH_SECONDS.labels(method=found.effort.method).observe(time.monotonic() - started)
    return found


def _by(deadline: Deadline) -> float:
    """The present moment, or that of the deadline where it has passed."""
    return min(time.monotonic(), deadline.started + 1e-3 * deadline.budget_ms)


def _concluded(sought: Sought, stand: Stand, *more: Found) -> Stand:
    found = (*stand.found, *more)
    return replace(stand, found=found, concluded=conclude(sought.problem, found), unread=None)


def _name(finding: Finding, sought: Sought, method: str) -> str:
    return finding.loaded.search.direct(sought.problem).name if method == DIRECT else method
