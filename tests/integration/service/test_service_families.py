"""Each family of models over HTTP: its own file, its own numbers, explained, suggested a change, averaged."""

from __future__ import annotations

import io
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import skops.io
import yaml
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier

KINDS = ["condo", "single", "two_to_four"]
Trained = tuple[bytes, list[str], Callable[[pd.DataFrame], np.ndarray]]


def population() -> tuple[pd.DataFrame, np.ndarray]:
    generator = np.random.default_rng(0)
    table = pd.DataFrame(
        {
            "income": generator.gamma(3, 2, 900).round(2),
            "debt": generator.normal(40, 12, 900).round(1),
            "kind": pd.Categorical(generator.choice(KINDS, 900), categories=KINDS),
        }
    )
    pull = (table.debt - 40) / 12 - (table.income - 6) / 4 + 0.8 * (table.kind == "condo")
    return table, (pull + generator.normal(0, 0.5, 900) > 0.3).to_numpy().astype(int)


def lightgbm(table: pd.DataFrame, declined: np.ndarray) -> Trained:
    import lightgbm as lgb  # noqa: PLC0415

    model = lgb.LGBMClassifier(n_estimators=40, num_leaves=12, verbose=-1, n_jobs=1).fit(table, declined)
    artifact = model.booster_.model_to_string().encode()
    return artifact, list(table), lambda rows: model.predict_proba(rows)[:, 1]


def histogram(table: pd.DataFrame, declined: np.ndarray) -> Trained:
    model = HistGradientBoostingClassifier(max_iter=30, categorical_features="from_dtype").fit(
        table, declined
    )
    return skops.io.dumps(model), list(table), lambda rows: model.predict_proba(rows)[:, 1]


def forest(table: pd.DataFrame, declined: np.ndarray) -> Trained:
    numbers = ["income", "debt"]
    model = RandomForestClassifier(20, max_depth=6, random_state=0).fit(table[numbers], declined)
    return skops.io.dumps(model), numbers, lambda rows: model.predict_proba(rows[numbers])[:, 1]


def catboost(table: pd.DataFrame, declined: np.ndarray) -> Trained:
    from catboost import CatBoostClassifier  # noqa: PLC0415

    numbers = ["income", "debt"]
    settings = {"iterations": 30, "depth": 4, "verbose": False, "allow_writing_files": False}
    model = CatBoostClassifier(**settings).fit(table[numbers], declined)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.json"
        model.save_model(str(path), format="json")
        return path.read_bytes(), numbers, lambda rows: model.predict_proba(rows[numbers])[:, 1]


def manifest(family: str, name: str, features: list[str]) -> bytes:
    declared = [{"name": name, "type": "number"} for name in features if name != "kind"]
    if "kind" in features:
        declared.append({"name": "kind", "type": "category", "categories": KINDS})
    free = {
        "income": {"mutable": True, "direction": "increase", "range": [0, 60]},
        "debt": {"mutable": True, "direction": "decrease", "range": [0, 100]},
    }
    document = {
        "manifest": "ofrecord/v1",
        "model": name,
        "version": "1",
        "family": family,
        "profile": "lending",
        "purpose": "Approve or decline",
        "outcome": {"adverse": "decline", "favourable": "approve", "threshold": 0.5},
        "features": declared,
        "factors": [
            {
                "name": each,
                "features": [each],
                "reason": {"code": f"R{at}", "text": f"The {each} is not enough"},
            }
            for at, each in enumerate(features)
        ],
        "reference": {"kind": "near_cutoff_approved"},
        "counterfactuals": {"features": free},
    }
    document["outcome"]["score"] = "probability_of_adverse"
    return yaml.safe_dump(document).encode()


@pytest.mark.parametrize(
    ("family", "train"),
    [("lightgbm", lightgbm), ("sklearn", histogram), ("sklearn", forest), ("catboost", catboost)],
    ids=["lightgbm", "histogram", "forest", "catboost"],
)
def test_a_model_of_each_family_is_registered_and_explained(
    running: Any, family: str, train: Callable[..., Trained]
) -> None:
    table, declined = population()
    artifact, features, score = train(table, declined)
    name = f"by-{train.__name__}"
    reference = io.StringIO()
    table[features].head(400).to_csv(reference, index=False)
    files = {
        "manifest": ("m.yaml", manifest(family, name, features), "application/yaml"),
        "artifact": ("model", artifact, "application/octet-stream"),
        "reference": ("r.csv", reference.getvalue().encode(), "text/csv"),
    }
    made = running.http.post("/v1/models", files=files)
    assert made.status_code == 201, made.text
    capability = made.json()["capability"]
    assert max(capability[f"{kind}_max_error"] for kind in ("brute_force", "tables", "reconciliation")) < 1e-9
    assert running.approve(name).status_code == 200
    rows = table.tail(25)
    decisions = [running.request(features=row) for row in rows[features].to_dict("records")]
    sent = running.http.post(f"/v1/models/{name}/explanations/batch", json={"decisions": decisions})
    statuses = set()
    for answer, expected in zip(sent.json()["answers"], score(rows).tolist(), strict=True):
        assert answer["status"] == 201, answer
        explanation = answer["explanation"]
        assert explanation["decision"]["score"] == pytest.approx(expected, abs=1e-15)
        values = sum(value["phi"] for value in explanation["attribution"]["values"])
        margin = explanation["attribution"]["base_value"] + values
        assert margin == pytest.approx(explanation["decision"]["margin"], abs=1e-9)
        assert bool(explanation["reasons"]) == (expected >= 0.5)
        statuses.add(explanation["counterfactuals"]["status"])
    assert statuses == {"found", "not_needed"}
