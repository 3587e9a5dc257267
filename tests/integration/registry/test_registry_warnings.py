"""What a model's owner is told of a version that passes: how stable its reasons are, and what looks wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xgboost

from registry.digests import canonical_json
from registry.manifests import parse_manifest
from registry.preparing import prepare_version

ROWS = 600


@pytest.fixture(scope="module")
def table() -> dict[str, np.ndarray]:
    """Columns of known relations: one-hot, indicator, twins, noise and one that is never used."""
    generator = np.random.default_rng(3)
    income = generator.normal(size=ROWS).round(3)
    gaps = generator.random(ROWS) < 0.3
    home = generator.integers(0, 3, ROWS)
    return {
        "income": income,
        "wealth": (2 * income + 0.05 * generator.normal(size=ROWS)).round(3),
        "debt": np.where(gaps, np.nan, generator.normal(size=ROWS).round(3)),
        "debt_missing": gaps.astype(float),
        **{f"home_{name}": (home == code).astype(float) for code, name in enumerate(("rent", "own", "free"))},
        "noise": generator.normal(size=ROWS).round(3),
        "unread": np.full(ROWS, 4.0),
    }


def registered(
    table: dict[str, np.ndarray], cache_folder: Path, threshold: float = 0.5, **changed: Any
) -> dict[str, Any]:
    """Train on the table, register with one factor to a column, and return the capability report."""
    generator = np.random.default_rng(4)
    signal = table["income"] + 0.7 * np.nan_to_num(table["debt"]) + table["debt_missing"]
    signal = signal + 0.8 * table["home_own"] - 0.6 * table["home_free"] + 2.0 * table["noise"]
    labels = (signal + 0.3 * generator.normal(size=ROWS) > 0.5).astype(float)
    rows = np.column_stack(list(table.values()))
    data = xgboost.DMatrix(rows, labels, feature_names=list(table), nthread=1)
    options = {
        "objective": "binary:logistic",
        "max_depth": 4,
        "nthread": 1,
        "seed": 2,
        "colsample_bynode": 0.4,
    }
    booster = xgboost.train({**options, "max_depth": 4}, data, 40)
    manifest = {
        "manifest": "ofrecord/v1",
        "model": "warned",
        "version": "1",
        "family": "xgboost",
        "profile": "general",
        "purpose": "Decide test applications",
        "outcome": {
            "adverse": "decline",
            "favourable": "approve",
            "score": "probability_of_adverse",
            "threshold": threshold,
        },
        "features": [
            {
                "name": name,
                "type": "number",
                "nullable": bool(np.isnan(column).any()),
                "noise": name == "noise",
            }
            for name, column in table.items()
        ],
        "factors": [
            {"name": name, "features": [name], "reason": {"code": f"R{at}", "text": f"Level of {name}"}}
            for at, name in enumerate(table)
        ],
        "reference": {"kind": "all_applicants"},
        **changed,
    }
    lines = [",".join(table), *(",".join("" if np.isnan(v) else repr(float(v)) for v in row) for row in rows)]
    prepared = prepare_version(
        parse_manifest(canonical_json(manifest), "application/json"),
        bytes(booster.save_raw("ubj")),
        "\n".join(lines).encode(),
        "text/csv",
        cache_dir=cache_folder,
    )
    report: dict[str, Any] = json.loads(prepared.content.capability)
    return report


def test_every_warning_is_in_the_report_of_a_model_that_deserves_it(
    table: dict[str, np.ndarray], cache_folder: Path
) -> None:
    warned = registered(table, cache_folder)["warnings"]
    told = {one["code"]: one for one in warned}
    assert set(told) == {
        "noise_outranks",
        "correlated_apart",
        "indicator_apart",
        "one_hot_apart",
        "unused_feature",
    }
    assert len(warned) == 5
    assert told["noise_outranks"]["features"] == ["noise"]
    assert {"debt", "home_free"} <= set(told["noise_outranks"]["factors"])
    assert told["correlated_apart"]["features"] == ["income", "wealth"]
    assert told["indicator_apart"]["features"] == ["debt_missing", "debt"]
    assert told["one_hot_apart"]["features"] == ["home_rent", "home_own", "home_free"]
    assert told["unused_feature"]["features"] == ["unread"]
    for one in warned:
        assert set(one) == {"code", "detail", "factors", "features"}
        assert one["detail"]


def test_how_stable_the_reasons_are_is_in_the_report(
    table: dict[str, np.ndarray], cache_folder: Path
) -> None:
    found = registered(table, cache_folder)["reason_stability"]
    assert (found["applicants"], found["draws"], found["rows"]) == (50, 200, ROWS)
    assert 0 < found["same_order"] <= found["same_set"] <= 1
    assert found["same_order"] <= found["same_first"] <= 1
    assert 0 < found["same_order_standard_error"] < 0.1
    assert found["reason"] is None
    one = registered(table, cache_folder, reasons={"limit": 1})["reason_stability"]
    assert one["same_order"] == one["same_set"] == one["same_first"] == found["same_first"]


def test_where_nobody_is_declined_there_is_no_figure_but_a_reason(
    table: dict[str, np.ndarray], cache_folder: Path
) -> None:
    found = registered(table, cache_folder, threshold=0.9999999)["reason_stability"]
    assert (found["applicants"], found["same_order"], found["same_first"]) == (0, None, None)
    assert found["reason"] == "no uploaded row is declined"
