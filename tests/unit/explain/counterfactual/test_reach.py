"""The margins of all single changes from any state, asked in any order, against the model itself."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from explain.counterfactual.cells.tables import SplitTables
from explain.counterfactual.constraints.checker import Constraints, FeatureConstraint
from explain.counterfactual.options import options_of
from explain.counterfactual.thresholds.beam import _first_least
from explain.counterfactual.thresholds.reach import Reach


@pytest.mark.parametrize("comparison", ["<", "<="])
@pytest.mark.parametrize("seed", range(6))
def test_one_state_leaves_nothing_behind_for_the_next(
    seed: int, comparison: str, grow_forest: Callable[..., object]
) -> None:
    model = grow_forest(seed, trees=12, depth=4, comparison=comparison)
    space = model.space  # type: ignore[attr-defined]
    rng = np.random.default_rng(seed)
    free = {name: FeatureConstraint(mutable=True) for name in space.names if name != "age"}
    row = np.array([rng.choice([0.3, 2.5]), 3.0, 0.0, 1.0, 40.0])
    tables = SplitTables.prepare(model.form(), space)  # type: ignore[attr-defined]
    options = options_of(tables, Constraints(space, free, 4), np.ones(5), row)
    reach = Reach(tables, tables.cells(row), options, 4)
    for _ in range(25):
        state, cells = row.copy(), reach.start.copy()
        for at in rng.permutation(len(options))[: rng.integers(0, 4)].tolist():
            state[options.feature[at]] = options.value[at]
            cells[options.feature[at]] = options.cell[at]
        others = np.repeat(state[None], len(options), axis=0)
        others[np.arange(len(options)), options.feature] = options.value
        margin, margins = reach.margins(cells)
        assert margin == pytest.approx(model.margins(state[None])[0], abs=1e-12)  # type: ignore[attr-defined]
        assert margins == pytest.approx(model.margins(others), abs=1e-12)  # type: ignore[attr-defined]


def test_the_first_of_the_least_of_each_group() -> None:
    groups = np.array([1, 1, 1, 4, 6, 6])
    assert _first_least(np.array([2.0, 1.0, 1.0, 9.0, 3.0, 3.0]), groups) == [1, 3, 4]
    assert _first_least(np.empty(0), np.empty(0, dtype=np.int64)) == []
