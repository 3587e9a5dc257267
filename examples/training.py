"""Training the examples' models: one thread, one seed, the same bytes on every run of one XGBoost release."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from pandas import DataFrame

SEED = 20_261_122


@dataclass(frozen=True, slots=True)
class Split:
    """Row numbers: to train on, to be the reference population, and to test on; no row is in two of them."""

    train: list[int]
    reference: list[int]
    test: list[int]


def split(rows: int, *, train: float, reference: float) -> Split:
    """Divide the rows at random, always in the same way; what is left over is the test."""
    order = np.random.default_rng(SEED).permutation(rows).tolist()
    first, second = round(rows * train), round(rows * (train + reference))
    return Split(sorted(order[:first]), sorted(order[first:second]), sorted(order[second:]))


@dataclass(frozen=True, slots=True)
class Trained:
    """A trained booster, its artifact and its scores of every row."""

    artifact: bytes
    booster: Any
    scores: NDArray[np.float64]

    def score(self, table: DataFrame) -> NDArray[np.float64]:
        """Return the model's probability of the adverse outcome for each row."""
        return _scores(self.booster, table)


def train(
    table: DataFrame,
    adverse: NDArray[np.float64],
    rows: Sequence[int],
    parameters: Mapping[str, object],
    rounds: int,
) -> Trained:
    """Train on these rows of the table; `parameters` are XGBoost's own."""
    import xgboost  # noqa: PLC0415  takes seconds to import, and the service never trains

    chosen = list(rows)
    data = xgboost.DMatrix(table.iloc[chosen].astype(float), label=adverse[chosen], nthread=1)
    fixed = {"objective": "binary:logistic", "tree_method": "hist", "nthread": 1, "seed": SEED}
    booster = xgboost.train({**fixed, **parameters}, data, num_boost_round=rounds)
    return Trained(bytes(booster.save_raw("json")), booster, _scores(booster, table))


def _scores(booster: Any, table: DataFrame) -> NDArray[np.float64]:
    import xgboost  # noqa: PLC0415

    scores: NDArray[np.float64] = booster.predict(xgboost.DMatrix(table.astype(float), nthread=1)).astype(
        np.float64
    )
    return scores


def auc(adverse: NDArray[np.float64], scores: NDArray[np.float64]) -> float:
    """Return the area under the ROC curve: how often an adverse row outscores a favourable one."""
    high, low = scores[adverse == 1], scores[adverse == 0]
    above = (high[:, None] > low[None, :]).mean() + 0.5 * (high[:, None] == low[None, :]).mean()
    return float(above)
