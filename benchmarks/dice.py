"""DiCE as its users call it: told which features may vary and where, one explainer for all rows."""

from __future__ import annotations

import contextlib
import io
import math
import random
import warnings
from typing import Any, Literal

import numpy as np
import xgboost as xgb
from numpy.typing import NDArray

from benchmarks.applicants import Case

FloatArray = NDArray[np.float64]
Way = Literal["random", "genetic", "kdtree"]

_OUTCOME = "adverse"
_NOTHING = "No counterfactuals found"  # how DiCE says so


class _Scored:
    """The classifier that DiCE asks: XGBoost's own margin, moved so that 0.5 is the manifest's threshold."""

    def __init__(self, case: Case) -> None:
        self._booster = xgb.Booster({"nthread": 1}, model_file=bytearray(case.uploaded.artifact))
        threshold = float(case.manifest["outcome"]["threshold"])
        self._moved = math.log(threshold / (1.0 - threshold))

    def predict_proba(self, table: Any) -> FloatArray:
        rows = xgb.DMatrix(
            table.to_numpy(dtype=np.float64), feature_names=self._booster.feature_names, nthread=1
        )
        margin = self._booster.predict(rows, output_margin=True).astype(np.float64) - self._moved
        adverse = 1.0 / (1.0 + np.exp(-margin))
        return np.stack([1.0 - adverse, adverse], axis=1)

    def predict(self, table: Any) -> NDArray[np.int64]:
        return (self.predict_proba(table)[:, 1] >= 0.5).astype(np.int64)


class Dice:
    """One DiCE explainer over the rows of the reference file that have no missing value.

    It knows ranges and features to vary; a direction becomes a range that ends at the applicant's value.
    Steps and the number of changes it cannot be told.
    """

    def __init__(self, case: Case, way: Way) -> None:
        import dice_ml  # noqa: PLC0415  takes seconds, and only where the benchmark compares with it
        import pandas as pd  # noqa: PLC0415

        self._case = case
        self._way = way
        names = list(case.space.names)
        complete = case.population[~np.isnan(case.population).any(axis=1)]
        table = pd.DataFrame(complete, columns=names)
        table[_OUTCOME] = (case.scores(complete) >= case.manifest["outcome"]["threshold"]).astype(int)
        self._whole = [feature.name for feature in case.space.features if feature.type != "number"]
        table = table.astype(dict.fromkeys(self._whole, int))
        coded = {feature.name for feature in case.space.features if feature.type in ("boolean", "category")}
        table = table.astype(dict.fromkeys(coded, str))
        self._data = dice_ml.Data(
            dataframe=table,
            continuous_features=[name for name in names if name not in coded],
            outcome_name=_OUTCOME,
        )
        self._explainer = dice_ml.Dice(
            self._data, dice_ml.Model(model=_Scored(case), backend="sklearn"), method=way
        )
        self._names = names
        self._freedom = {
            name: freedom
            for name, freedom in case.manifest["counterfactuals"]["features"].items()
            if freedom["mutable"]
        }
        self._coded = coded
        self._known = {
            name: (float(complete[:, at].min()), float(complete[:, at].max()))
            for at, name in enumerate(names)
        }

    def find(self, row: FloatArray, count: int, seed: int) -> FloatArray:
        """Return what DiCE returns for one row: at most `count` changed rows in model order."""
        import pandas as pd  # noqa: PLC0415
        from raiutils.exceptions import UserConfigValidationException  # noqa: PLC0415

        random.seed(seed)
        np.random.seed(seed)  # noqa: NPY002  DiCE draws from the global generators
        query = pd.DataFrame([row], columns=self._names).astype(dict.fromkeys(self._whole, int))
        query = query.astype(dict.fromkeys(self._coded, str))
        settings: dict[str, Any] = {"random_seed": seed} if self._way == "random" else {}
        out = io.StringIO()  # a progress bar for each row
        with warnings.catch_warnings(), contextlib.redirect_stdout(out), contextlib.redirect_stderr(out):
            warnings.simplefilter("ignore")
            try:
                answer = self._explainer.generate_counterfactuals(
                    query,
                    total_CFs=count,
                    desired_class=0,
                    features_to_vary=list(self._freedom),
                    permitted_range=self._permitted(row),
                    verbose=False,
                    **settings,
                )
            except UserConfigValidationException as refused:
                if not str(refused).startswith(_NOTHING):
                    raise
                return np.empty((0, len(row)))
        found = answer.cf_examples_list[0]
        table = found.final_cfs_df if found.final_cfs_df_sparse is None else found.final_cfs_df_sparse
        if table is None:
            return np.empty((0, len(row)))
        return np.asarray(table[self._names].astype(float).to_numpy(), dtype=np.float64)

    def _permitted(self, row: FloatArray) -> dict[str, list[Any]]:
        """Return the ranges of what may vary: the data's, which DiCE takes by itself, up to the own value."""
        ranges: dict[str, list[Any]] = {}
        for name, freedom in self._freedom.items():
            own = float(row[self._names.index(name)])
            way = freedom.get("direction")
            if name in self._coded:
                values = (0, 1)
                kept = [
                    str(v)
                    for v in values
                    if (way != "increase" or v >= own) and (way != "decrease" or v <= own)
                ]
                ranges[name] = kept
                continue
            low, high = self._known[name]
            least, most = freedom.get("range", (low, high))
            low, high = max(low, least), min(high, most)
            if way == "increase":
                low, high = own, max(own, high)
            if way == "decrease":
                low, high = min(own, low), own
            ranges[name] = [low, high]
        return ranges
