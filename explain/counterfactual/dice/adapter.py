"""DiCE (Mothilal, Sharma and Tan 2020): random, genetic and k-d tree proposals, behind the one door to it.

DiCE sees only the columns of `dice_frames`, through the lean model of `oracle`. What it finds are proposals,
from which changes for nothing are taken back. It draws from the global random generators and prints: both
are put back as they were, so that only one thread at a time may search here.
"""

from __future__ import annotations

import contextlib
import io
import random
import threading
import warnings
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from dice_ml.data_interfaces.private_data_interface import PrivateData
from dice_ml.data_interfaces.public_data_interface import PublicData
from dice_ml.explainer_interfaces.dice_genetic import DiceGenetic
from dice_ml.explainer_interfaces.dice_KD import DiceKD
from dice_ml.explainer_interfaces.dice_random import DiceRandom
from numpy.typing import NDArray
from tqdm import tqdm

from explain.counterfactual.budget import Budget
from explain.counterfactual.constraints.checker import differing
from explain.counterfactual.dice.frames import UNKNOWN, Column, Frame, Layout
from explain.counterfactual.dice.oracle import Exhausted, Oracle, Stopped
from explain.counterfactual.dice.sparing import spared
from explain.counterfactual.options import row_costs
from explain.counterfactual.problem import Problem, Proposal, Proposed
from explain.counterfactual.search import CounterfactualSearch

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

_SAMPLES = 50
_PER_WANTED = 5  # so many proposals for each counterfactual that is wanted: most contain others
_BRED_PER_WANTED = 3  # by the genetic search, which breeds ten times as many
_REFERENCE_ROWS = 500
_ITERATIONS = 60
_OUTCOME = "outcome"

# The lock a progress bar takes by default is one for all processes: a child killed while it holds it would
# stop every later child for ever.
tqdm.set_lock(threading.RLock())


class _Encoder:
    """Codes as DiCE's genetic search numbers them, from 0."""

    def transform(self, labels: Iterable[str]) -> IntArray:
        """Return the numbers of labels."""
        return np.array([int(label) - UNKNOWN for label in labels], dtype=np.int64)

    def inverse_transform(self, numbers: Iterable[int]) -> list[str]:
        """Return the labels of numbers."""
        return [str(int(number) + UNKNOWN) for number in numbers]


class _Rows(PublicData):  # type: ignore[misc]
    """DiCE's data interface over reference rows, with every code there is, whether a row has it or not."""

    def __init__(self, data: pd.DataFrame, numbers: list[str], codes: dict[str, list[str]]) -> None:
        self._codes = codes
        super().__init__(
            {
                "dataframe": data.assign(**{_OUTCOME: 0}),
                "continuous_features": numbers,
                "outcome_name": _OUTCOME,
                "continuous_features_precision": dict.fromkeys(numbers, 0),
            }
        )
        self._ranges: dict[str, Any] = {
            name: [float(self.data_df[name].min()), float(self.data_df[name].max())] for name in numbers
        }

    def _set_feature_dtypes(self, data: pd.DataFrame, categorical: list[str], _: list[str]) -> pd.DataFrame:
        """Keep numbers as they are: DiCE would round them to 32 bits."""
        for name in categorical:
            data[name] = pd.Categorical(data[name], categories=self._codes[name])
        return data

    def get_features_range(self, permitted: Any = None, _: Any = None) -> tuple[Any, Any]:
        """Return the permitted ranges and those of the data, which are looked up once."""
        known = {**getattr(self, "_ranges", {}), **self._codes}
        return known | (permitted or {}), known

    def fit_label_encoders(self) -> dict[str, _Encoder]:
        """Return what numbers the codes of each column."""
        return dict.fromkeys(self._codes, _Encoder())


@dataclass(frozen=True, slots=True, eq=False)
class DiceSearch:
    """The three searches of DiCE, prepared for one model version; what they share is kept between them."""

    layout: Layout
    rows: dict[tuple[int, ...], _Rows] = field(default_factory=dict)

    @classmethod
    def prepare(cls, search: CounterfactualSearch, reference: FloatArray) -> DiceSearch:
        """Lay out the reference rows (n, features); at most some hundreds of them, evenly taken, are kept."""
        places = np.unique(np.linspace(0, len(reference) - 1, _REFERENCE_ROWS).astype(np.intp))
        return cls(Layout.of(search.constraints, search.scales, reference[places]))

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the searches."""
        return tuple(_SEARCHES)

    def method(self, name: str) -> DiceMethod:
        """Return one of the searches; KeyError if there is none of that name."""
        return DiceMethod(name, self, _SEARCHES[name])


@dataclass(frozen=True, slots=True, eq=False)
class DiceMethod:
    """One search of DiCE."""

    name: str
    prepared: DiceSearch
    search: Callable[[DiceSearch, Oracle, int], Any]

    def propose(self, problem: Problem, budget: Budget) -> Proposed:
        """Ask DiCE, take back what is changed for nothing, and drop what the constraints refuse.

        Where it finds nothing, it ends with nothing; where the budget stops it, it contributes nothing.
        """
        frame = Frame.of(self.prepared.layout, problem)
        if not frame.columns:
            return Proposed()
        try:
            shown = self._found(Oracle(frame, budget), problem)
        except (Stopped, Exhausted):
            return Proposed()
        shown = spared(frame, shown, budget)
        return Proposed() if budget.stopped else Proposed(_proposals(frame, shown, self.name))

    def _found(self, oracle: Oracle, problem: Problem) -> FloatArray:
        """Return what DiCE finds and the native model confirms after rounding, (n, columns)."""
        nothing = np.empty((0, len(oracle.names)))
        with _undisturbed(problem.seed):
            try:
                found = self.search(self.prepared, oracle, problem.count)
            except (Stopped, Exhausted):
                raise
            except Exception:
                if oracle.failure is not None:
                    raise
                return nothing  # it says so when it finds nothing, and stumbles over its own corners
        if found is None or not len(found):
            return nothing
        shown = np.unique(found[oracle.names].to_numpy(dtype=object).astype(np.float64), axis=0)
        return np.asarray(shown[oracle.favourable(shown) > 0.5])


def _proposals(frame: Frame, shown: FloatArray, name: str) -> tuple[Proposal, ...]:
    problem = frame.problem
    rows, before = frame.rows(shown), problem.instance.row
    rows = rows[problem.constraints.permitted(before, rows)]
    costs = row_costs(problem.constraints, problem.scales, before, rows)
    return tuple(
        Proposal(tuple(np.flatnonzero(differs).tolist()), row, float(cost), name)
        for row, cost, differs in zip(rows, costs, differing(before, rows), strict=True)
        if differs.any()
    )


def _random(_prepared: DiceSearch, oracle: Oracle, wanted: int) -> Any:
    """Change some columns to random values, then more of them."""
    features = {
        name: list(values) if column.grid is not None else _labels({*values, int(own)})
        for name, column, values, own in _columns(oracle)
    }
    data = PrivateData({"features": features, "outcome_name": _OUTCOME})
    return _generated(DiceRandom(data, oracle), oracle, _PER_WANTED * wanted, sample_size=_SAMPLES)


def _genetic(prepared: DiceSearch, oracle: Oracle, wanted: int) -> Any:
    """Breed proposals from reference rows."""
    frame, rows = oracle.frame, _rows(prepared, oracle)
    weights = {
        name: 1.0 if column.grid is None else _weight(rows.data_df[name].to_numpy())
        for name, column, _, _ in _columns(oracle)
    }
    numbers = any(column.grid is not None for column in frame.columns)
    return _generated(
        DiceGenetic(rows, oracle), oracle, _BRED_PER_WANTED * wanted, permitted_range=_permitted(oracle),
        maxiterations=_ITERATIONS, feature_weights=weights, proximity_weight=0.2 if numbers else 0.0,
    )  # fmt: skip


def _kdtree(prepared: DiceSearch, oracle: Oracle, wanted: int) -> Any:
    """Take the nearest reference rows that reach the goal in what may change."""
    rows = _rows(prepared, oracle)
    permitted = _permitted(oracle)
    return _generated(DiceKD(rows, oracle), oracle, _PER_WANTED * wanted, permitted_range=permitted)


_SEARCHES: dict[str, Callable[[DiceSearch, Oracle, int], Any]] = {
    "dice_random": _random,
    "dice_genetic": _genetic,
    "dice_kdtree": _kdtree,
}


def _generated(explainer: Any, oracle: Oracle, wanted: int, **more: Any) -> Any:
    query = {
        name: [float(own)] if column.grid is not None else [str(int(own))]
        for name, column, _, own in _columns(oracle)
    }
    explained = explainer.generate_counterfactuals(
        pd.DataFrame(query), wanted, desired_class=1, posthoc_sparsity_param=None, **more
    )
    return explained.cf_examples_list[0].final_cfs_df


def _columns(oracle: Oracle) -> Iterator[tuple[str, Column, tuple[int, ...], float]]:
    frame = oracle.frame
    return zip(oracle.names, frame.columns, frame.values, frame.own.tolist(), strict=True)


def _permitted(oracle: Oracle) -> dict[str, Any]:
    return {
        name: list(values) if column.grid is not None else _labels(values)
        for name, column, values, _ in _columns(oracle)
    }


def _rows(prepared: DiceSearch, oracle: Oracle) -> _Rows:
    """Return the reference rows in which none of the frame's columns is missing."""
    chosen = oracle.frame.chosen
    if chosen not in prepared.rows:
        shown = prepared.layout.reference[:, list(chosen)]
        shown = shown[~np.isnan(shown).any(axis=1)]
        data: dict[str, Any] = {}
        codes: dict[str, list[str]] = {}
        for place, (name, column, _, _) in enumerate(_columns(oracle)):
            data[name] = shown[:, place]
            if column.grid is None:
                codes[name] = _labels({UNKNOWN, *range(column.codes)})
                data[name] = np.array([str(int(code)) for code in shown[:, place]], dtype=object)
        numbers = [name for name in oracle.names if name not in codes]
        prepared.rows[chosen] = _Rows(pd.DataFrame(data), numbers, codes)
    return prepared.rows[chosen]


def _labels(codes: Collection[int]) -> list[str]:
    return [str(code) for code in sorted(codes)]


def _weight(shown: FloatArray) -> float:
    """Return the weight of a number that DiCE scales to [0, 1]: its range in units of its spread."""
    if not len(shown):
        return 1.0
    spread = float(np.median(np.abs(shown - np.median(shown))))
    return max(1.0, float(np.ptp(shown)) / spread) if spread > 0.0 else 1.0


@contextlib.contextmanager
def _undisturbed(seed: int) -> Iterator[None]:
    """Seed what DiCE draws from, keep it quiet, and put back everything that it touches."""
    before, numpys, monitors = random.getstate(), np.random.get_state(), tqdm.monitor_interval  # noqa: NPY002
    random.seed(seed)
    np.random.seed([seed & 0xFFFFFFFF, seed >> 32 & 0xFFFFFFFF])  # noqa: NPY002  DiCE knows no other
    tqdm.monitor_interval = 0  # a progress bar would start a thread
    nowhere = io.StringIO()
    try:
        with (
            contextlib.redirect_stdout(nowhere),
            contextlib.redirect_stderr(nowhere),
            warnings.catch_warnings(),
        ):
            warnings.simplefilter("ignore")
            yield
    finally:
        random.setstate(before)
        np.random.set_state(numpys)  # noqa: NPY002
        tqdm.monitor_interval = monitors
