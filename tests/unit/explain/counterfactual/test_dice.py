"""DiCE's proposals against the enumeration of every permitted row, on features tied to each other."""

from __future__ import annotations

import random
import threading
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
import xgboost
from numpy.typing import NDArray

from explain.contrast import Contrast
from explain.counterfactual.aim import Aim
from explain.counterfactual.base import Effort
from explain.counterfactual.budget import Budget
from explain.counterfactual.concluding import Found
from explain.counterfactual.constraints.checker import differing
from explain.counterfactual.constraints.narrowing import Narrowing
from explain.counterfactual.dice.adapter import DiceSearch
from explain.counterfactual.problem import Problem
from explain.counterfactual.search import CounterfactualSearch, run
from explain.counterfactual.verify import verify
from explain.deadline import Deadline
from explain.errors import TargetReached
from explain.models import load_model
from explain.models.base import Prediction
from explain.outcome import OutcomeRule
from explain.reference import Reference
from tests.oracles import tied_features as tied

FloatArray = NDArray[np.float64]

METHODS = ("dice_random", "dice_genetic", "dice_kdtree")
MOST = 4
CLASSES = ("good", "fair", "poor")
BINARY = OutcomeRule("probability_of_adverse", 0.3, "decline", "approve")
TERNARY = OutcomeRule("margin", 0.0, "decline", "approve", "high_is_adverse", Contrast(CLASSES, (1, 2)))


class Case:
    """An XGBoost model, its search and DiCE's, and applicants whom it declines."""

    def __init__(self, classes: int, max_changes: int = 3) -> None:
        rng = np.random.default_rng(classes)
        rows = tied.applicants(rng, 700, MOST)
        filled = np.nan_to_num(rows, nan=1.0)
        score = 2.0 * filled[:, tied.RATIO].clip(0, 3) - filled[:, tied.POINTS] - filled[:, tied.SCORE]
        score += filled[:, tied.OWN] * filled[:, tied.JOB] + rng.normal(size=len(rows)) * 0.3
        labels = np.digitize(score, np.quantile(score, [0.4] if classes == 2 else [0.3, 0.6]))
        space = tied.space_of(MOST)
        types = ["c" if feature.type == "category" else "q" for feature in space.features]
        data = xgboost.DMatrix(rows, labels, feature_types=types, enable_categorical=True, nthread=1)
        goal = {"objective": "binary:logistic"}
        if classes == 3:
            goal = {"objective": "multi:softprob", "num_class": "3"}
        booster = xgboost.train({"nthread": 1, "seed": 1, "max_depth": 4} | goal, data, 15)
        self.model = load_model("xgboost", bytes(booster.save_raw("ubj")), space)
        self.rule = BINARY if classes == 2 else TERNARY
        self.max_changes = max_changes
        permitted = tied.constraints_of(space, max_changes, MOST)
        reference = Reference.of("given", rows[:300])
        self.search = CounterfactualSearch.prepare(self.model, self.rule, permitted, reference)
        self.dice = DiceSearch.prepare(self.search, reference.rows)
        self.declined = rows[300:][~self.favourable(rows[300:], self.rule)]

    def favourable(self, rows: FloatArray, rule: OutcomeRule) -> NDArray[np.bool_]:
        prediction = self.model.predict(rows)
        return rule.favourable_mask(rule.scores_of(prediction.margins, prediction.scores))

    def problem(self, row: FloatArray, seed: int = 1, aim: Aim | None = None) -> Problem:
        return self.search.problem(self.model.space.instance(row), count=3, seed=seed, aim=aim)


@cache
def case_of(classes: int = 2, max_changes: int = 3) -> Case:
    return Case(classes, max_changes)


def asked(case: Case, method: str, problem: Problem, allowed: int | None = None) -> Found:
    return run(case.dice.method(method), problem, Budget(Deadline.unlimited(), allowed))


def rows_of(found: Found) -> list[list[float]]:
    return [np.nan_to_num(proposal.row, nan=-9.0).tolist() for proposal in found.proposed.proposals]


@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.parametrize("method", METHODS)
def test_every_proposal_is_permitted_and_reaches_the_goal(method: str, classes: int) -> None:
    case = case_of(classes)
    answered = 0
    for row in case.declined[:12]:
        problem = case.problem(row)
        found = asked(case, method, problem)
        assert found.effort.state == "finished"
        every = tied.every_permitted_row(row, MOST, case.max_changes, MOST)
        good = np.nan_to_num(every[case.favourable(every, case.rule)], nan=-9.0).tolist()
        for proposal in found.proposed.proposals:
            assert np.nan_to_num(proposal.row, nan=-9.0).tolist() in good
            assert proposal.method == method
            assert proposal.features == tuple(np.flatnonzero(differing(row, proposal.row[None, :])[0]))
        items, dropped = verify(problem, found.proposed.proposals)
        assert (len(items), dropped) == (len(found.proposed.proposals), 0)
        answered += bool(items)
    assert answered >= {"dice_random": 6, "dice_genetic": 2, "dice_kdtree": 1}[method]


def test_no_change_is_there_for_nothing() -> None:
    case = case_of()
    checked = 0
    for row in case.declined[:12]:
        problem = case.problem(row)
        constraints = problem.constraints
        for proposal in asked(case, "dice_random", problem).proposed.proposals:
            for at in proposal.features:
                if constraints.derived(at):
                    continue
                fewer = proposal.row.copy()
                group = list(constraints.members[0]) if constraints.grouped(at) else [at]
                fewer[group] = row[group]
                less = constraints.complete(row, fewer[None, :])
                needless = case.favourable(less, case.rule)[0] and constraints.permitted(row, less)[0]
                assert not needless or constraints.changes(row, less[0]) == 0
                checked += 1
    assert checked > 20


@pytest.mark.parametrize("method", METHODS)
def test_the_same_seed_gives_the_same_and_nobody_elses_chance_is_touched(method: str) -> None:
    case = case_of()
    row, threads = case.declined[1], threading.active_count()
    random.seed(5)
    np.random.seed(5)  # noqa: NPY002
    before = random.getstate(), np.random.get_state()[1].tolist()  # noqa: NPY002
    first = asked(case, method, case.problem(row, seed=1 << 62))
    assert (random.getstate(), np.random.get_state()[1].tolist()) == before  # noqa: NPY002
    random.seed(99)
    again = asked(case, method, case.problem(row, seed=1 << 62))
    assert rows_of(first) == rows_of(again)
    assert first.effort == again.effort
    assert threading.active_count() == threads


def test_another_seed_looks_elsewhere() -> None:
    case = case_of()
    seen = {
        str(rows_of(asked(case, "dice_random", case.problem(case.declined[1], seed)))) for seed in range(6)
    }
    assert len(seen) > 1


@pytest.mark.parametrize("method", METHODS)
def test_a_search_that_is_stopped_contributes_nothing(method: str) -> None:
    case = case_of()
    problem = case.problem(case.declined[1])
    whole = asked(case, method, problem).effort.evaluations
    stopped = asked(case, method, problem, allowed=whole // 2)
    assert stopped.proposed.proposals == ()
    assert stopped.effort.state == "stopped"
    assert whole // 2 <= stopped.effort.evaluations <= whole
    again = asked(case, method, problem, allowed=stopped.effort.evaluations)
    assert again.effort == stopped.effort


@pytest.mark.parametrize("method", METHODS)
def test_it_is_quiet(method: str, capfd: pytest.CaptureFixture[str]) -> None:
    case = case_of()
    asked(case, method, case.problem(case.declined[1]))
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("method", METHODS)
def test_where_nothing_may_change_nothing_is_asked(method: str) -> None:
    case = case_of()
    problem = case.problem(case.declined[1])
    fixed = replace(problem, constraints=replace(problem.constraints, by_feature={}, groups=(), links=()))
    assert asked(case, method, fixed).effort == Effort(method, "finished", 0)


@pytest.mark.parametrize("method", METHODS)
def test_where_nothing_helps_it_ends_with_nothing(method: str) -> None:
    """Also the genetic search, which by itself would draw for ever."""
    case = case_of()
    row = case.declined[1]
    with_one = case.search.constraints
    tight = replace(
        with_one,
        by_feature={"points": with_one.by_feature["points"]},
        groups=(),
        links=(),
        inequalities=(),
    )
    found = asked(case, method, replace(case.problem(row), constraints=tight))
    assert found.effort.state == "finished"
    assert all(set(proposal.features) == {tied.POINTS} for proposal in found.proposed.proposals)


def test_a_request_narrows_what_dice_may_touch() -> None:
    case = case_of()
    narrowing = Narrowing(("value", "job"), {"value": (1.0, 3.0), "job": ("c",)}, 2)
    touched: set[int] = set()
    for row in case.declined[:12]:
        problem = case.search.problem(case.model.space.instance(row), count=3, seed=1, narrowing=narrowing)
        for proposal in asked(case, "dice_random", problem).proposed.proposals:
            touched |= set(proposal.features)
            assert proposal.row[tied.VALUE] in (row[tied.VALUE], 1.0, 2.0, 3.0)
            assert proposal.row[tied.JOB] in (row[tied.JOB], 2.0)
    assert touched
    assert touched <= {tied.VALUE, tied.JOB, tied.RATIO}


@pytest.mark.parametrize(
    ("classes", "aim"), [(2, Aim(0.1, "below")), (2, Aim(0.8, "above")), (3, Aim(wanted_class="fair"))]
)
def test_any_goal_is_looked_for(classes: int, aim: Aim) -> None:
    case = case_of(classes)
    found = 0
    for row in case.declined[:20]:
        try:
            problem = case.problem(row, aim=aim)
        except TargetReached:
            continue
        proposals = asked(case, "dice_random", problem).proposed.proposals
        if proposals:
            rows = np.stack([proposal.row for proposal in proposals])
            assert problem.target.reached(case.model.predict(rows)).all()
            found += 1
    assert found >= 2


def test_what_the_model_itself_raises_is_not_taken_for_dices() -> None:
    class Broken:
        def predict(self, _rows: FloatArray) -> Prediction:
            raise ArithmeticError

    case = case_of()
    with pytest.raises(ArithmeticError):
        asked(case, "dice_random", replace(case.problem(case.declined[1]), model=Broken()))  # type: ignore[arg-type]
