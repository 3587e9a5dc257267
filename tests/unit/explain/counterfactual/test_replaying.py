"""A recorded search is repeated without a clock: wherever it was stopped, and in another process too."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from explain.counterfactual.base import Effort
from explain.counterfactual.budget import Budget
from explain.counterfactual.concluding import Found, conclude
from explain.counterfactual.exact.method import ExactSearch
from explain.counterfactual.problem import Proposed
from explain.counterfactual.replaying import replayed
from explain.counterfactual.search import run
from explain.deadline import Deadline
from tests.oracles.counterfactual_searches import (
    FORMS,
    STOPS,
    answers,
    method_of,
    prepare,
    problems,
    searched,
    ticking,
    told,
)

ROOT = Path(__file__).resolve().parents[4]
ROWS = 24


@pytest.mark.parametrize("form", FORMS)
def test_the_answer_is_the_same_wherever_the_search_was_stopped(form: str) -> None:
    search = prepare(form)
    seen: Counter[str] = Counter()
    for problem, first in answers(search, ROWS):
        method = method_of(search, problem)
        assert replayed(problem, first.effort, {method.name: method}) == first
        seen.update((first.effort[0].state, first.status))
    assert seen["finished"] + seen["stopped"] == ROWS * len(STOPS)
    assert min(seen["finished"], seen["stopped"], seen["found"]) >= ROWS
    assert seen["partial"] >= ROWS // 4


@pytest.mark.parametrize("form", FORMS)
def test_another_process_gives_the_same_answers(form: str) -> None:
    here = told(form, 12)
    for hashing, threads in (("1", "1"), ("4242", "2")):
        surroundings = {**os.environ, "PYTHONHASHSEED": hashing, "OMP_NUM_THREADS": threads}
        program = [sys.executable, "-m", "tests.oracles.counterfactual_searches", form, "12"]
        there = subprocess.run(program, cwd=ROOT, env=surroundings, capture_output=True, check=True)
        assert there.stdout.decode() == here


def test_an_exact_search_is_repeated_too() -> None:
    search = prepare("trees")
    exact = ExactSearch.prepare(search.model)
    seen: Counter[str] = Counter()
    for problem in problems(search, ROWS):
        for looks in STOPS:
            first = conclude(problem, [run(exact, problem, Budget(ticking(looks), None))])
            assert replayed(problem, first.effort, {exact.name: exact}) == first
            seen.update((first.effort[0].state,))
    assert min(seen["finished"], seen["stopped"]) >= ROWS


def test_several_methods_are_repeated_in_their_order() -> None:
    search = prepare("trees")
    problem = next(problems(search, 1))
    first = searched(search, problem, None)
    method = method_of(search, problem)
    (own,) = first.effort
    asked: list[Effort] = []

    def ask(effort: Effort) -> Found:
        asked.append(effort)
        return Found(
            effort, Proposed(method.propose(problem, Budget(Deadline.unlimited(), None)).proposals[:1])
        )

    random, left = Effort("dice_random", "finished", 70), Effort("dice_genetic", "stopped", 9)
    gone = Effort("dice_kdtree", "unavailable")
    again = replayed(problem, (own, random, left, gone), {method.name: method}, ask)
    assert asked == [random]
    assert again.effort == (own, random, left, gone)
    assert again.items == first.items
    assert (again.status, again.complete) == ("partial", False)
    assert again.evaluations == own.evaluations + 79


def test_what_nobody_can_repeat_any_more_is_said() -> None:
    problem = next(problems(prepare("trees"), 1))
    again = replayed(
        problem, (Effort("dice_random", "finished", 70), Effort("older_search", "stopped", 3)), {}
    )
    assert again.effort == (Effort("dice_random", "unavailable"), Effort("older_search", "stopped", 3))
    assert (again.items, again.status) == ((), "unresolved")


def test_a_search_that_goes_further_than_it_went_is_stopped_there() -> None:
    """As where the model is another one: the replay ends, and its effort says that it is not the same."""
    search = prepare("trees")
    exact = ExactSearch.prepare(search.model)
    states: Counter[str] = Counter()
    for problem in problems(search, 12):
        whole = conclude(problem, [run(exact, problem, Budget(Deadline.unlimited(), None))])
        (own,) = whole.effort
        assert own.state == "finished"
        less = own._replace(evaluations=own.evaluations // 4)
        (again,) = replayed(problem, (less,), {exact.name: exact}).effort
        assert again != less
        assert again.evaluations <= own.evaluations
        states[again.state] += 1
    assert states["stopped"] >= 6


def test_a_deadline_ends_a_search_that_is_repeated() -> None:
    search = prepare("trees")
    problem = next(problems(search, 1))
    method = method_of(search, problem)
    first = searched(search, problem, None)
    late = replayed(problem, first.effort, {method.name: method}, None, Deadline(0.0, 0.0))
    assert late.effort[0].state == "stopped"
    assert late.items == ()
