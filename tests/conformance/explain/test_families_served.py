"""Every construct of every family as the service uses it: the registration gate, and counterfactuals."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from numpy.typing import NDArray

from explain.attribution.base import tolerance_for
from explain.contrast import Contrast
from explain.counterfactual.cells.tables import SplitTables
from explain.counterfactual.constraints.checker import Constraints, FeatureConstraint
from explain.counterfactual.linear import LinearTables
from explain.counterfactual.options import options_of, scales_of
from explain.counterfactual.search import CounterfactualSearch
from explain.counterfactual.thresholds.reach import Reach
from explain.deadline import Deadline
from explain.gate import MISSING_KINDS, examine
from explain.models.ensemble import TreeEnsemble
from explain.outcome import OutcomeRule
from explain.reference import Reference
from tests.oracles.cases import Construct
from tests.oracles.families import CONSTRUCTS, Case, case_of, name_of

Reals = NDArray[np.float64]


@pytest.fixture
def case(request: pytest.FixtureRequest) -> Case:
    construct: Construct = request.param
    return case_of(construct)


every_construct = pytest.mark.parametrize("case", CONSTRUCTS, ids=name_of, indirect=True)


def rule_of(case: Case) -> OutcomeRule:
    """Decline whoever lies above the reference's median margin."""
    middle = float(np.median(case.margins64(case.example.reference)[:, 0]))
    return OutcomeRule("margin", middle, "decline", "approve", "high_is_adverse")


def free(case: Case, changes: int) -> Constraints:
    """Everything may change, to any number."""
    space = case.model.space
    return Constraints(space, {name: FeatureConstraint(mutable=True) for name in space.names}, changes)


@every_construct
def test_the_gate_passes_it_and_says_how_it_computes(case: Case) -> None:
    reference = Reference.of("given", case.example.reference)
    report = examine(case.model, rule_of(case), reference, case.shap)
    assert report.reconciliation_max_error <= report.reconciliation_tolerance
    assert report.outputs == case.form.outputs
    assert (report.input_width, report.float_width) == (case.form.input_width, case.form.float_width)
    assert set(report.missing) <= set(MISSING_KINDS.values())
    assert (report.comparison is None) == (not isinstance(case.form, TreeEnsemble))
    assert report.probes >= len(case.example.reference)


@every_construct
def test_the_tables_of_counterfactuals_give_the_librarys_margins(case: Case) -> None:
    for output in range(case.form.outputs):
        for others, margins in table_margins(case, output):
            truth = case.margins64(others)[:, output]
            assert margins == pytest.approx(truth, rel=1e-9, abs=1e-9 * max(1.0, float(np.abs(truth).max())))


def table_margins(case: Case, output: int) -> Iterator[tuple[Reals, Reals]]:
    """A few rows with all their single changes, one in each cell, and their margins from the tables."""
    if not isinstance(case.form, TreeEnsemble):
        weights = case.form.weights[output]
        tables = LinearTables(weights, float(case.form.base_margins[output]), case.form.input_width, 0.0)
        yield case.probes, tables.margins(case.probes)
        return
    splits = SplitTables.prepare(case.form.of_output(output), case.model.space)
    scales = scales_of(Reference.of("given", case.example.reference))
    for row in case.probes[:: max(1, len(case.probes) // 8)]:
        options = options_of(splits, free(case, 2), scales, row)
        reach = Reach(splits, splits.cells(row), options, 2)
        here, margins = reach.margins(splits.cells(row))
        others = np.repeat(row[None, :], len(options) + 1, axis=0)
        others[np.arange(len(options)), options.feature] = options.value
        yield others, np.append(margins, here)


@every_construct
def test_no_recourse_is_claimed_only_where_none_is_found(case: Case) -> None:
    reference = Reference.of("given", case.example.reference)
    rule = rule_of(case)
    if case.form.outputs > 1:
        classes = tuple(map(str, range(case.form.outputs)))
        rule = OutcomeRule("margin", 0.0, "no", "yes", "high_is_adverse", Contrast(classes, (0,)))
    search = CounterfactualSearch.prepare(case.model, rule, free(case, 1), reference)
    for row in case.example.rows[:6]:
        instance = case.model.space.instance(row)
        found = search.find(instance, count=2, deadline=Deadline.unlimited(), seed=1)
        assert found.status in ("found", "not_needed", "no_recourse", "unresolved")
        assert found.dropped == 0
        if found.status != "no_recourse":
            continue
        margins = case.model.margins(single_changes(case, row))
        if rule.contrast is not None:
            margins = rule.contrast.margins(margins)
        clear = [tolerance_for(margin, case.model.float_width) for margin in margins.tolist()]
        assert not (margins < rule.threshold - 2 * np.array(clear)).any()


def single_changes(case: Case, row: Reals) -> Reals:
    """The row with each of its numbers replaced by each that any probe has there."""
    donors = case.probes
    rows = np.repeat(row[None, :], donors.size, axis=0)
    for at in range(donors.shape[1]):
        part = slice(at * len(donors), (at + 1) * len(donors))
        if not np.isnan(row[at]):
            rows[part, at] = np.where(np.isnan(donors[:, at]), row[at], donors[:, at])
    return rows
