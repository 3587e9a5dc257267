"""A thousand declined people of three models: whatever they are told is true and allowed.

The manifest is read here as its author wrote it, and XGBoost itself scores the rows as they are displayed;
nothing of the product's checker or verifier is asked.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import numpy as np
import xgboost as xgb
import yaml
from numpy.typing import NDArray

from examples import clinical, lending
from examples.clinical.building import masses
from examples.lending.building import applications
from explain.counterfactual.search import CounterfactualSearch
from explain.deadline import Deadline
from explain.models import load_model
from explain.reference import select_reference
from registry.conversions import band_of, constraints_of, rule_of, space_of
from registry.manifests import parse_manifest
from registry.references import read_reference

Rows = NDArray[np.float64]
WANTED = 335  # of each model
COUNT = 4


@dataclass(frozen=True)
class Registered:
    """What a registration is given, and a table of people with the model's inputs."""

    manifest: bytes
    artifact: bytes
    reference: bytes
    people: Rows


def mortgages() -> Registered:
    bundle = lending.build()
    people = applications()[0].astype(float).to_numpy()
    return Registered(bundle.manifest_yaml, bundle.artifact, bundle.reference_csv, people)


def findings() -> Registered:
    bundle = clinical.build()
    people = masses()[0].astype(float).to_numpy()
    return Registered(bundle.manifest_yaml, bundle.artifact, bundle.reference_csv, people)


def invented() -> Registered:
    """Twelve features of every kind of number and freedom, decided by a steep and uneven model."""
    rng = np.random.default_rng(11)
    people = np.concatenate(
        [
            np.round(rng.normal(size=(4_000, 6)), 2),
            rng.integers(0, 12, size=(4_000, 4)).astype(float),
            rng.integers(0, 2, size=(4_000, 2)).astype(float),
        ],
        axis=1,
    )
    people[rng.random(people.shape[0]) < 0.2, 1] = np.nan
    signal = np.nan_to_num(people) @ rng.normal(size=12) * 0.4 + np.sin(3 * people[:, 0]) - people[:, 6] / 6
    data = xgb.DMatrix(people, label=(signal + rng.normal(size=4_000) > 0).astype(float), nthread=1)
    trained = xgb.train({"objective": "binary:logistic", "max_depth": 5, "nthread": 1}, data, 60)
    types = ["number"] * 6 + ["integer"] * 4 + ["boolean"] * 2
    features = [
        {"name": f"x{at}", "type": kind, "nullable": at == 1}
        | ({"range": [0, 11] if kind == "integer" else [-5, 5]} if kind != "boolean" else {})
        for at, kind in enumerate(types)
    ]
    freedom: dict[str, dict[str, Any]] = {
        "x0": {"mutable": True, "direction": "increase", "step": 0.05},
        "x1": {"mutable": True, "step": 0.1},
        "x2": {"mutable": True, "range": [-1.5, 1.5], "step": 0.01},
        "x4": {"mutable": True},
        "x5": {"mutable": False},
        "x6": {"mutable": True, "direction": "decrease"},
        "x7": {"mutable": True, "step": 3},
        "x8": {"mutable": True, "range": [2, 9]},
        "x10": {"mutable": True, "direction": "increase"},
    }
    manifest = {
        "manifest": "ofrecord/v1",
        "model": "invented",
        "version": "1",
        "family": "xgboost",
        "profile": "general",
        "purpose": "acceptance",
        "outcome": {
            "adverse": "no",
            "favourable": "yes",
            "score": "probability_of_adverse",
            "threshold": 0.4,
        },
        "features": features,
        "factors": [
            {"name": f["name"], "features": [f["name"]], "reason": {"code": "R", "text": "A measured value"}}
            for f in features
        ],
        "reference": {"kind": "all_applicants"},
        "counterfactuals": {"features": freedom, "max_changes": 3},
    }
    lines = [
        ",".join("" if np.isnan(v) else _cell(v, t) for v, t in zip(row, types, strict=True))
        for row in people
    ]
    reference = "\n".join([",".join(str(f["name"]) for f in features), *lines[:500]]) + "\n"
    return Registered(
        json.dumps(manifest).encode(), bytes(trained.save_raw("json")), reference.encode(), people
    )


def _cell(value: float, kind: str) -> str:
    if kind == "boolean":
        return "true" if value else "false"
    return str(int(value)) if kind == "integer" else repr(float(value))


def violations(manifest: Mapping[str, Any], before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """Read the manifest's freedoms aloud over one displayed change."""
    told = []
    for feature in manifest["features"]:
        name = feature["name"]
        old, new = before[name], after[name]
        if old == new and type(old) is type(new):
            continue
        freedom = manifest["counterfactuals"]["features"].get(name, {"mutable": False})
        ranges = [ends for ends in (feature.get("range"), freedom.get("range")) if ends is not None]
        step = freedom.get("step", 1 if feature["type"] == "integer" else None)
        told += [
            f"{name}: {rule}"
            for rule, broken in (
                ("may not change", not freedom["mutable"]),
                ("was missing", old is None),
                ("becomes missing", new is None),
                ("rises", freedom.get("direction") == "decrease" and new > old),
                ("falls", freedom.get("direction") == "increase" and new < old),
                ("leaves its range", any(not low <= new <= high for low, high in ranges)),
                ("is no truth value", feature["type"] == "boolean" and not isinstance(new, bool)),
                ("is no integer", feature["type"] == "integer" and not isinstance(new, int)),
                ("is off its step", step is not None and bool(Decimal(str(new)) % Decimal(str(step)))),
            )
            if broken
        ]
    changed = sum(before[feature["name"]] != after[feature["name"]] for feature in manifest["features"])
    if not 1 <= changed <= manifest["counterfactuals"]["max_changes"]:
        told.append(f"{changed} changes")
    return told


def asked(given: Registered) -> Counter[str]:
    """Ask for declined people; assert that all that is answered is true and allowed; return the statuses."""
    statuses: Counter[str] = Counter()
    manifest = yaml.safe_load(given.manifest)
    parsed = parse_manifest(
        given.manifest, "application/json" if manifest["model"] == "invented" else "application/yaml"
    ).manifest
    native = xgb.Booster({"nthread": 1}, model_file=bytearray(given.artifact))
    threshold = manifest["outcome"]["threshold"]

    def scores(rows: Rows) -> Rows:
        return np.asarray(native.predict(xgb.DMatrix(rows, feature_names=native.feature_names, nthread=1)))

    model = load_model("xgboost", given.artifact, space_of(parsed))
    rule = rule_of(parsed)
    uploaded = read_reference(given.reference, "text/csv", parsed)
    reference = select_reference(model, rule, uploaded, parsed.reference.kind, band_of(parsed))
    search = CounterfactualSearch.prepare(model, rule, constraints_of(parsed, model.space), reference)

    rows: list[Rows] = []
    for row in declined(given.people, lambda people: scores(people) >= threshold):
        instance = model.space.instance(row)
        answer = search.find(instance, count=COUNT, deadline=Deadline.unlimited(), seed=1)
        statuses[answer.status] += 1
        assert answer.dropped == 0  # what the direct search proposes was scored natively before
        assert bool(answer.items) == (answer.status == "found")
        assert len(answer.items) <= COUNT
        assert len({item.changes for item in answer.items}) == len(answer.items)
        before = dict(zip(model.space.names, instance.values, strict=True))
        for item in answer.items:
            assert item.verified
            assert all(before[change.feature] == change.before for change in item.changes)
            after = before | {change.feature: change.after for change in item.changes}
            shown = json.loads(json.dumps(after))
            assert violations(manifest, before, shown) == []
            rows.append(np.array([np.nan if v is None else float(v) for v in shown.values()]))
    assert len(rows) > WANTED / 2
    assert (scores(np.stack(rows)) < threshold).all()
    return statuses


def declined(people: Rows, adverse: Callable[[Rows], NDArray[np.bool_]]) -> Rows:
    """Return declined people; where the table has too few, others with each value from one of two of them."""
    rng = np.random.default_rng(2)
    own = np.unique(people[adverse(people)], axis=0)
    pairs = rng.integers(len(own), size=(2, 20 * WANTED))
    mixed = np.where(rng.random((20 * WANTED, people.shape[1])) < 0.5, own[pairs[0]], own[pairs[1]])
    found: Rows = np.concatenate([rng.permutation(own), mixed[adverse(mixed)]])[:WANTED]
    assert len(found) == WANTED
    return found


def test_everything_that_a_thousand_declined_people_are_told_is_true_and_allowed() -> None:
    statuses = {registered.__name__: asked(registered()) for registered in (mortgages, findings, invented)}
    every = sum(statuses.values(), Counter())
    assert every.total() == 3 * WANTED > 1_000
    assert set(every) <= {"found", "no_recourse", "unresolved"}, statuses
    assert every["found"] > every.total() / 2, statuses
