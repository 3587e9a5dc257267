"""A model with several classes, from its registration to its cross-checked explanation."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import yaml

from tests.oracles.boosters import train

CLASSES = {
    "score": "margin",
    "classes": ["home", "ward", "intensive"],
    "adverse_classes": ["ward", "intensive"],
}
NAMES = ("f0", "f1", "f2", "f3")


def manifest(**changes: Any) -> bytes:
    document = {
        "manifest": "ofrecord/v1",
        "model": "triage",
        "version": "1",
        "family": "xgboost",
        "profile": "clinical",
        "purpose": "Where a patient goes next",
        "outcome": {"adverse": "admit", "favourable": "discharge", **CLASSES},
        "features": [{"name": name, "type": "number", "nullable": True} for name in NAMES],
        "factors": [
            {
                "name": name,
                "features": [name],
                "reason": {"code": f"T{at}", "text": f"Measurement {at} is high"},
            }
            for at, name in enumerate(NAMES)
        ],
        "reference": {"kind": "near_cutoff_approved", "band": 0.5, "minimum_rows": 30},
    }
    return yaml.safe_dump({**document, **changes}).encode()


@pytest.fixture(scope="module")
def trained() -> Any:
    return train(("q",) * 4, objective="multi:softprob", outputs=3, rounds=8)


def posted(running: Any, trained: Any, given: bytes) -> Any:
    header = ",".join(NAMES)
    cells = "\n".join(
        ",".join("" if math.isnan(x) else repr(float(x)) for x in row) for row in trained.rows.tolist()
    )
    files = {
        "manifest": ("m.yaml", given, "application/yaml"),
        "artifact": ("m.ubj", trained.artifact(), "application/octet-stream"),
        "reference": ("r.csv", f"{header}\n{cells}\n".encode(), "text/csv"),
    }
    return running.http.post("/v1/models", files=files)


def test_a_decision_among_classes_is_explained_by_its_two_best(running: Any, trained: Any) -> None:
    assert posted(running, trained, manifest()).status_code == 201
    assert running.approve("triage").status_code == 200
    margins = trained.booster.predict(trained.matrix(trained.rows), output_margin=True).astype(np.float64)
    admitted = int(np.argmax(margins[:, 2] - margins[:, :2].max(axis=1)))
    home = int(np.argmax(margins[:, 0] - margins[:, 1:].max(axis=1)))
    for number, favourable in ((admitted, False), (home, True)):
        values = [None if math.isnan(x) else x for x in trained.rows[number].tolist()]
        document = running.request(features=dict(zip(NAMES, values, strict=True)))
        made = running.explain(document, "triage")
        assert made.status_code == 201, made.text
        answer = made.json()
        own = margins[number]
        decision = answer["decision"]
        best = "ward" if own[1] > own[2] else "intensive"
        assert decision["contrast"] == {"adverse": best, "favourable": "home"}
        assert decision["favourable"] is favourable
        assert decision["margin"] == own[1:].max() - own[0]
        total = answer["attribution"]["base_value"] + sum(
            row["phi"] for row in answer["attribution"]["values"]
        )
        assert total == pytest.approx(decision["margin"], abs=1e-5)
        assert bool(answer["reasons"]) is not favourable
        assert answer["counterfactuals"]["status"] == ("not_needed" if favourable else "no_recourse")
        again = running.explain(document, "triage").json()
        assert again["decision"] == decision


def test_what_does_not_fit_is_refused_by_name(running: Any, trained: Any) -> None:
    two = {"outcome": {"adverse": "a", "favourable": "b", **CLASSES, "classes": ["home", "ward"]}}
    two["outcome"]["adverse_classes"] = ["ward"]
    refused = posted(running, trained, manifest(version="2", **two))
    assert refused.status_code == 422
    assert "3 outputs, the manifest 2 classes" in refused.json()["detail"]
    one = {"outcome": {"adverse": "a", "favourable": "b", "score": "margin", "threshold": 0.0}}
    one["outcome"]["direction"] = "high_is_adverse"
    refused = posted(running, trained, manifest(version="2", **one))
    assert "several outputs (3 classes or targets) without outcome.classes" in refused.text
