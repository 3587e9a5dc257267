"""The search on small real XGBoost models, judged by the native library alone."""

from __future__ import annotations

import numpy as np
import pytest
import xgboost as xgb
from numpy.typing import NDArray

from explain.counterfactual.base import CounterfactualSet
from explain.counterfactual.cells.tables import SplitTables
from explain.counterfactual.constraints.checker import Constraints, FeatureConstraint
from explain.counterfactual.search import CounterfactualSearch
from explain.deadline import Deadline
from explain.features import Feature, FeatureSpace, Instance
from explain.models import load_model
from explain.models.base import Model, tree_form
from explain.outcome import OutcomeRule
from explain.reference import Reference, select_reference

FloatArray = NDArray[np.float64]

WIDTH = 6
SPACE = FeatureSpace(tuple(Feature(f"x{at}", "number", nullable=True) for at in range(WIDTH)))
RULE = OutcomeRule("probability_of_adverse", 0.35, "decline", "approve")


@pytest.fixture(scope="module")
def rows() -> FloatArray:
    rng = np.random.default_rng(11)
    rows = np.round(rng.normal(size=(600, WIDTH)), 2)
    rows[rng.random(rows.shape) < 0.05] = np.nan
    return rows


@pytest.fixture(scope="module")
def model(rows: FloatArray) -> Model:
    filled = np.nan_to_num(rows)
    labels = (filled[:, 0] + filled[:, 1] * filled[:, 2] - 0.5 * filled[:, 3] > 0.3).astype(int)
    parameters = {"objective": "binary:logistic", "max_depth": 4, "eta": 0.3, "nthread": 1, "seed": 1}
    booster = xgb.train(parameters, xgb.DMatrix(rows, labels), 25)
    return load_model("xgboost", bytes(booster.save_raw("json")), SPACE)


@pytest.fixture(scope="module")
def reference(model: Model, rows: FloatArray) -> Reference:
    return select_reference(model, RULE, rows, "near_cutoff_approved", 0.1, minimum_rows=50)


def constraints(max_changes: int) -> Constraints:
    mutable = {
        "x0": FeatureConstraint(mutable=True, direction="decrease", minimum=-2.0, step=0.05),
        "x1": FeatureConstraint(mutable=True, minimum=-1.0, maximum=1.0, step=0.1),
        "x3": FeatureConstraint(mutable=True, direction="increase"),
    }
    return Constraints(SPACE, mutable, max_changes)


def applied(items: CounterfactualSet, instance: Instance) -> FloatArray:
    """Send each answer back as a caller would."""
    values = dict(zip(SPACE.names, instance.values, strict=True))
    sent = [values | {change.feature: change.after for change in item.changes} for item in items.items]
    return np.array([SPACE.read(given).row for given in sent]).reshape(-1, WIDTH)


def declined(model: Model, rows: FloatArray) -> FloatArray:
    return rows[model.predict(rows).scores >= RULE.threshold]


@pytest.mark.parametrize("max_changes", [1, 2, 3])
def test_every_item_is_favourable_and_permitted(
    max_changes: int, model: Model, rows: FloatArray, reference: Reference
) -> None:
    permitted = constraints(max_changes)
    search = CounterfactualSearch.prepare(model, RULE, permitted, reference)
    statuses = set()
    for row in declined(model, rows)[:60]:
        instance = SPACE.instance(row)
        answer = search.find(instance, count=3, deadline=Deadline.unlimited(), seed=1)
        statuses.add(answer.status)
        assert answer.complete
        assert answer.dropped == 0
        if not answer.items:
            continue
        changed = applied(answer, instance)
        scores = model.predict(changed).scores
        assert (scores < RULE.threshold).all()
        assert [item.score for item in answer.items] == scores.tolist()
        assert all(permitted.check(row, other) == () for other in changed)
        assert len({tuple(other) for other in changed.tolist()}) == len(changed)
        assert answer.items[0].cost == min(item.cost for item in answer.items)
    assert "found" in statuses


def test_one_change_is_the_optimum_of_the_native_model_on_the_grid(
    model: Model, rows: FloatArray, reference: Reference
) -> None:
    search = CounterfactualSearch.prepare(model, RULE, constraints(1), reference)
    spread = [np.nanmedian(np.abs(c - np.nanmedian(c))) for c in reference.rows.T]
    for row in declined(model, rows)[:40]:
        offers = {0: np.arange(-40, 200) / 20, 1: np.arange(-10, 11) / 10}
        offers[0] = offers[0][offers[0] < row[0]] if not np.isnan(row[0]) else np.empty(0)
        offers[1] = offers[1][offers[1] != row[1]] if not np.isnan(row[1]) else np.empty(0)
        best = np.inf
        for at, values in offers.items():
            tried = np.repeat(row[None], len(values), axis=0)
            tried[:, at] = values
            if len(tried):
                good = model.predict(tried).scores < RULE.threshold
                best = min(best, (np.abs(values - row[at])[good] / spread[at]).min(initial=np.inf) + 1)
        answer = search.find(SPACE.instance(row), count=9, deadline=Deadline.unlimited(), seed=1)
        ours = [item.cost for item in answer.items if item.changes[0].feature != "x3"]
        assert min(ours, default=np.inf) == pytest.approx(best)


def test_no_recourse_is_never_claimed_where_the_native_model_has_some(
    model: Model, rows: FloatArray, reference: Reference
) -> None:
    narrow = {
        "x1": FeatureConstraint(mutable=True, minimum=-2.0, maximum=2.0, step=0.1),
        "x3": FeatureConstraint(mutable=True, direction="increase"),
    }
    search = CounterfactualSearch.prepare(model, RULE, Constraints(SPACE, narrow, 2), reference)
    rng = np.random.default_rng(2)
    proofs = set()
    for row in declined(model, rows):
        answer = search.find(SPACE.instance(row), count=1, deadline=Deadline.unlimited(), seed=1)
        assert answer.status in ("found", "no_recourse")
        if answer.status == "found":
            continue
        proofs.add(answer.proof)
        tried = np.repeat(row[None], 2_000, axis=0)
        tried[:, 1] = np.where(np.isnan(row[1]), np.nan, np.round(rng.uniform(-2, 2, 2_000), 1))
        tried[:, 3] = np.maximum(row[3], rng.uniform(-3, 3, 2_000))
        assert not (model.predict(tried).scores < RULE.threshold).any()
    assert proofs == {"bounded", "exhaustive"}


def test_every_margin_of_the_tables_is_the_native_one(
    model: Model, rows: FloatArray, reference: Reference
) -> None:
    from explain.counterfactual.options import options_of, scales_of  # noqa: PLC0415  one door for the test
    from explain.counterfactual.thresholds.reach import Reach  # noqa: PLC0415

    tables = SplitTables.prepare(tree_form(model), SPACE)
    for row in rows[:12]:
        options = options_of(tables, constraints(2), scales_of(reference), row)
        reach = Reach(tables, tables.cells(row), options, 2)
        state = row.copy()
        cells = tables.cells(row)
        if len(options):
            state[options.feature[0]] = options.value[0]
            cells[options.feature[0]] = options.cell[0]
        margin, margins = reach.margins(cells)
        others = np.repeat(state[None], len(options), axis=0)
        others[np.arange(len(options)), options.feature] = options.value
        np.testing.assert_allclose(margins, model.margins(others) if len(others) else [], atol=1e-5)
        assert margin == pytest.approx(model.margins(state[None])[0], abs=1e-5)


def test_equal_inputs_give_equal_answers_prepared_or_not(
    model: Model, rows: FloatArray, reference: Reference
) -> None:
    instance = SPACE.instance(declined(model, rows)[0])
    search = CounterfactualSearch.prepare(model, RULE, constraints(3), reference)
    first = search.find(instance, count=4, deadline=Deadline.unlimited(), seed=5)
    again = search.find(instance, count=4, deadline=Deadline.unlimited(), seed=5)
    anew = CounterfactualSearch.prepare(model, RULE, constraints(3), reference)
    unprepared = anew.find(instance, count=4, deadline=Deadline.unlimited(), seed=5)
    assert first == again == unprepared
    assert first.seed == 5
    assert first.effort == (("threshold_search", "finished", first.evaluations),)


def test_a_stopped_search_repeats_from_its_effort(
    model: Model, rows: FloatArray, reference: Reference
) -> None:
    search = CounterfactualSearch.prepare(model, RULE, constraints(3), reference)
    statuses = set()
    for row in declined(model, rows)[:30]:
        instance = SPACE.instance(row)
        for readings in (1, 3, 12):
            clock = iter([0.0] * readings + [9.0] * 10_000)
            deadline = Deadline(1_000, 0.0, lambda clock=clock: next(clock))
            stopped = search.find(instance, count=3, deadline=deadline, seed=1)
            statuses.add(stopped.status)
            if stopped.complete:
                continue
            assert stopped.status in ("partial", "unresolved")
            assert stopped.effort == (("threshold_search", "stopped", stopped.evaluations),)
            if stopped.items:
                assert (model.predict(applied(stopped, instance)).scores < RULE.threshold).all()
            again = search.find(
                instance,
                count=3,
                deadline=Deadline.unlimited(),
                seed=1,
                max_evaluations=stopped.evaluations,
            )
            assert again == stopped
    assert {"partial", "unresolved"} <= statuses


def test_an_expired_deadline_leaves_it_unresolved(
    model: Model, rows: FloatArray, reference: Reference
) -> None:
    instance = SPACE.instance(declined(model, rows)[0])
    search = CounterfactualSearch.prepare(model, RULE, constraints(3), reference)
    answer = search.find(instance, count=3, deadline=Deadline(0, 0.0), seed=1)
    assert (answer.status, answer.complete, answer.items) == ("unresolved", False, ())


def test_nothing_is_searched_for_the_approved_or_when_not_asked(
    model: Model, rows: FloatArray, reference: Reference
) -> None:
    search = CounterfactualSearch.prepare(model, RULE, constraints(3), reference)
    approved = rows[model.predict(rows).scores < RULE.threshold][0]
    answer = search.find(SPACE.instance(approved), count=3, deadline=Deadline.unlimited(), seed=1)
    assert (answer.status, answer.items, answer.evaluations) == ("not_needed", (), 1)
    row = declined(model, rows)[0]
    answer = search.find(SPACE.instance(row), count=0, deadline=Deadline.unlimited(), seed=1)
    assert (answer.status, answer.evaluations) == ("not_requested", 0)


def test_without_a_mutable_feature_there_is_no_recourse(
    model: Model, rows: FloatArray, reference: Reference
) -> None:
    search = CounterfactualSearch.prepare(model, RULE, Constraints(SPACE, {}, 3), reference)
    row = declined(model, rows)[0]
    answer = search.find(SPACE.instance(row), count=3, deadline=Deadline.unlimited(), seed=1)
    assert (answer.status, answer.proof) == ("no_recourse", "exhaustive")
