"""The libraries people use today, each called the way its users call it, on one thread."""

from __future__ import annotations

import contextlib
import io
import tempfile
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import xgboost as xgb
from numpy.typing import NDArray

Rows = NDArray[np.float64]
Explain = Callable[[Rows], object]


@dataclass(frozen=True)
class Peer:
    """One way of explaining rows (n, features); `what` says which values it computes."""

    name: str
    what: str
    explain: Explain
    for_batches: bool = False


def xgboost_peers(artifact: bytes, *, whole_batches: bool = False) -> tuple[Peer, ...]:
    """XGBoost's own contributions, from a fresh DMatrix for each call, and its margin."""
    booster = xgb.Booster(model_file=bytearray(artifact))
    booster.set_param({"nthread": 1})

    def contributions(rows: Rows) -> object:
        return booster.predict(xgb.DMatrix(rows, nthread=1), pred_contribs=True)

    def margin(rows: Rows) -> object:
        return booster.predict(xgb.DMatrix(rows, nthread=1), output_margin=True)

    return (
        Peer(f"xgboost {xgb.__version__} pred_contribs", "path-dependent", contributions, whole_batches),
        Peer(f"xgboost {xgb.__version__} margin", "no attribution", margin),
    )


def shap_peers(artifact: bytes, reference: Rows) -> tuple[Peer, ...]:
    """shap's TreeExplainer, with the whole reference (by itself it would take 100 rows) and without one."""
    import shap  # noqa: PLC0415

    booster = xgb.Booster(model_file=bytearray(artifact))
    masker = shap.maskers.Independent(reference, max_samples=len(reference))
    interventional = shap.TreeExplainer(booster, masker, feature_perturbation="interventional")
    if len(interventional.data) != len(reference):
        raise AssertionError("shap has cut the reference")
    dependent = shap.TreeExplainer(booster)
    return (
        Peer("shap TreeExplainer", f"interventional, {len(reference)} rows", interventional.shap_values),
        Peer("shap TreeExplainer", "path-dependent", dependent.shap_values),
    )


def fasttreeshap_peer(artifact: bytes) -> Peer:
    """FastTreeSHAP, first version of its algorithm."""
    import fasttreeshap_fixed  # noqa: PLC0415

    booster = xgb.Booster(model_file=bytearray(artifact))
    explainer = fasttreeshap_fixed.TreeExplainer(booster, algorithm="v1", n_jobs=1)
    return Peer("FastTreeSHAP v1", "path-dependent", explainer.shap_values)


def woodelf_peer(artifact: bytes, reference: Rows) -> Peer:
    """woodelf, which is made for batches: its one row costs what its thousandth does."""
    import pandas as pd  # noqa: PLC0415
    from woodelf.explainer import WoodelfExplainer  # noqa: PLC0415

    names = [f"f{i}" for i in range(reference.shape[1])]
    booster = xgb.Booster(model_file=bytearray(artifact))
    explainer = WoodelfExplainer(booster, pd.DataFrame(reference, columns=names))

    def explain(rows: Rows) -> object:
        with quiet():
            return explainer.shap_values(pd.DataFrame(rows, columns=names))

    return Peer("woodelf", f"interventional, {len(reference)} rows", explain, for_batches=True)


def lightgbm_peer(artifact: bytes) -> Peer:
    """LightGBM's own contributions."""
    import lightgbm as lgb  # noqa: PLC0415

    booster = lgb.Booster(model_str=artifact.decode())

    def explain(rows: Rows) -> object:
        return booster.predict(rows, pred_contrib=True, num_threads=1)

    return Peer(f"LightGBM {lgb.__version__} pred_contrib", "path-dependent", explain)


def catboost_peer(artifact: bytes) -> Peer:
    """CatBoost's own SHAP values."""
    import catboost  # noqa: PLC0415

    model = catboost.CatBoost()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.json"
        path.write_bytes(artifact)
        model.load_model(str(path), format="json")

    def explain(rows: Rows) -> object:
        return model.get_feature_importance(catboost.Pool(rows), type="ShapValues", thread_count=1)

    return Peer(f"CatBoost {catboost.__version__} ShapValues", "path-dependent", explain)


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Some of them print while they work."""
    with (
        warnings.catch_warnings(),
        contextlib.redirect_stdout(io.StringIO()),
        contextlib.redirect_stderr(io.StringIO()),
    ):
        warnings.simplefilter("ignore")
        yield
