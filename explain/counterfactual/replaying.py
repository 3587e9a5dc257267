"""Repeating a recorded search by its effort, without a clock: same problem, same effort, same answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from explain.counterfactual.base import CounterfactualSet, Effort
from explain.counterfactual.budget import Budget
from explain.counterfactual.concluding import Found, conclude
from explain.counterfactual.problem import Method, Problem
from explain.counterfactual.search import run
from explain.deadline import Deadline

Ask = Callable[[Effort], Found]
"""Repeats a search that another process did; whatever it cannot repeat it tells as `unavailable`."""


def replayed(
    problem: Problem,
    efforts: Sequence[Effort],
    methods: Mapping[str, Method],
    ask: Ask | None = None,
    deadline: Deadline | None = None,
) -> CounterfactualSet:
    """Repeat each method as far as it went, in the recorded order, and conclude anew.

    A method that had ended by itself and now goes further than it went is stopped there: the answer differs
    already. `deadline` ends what takes longer than its caller will wait; what it ended is not repeated.

    `methods` are those that this process has, by name; of the others, `ask` repeats what came to its own end.
    A method that nobody has any more is told as `unavailable`, so that the efforts of the answer differ from
    the recorded ones wherever the search could not be repeated.
    """
    return conclude(
        problem,
        [
            _repeated(problem, effort, methods.get(effort.method), ask, deadline or Deadline.unlimited())
            for effort in efforts
        ],
    )


def _repeated(
    problem: Problem, effort: Effort, method: Method | None, ask: Ask | None, deadline: Deadline
) -> Found:
    if effort.state == "unavailable":
        return Found(effort)
    if method is not None:
        allowed = effort.evaluations + (effort.state == "finished")
        return run(method, problem, Budget(deadline, allowed))
    if effort.state == "stopped":  # what another process was told to leave contributed nothing
        return Found(effort)
    return Found(Effort(effort.method, "unavailable")) if ask is None else ask(effort)
