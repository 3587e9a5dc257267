"""What docs/models.md shows is run: models are saved as it says, and read by what registers them."""

from __future__ import annotations

import json
import re
import runpy
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import catboost
import lightgbm
import numpy as np
import pandas as pd
import pytest
import xgboost
import yaml
from numpy.typing import NDArray
from sklearn.ensemble import HistGradientBoostingClassifier

from explain.features import Feature, FeatureSpace
from explain.models import ADAPTERS, load_model
from registry.loaded_version import understand
from registry.manifests import parse_manifest
from tests.oracles.boosters import train

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs" / "models.md").read_text(encoding="utf-8")
SECTIONS = {"xgboost": "XGBoost", "lightgbm": "LightGBM", "sklearn": "scikit-learn", "catboost": "CatBoost"}
KINDS = ("flat", "house", "plot")
SPACE = FeatureSpace(
    (Feature("income", "number"), Feature("debt", "number"), Feature("kind", "category", categories=KINDS))
)

Reals = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Fitted:
    """What a sample finds under `model` and `pool`, and the margins of the training rows."""

    model: Any
    margins: Callable[[], Reals]
    pool: Any = None


@pytest.fixture(scope="module")
def frame() -> pd.DataFrame:
    generator = np.random.default_rng(3)
    return pd.DataFrame(
        {
            "income": generator.normal(size=200).round(2),
            "debt": generator.normal(size=200).round(2),
            "kind": pd.Categorical(generator.choice(KINDS, 200), categories=list(KINDS)),
        }
    )


@pytest.fixture(scope="module")
def labels(frame: pd.DataFrame) -> NDArray[np.int64]:
    return ((frame["debt"] - frame["income"] + (frame["kind"] == "plot")) > 0).to_numpy().astype(np.int64)


def _xgboost(frame: pd.DataFrame, labels: NDArray[np.int64]) -> Fitted:
    model = xgboost.XGBClassifier(n_estimators=5, max_depth=3, enable_categorical=True, n_jobs=1)
    model.fit(frame, labels)
    return Fitted(model, lambda: model.predict(frame, output_margin=True))


def _lightgbm(frame: pd.DataFrame, labels: NDArray[np.int64]) -> Fitted:
    model = lightgbm.LGBMClassifier(n_estimators=5, max_depth=3, n_jobs=1, verbose=-1).fit(frame, labels)
    return Fitted(model, lambda: model.predict(frame, raw_score=True))


def _sklearn(frame: pd.DataFrame, labels: NDArray[np.int64]) -> Fitted:
    model = HistGradientBoostingClassifier(max_iter=5, categorical_features="from_dtype", random_state=0)
    model.fit(frame, labels)
    return Fitted(model, lambda: model.decision_function(frame))


def _catboost(frame: pd.DataFrame, labels: NDArray[np.int64]) -> Fitted:
    pool = catboost.Pool(frame, labels, cat_features=["kind"])
    model = catboost.CatBoostClassifier(
        iterations=5, depth=3, one_hot_max_size=8, thread_count=1, verbose=False, allow_writing_files=False
    ).fit(pool)
    return Fitted(model, lambda: model.predict(pool, prediction_type="RawFormulaVal"), pool)


TRAINED = {"xgboost": _xgboost, "lightgbm": _lightgbm, "sklearn": _sklearn, "catboost": _catboost}


def blocks(section: str, language: str) -> list[str]:
    (text,) = re.findall(rf"^## {re.escape(section)}\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL)
    return re.findall(rf"^```{language}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)


def test_every_family_has_its_section_and_its_row() -> None:
    assert set(SECTIONS) == set(ADAPTERS) == set(TRAINED)
    for family, section in SECTIONS.items():
        assert f"\n## {section}\n" in PAGE
        assert f"\n| `{family}` | " in PAGE


@pytest.mark.parametrize("family", sorted(SECTIONS))
def test_a_model_saved_as_the_page_says_is_read(
    family: str,
    frame: pd.DataFrame,
    labels: NDArray[np.int64],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    fitted = TRAINED[family](frame, labels)
    (sample,) = blocks(SECTIONS[family], "python")
    (tmp_path / "sample.py").write_text(sample, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    runpy.run_path("sample.py", init_globals={"model": fitted.model, "pool": fitted.pool})
    (named,) = re.findall(r'"(model\.\w+)"', sample)
    model = load_model(family, (tmp_path / named).read_bytes(), SPACE)
    rows = frame.assign(kind=frame["kind"].cat.codes).to_numpy(dtype=np.float64)
    assert model.margins(rows) == pytest.approx(fitted.margins(), rel=1e-6, abs=1e-6)


def test_the_several_classes_of_the_page_are_a_contrast() -> None:
    (section,) = blocks("Several classes", "yaml")
    given = yaml.safe_load(section)
    trained = train(("q",) * 2, objective="multi:softprob", outputs=3, rounds=4)
    names = [feature.name for feature in trained.space.features]
    document = {
        "manifest": "ofrecord/v1",
        "model": "credit",
        "version": "1",
        "family": "xgboost",
        "profile": "lending",
        "purpose": "Approve, refer or decline an application",
        "features": [{"name": name, "type": "number", "nullable": True} for name in names],
        "factors": [{"name": name, "features": [name]} for name in names],
        **given,
    }
    understood = understand(
        parse_manifest(yaml.safe_dump(document).encode(), "application/yaml"), trained.artifact()
    )
    contrast = understood.rule.contrast
    assert contrast is not None
    assert [contrast.classes[at] for at in contrast.adverse] == given["outcome"]["adverse_classes"]
    (shown,) = blocks("Several classes", "json")
    pair = json.loads(shown)["contrast"]
    assert contrast.classes.index(pair["adverse"]) in contrast.adverse
    assert contrast.classes.index(pair["favourable"]) in contrast.favourable
