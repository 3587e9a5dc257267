"""Three models with the people they decline: the two examples as they are shipped, and model M."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import xgboost as xgb
import yaml
from numpy.typing import NDArray

from benchmarks.installation import manifest
from benchmarks.sizes import SIZES, draw, xgboost_model
from examples import clinical, lending
from examples.bundle import ExampleBundle
from examples.clinical.building import masses
from examples.lending.building import applications
from explain.counterfactual.search import CounterfactualSearch
from explain.deadline import Deadline
from explain.features import FeatureSpace
from explain.models import load_model
from explain.reference import select_reference
from registry.conversions import band_of, constraints_of, rule_of, space_of
from registry.manifests import parse_manifest
from registry.references import read_reference

FloatArray = NDArray[np.float64]

_SPREAD = 4.0  # features of model M are standard normal
_MIXED = 20  # rows drawn for each that is still wanted


@dataclass(frozen=True)
class Uploaded:
    """What a registration is given; the catalogue goes before it."""

    manifest: bytes
    artifact: bytes
    reference: bytes
    catalogue: bytes | None = None


@dataclass(frozen=True, eq=False)
class Case:
    """A model, what its manifest declares, its search, and rows that it declines.

    `rows` (n, features) are declined applicants in model order, the first `real` of them from the data; the
    others take each value from one of two of those. `population` are the rows of the reference file.
    """

    uploaded: Uploaded
    manifest: Mapping[str, Any]
    search: CounterfactualSearch
    population: FloatArray
    rows: FloatArray
    real: int

    @property
    def name(self) -> str:
        """The model's name."""
        return str(self.manifest["model"])

    @property
    def space(self) -> FeatureSpace:
        """The features in model order."""
        return self.search.model.space

    def scores(self, rows: FloatArray) -> FloatArray:
        """Return the probability of the adverse outcome as XGBoost itself says it, without our loader."""
        booster = xgb.Booster({"nthread": 1}, model_file=bytearray(self.uploaded.artifact))
        names = booster.feature_names
        predicted = booster.predict(xgb.DMatrix(rows, feature_names=names, nthread=1))
        return np.asarray(predicted, dtype=np.float64)


def lending_case(wanted: int) -> Case:
    """Return the mortgage applicants that the shipped model declines."""
    table = applications()[0].astype(float).to_numpy()
    return _example(lending.build(), table, wanted)


def clinical_case(wanted: int) -> Case:
    """Return the masses that the shipped model finds malignant."""
    table = masses()[0].astype(float).to_numpy()
    return _example(clinical.build(), table, wanted)


def large_case(wanted: int) -> Case:
    """Return model M; all its features may change, a third of them only upwards, a third only downwards."""
    return _size_m("M", 50, {"max_changes": 3}, wanted)


def unreachable_case(wanted: int) -> Case:
    """Return model M with few freedoms, and applicants for whom no search online finds or proves anything."""
    settings = {"max_changes": 3, "methods": ["direct", "dice_random", "dice_genetic"]}
    case = _size_m("M-unreachable", 12, settings, 12 * wanted)
    hopeless = [row for row in case.rows if _status(case, row) == "unresolved"][:wanted]
    return replace(case, rows=np.stack(hopeless), real=len(hopeless))


def _status(case: Case, row: FloatArray) -> str:
    instance = case.space.instance(row)
    return case.search.find(instance, count=1, deadline=Deadline.unlimited(), seed=1).status


def _size_m(name: str, free: int, settings: Mapping[str, Any], wanted: int) -> Case:
    size = next(size for size in SIZES if size.name == "M")
    data = draw(size)
    declared = manifest(name, size.features)
    features = [f"f{at}" for at in range(size.features)]
    declared["features"] = [
        {"name": feature, "type": "number", "range": [-_SPREAD, _SPREAD]} for feature in features
    ]
    ways: tuple[dict[str, str], ...] = ({}, {"direction": "increase"}, {"direction": "decrease"})
    freedom = {
        feature: {"mutable": True, "step": 0.01, **ways[at % 3]} for at, feature in enumerate(features[:free])
    }
    declared["counterfactuals"] = {"features": freedom, **settings}
    inside = np.clip(np.round(data.unseen, 2), -_SPREAD, _SPREAD)
    lines = [",".join(features), *(",".join(map(repr, row)) for row in np.round(data.reference, 2).tolist())]
    reference = ("\n".join(lines) + "\n").encode()
    uploaded = Uploaded(json.dumps(declared).encode(), xgboost_model(size, data), reference)
    return _case(uploaded, inside, wanted)


def _example(bundle: ExampleBundle, table: FloatArray, wanted: int) -> Case:
    uploaded = Uploaded(bundle.manifest_yaml, bundle.artifact, bundle.reference_csv, bundle.catalogue_yaml)
    return _case(uploaded, table, wanted)


def _case(uploaded: Uploaded, table: FloatArray, wanted: int) -> Case:
    """Prepare the search as the service does, and gather who is declined."""
    parsed = parse_manifest(uploaded.manifest, "application/yaml").manifest  # JSON is YAML
    model = load_model("xgboost", uploaded.artifact, space_of(parsed))
    rule = rule_of(parsed)
    population = read_reference(uploaded.reference, "text/csv", parsed)
    kind, least = parsed.reference.kind, parsed.reference.minimum_rows
    reference = select_reference(model, rule, population, kind, band_of(parsed), minimum_rows=least)
    search = CounterfactualSearch.prepare(model, rule, constraints_of(parsed, model.space), reference)
    rows, real = _declined(table, wanted, lambda some: ~rule.favourable_mask(model.predict(some).scores))
    return Case(uploaded, yaml.safe_load(uploaded.manifest), search, population, rows, real)


def _declined(
    table: FloatArray, wanted: int, adverse: Callable[[FloatArray], NDArray[np.bool_]]
) -> tuple[FloatArray, int]:
    """Return declined rows, and how many of them are the table's own; the others are mixed of two."""
    generator = np.random.default_rng(5)
    own = np.unique(table[adverse(table)], axis=0)
    own = generator.permutation(own)[:wanted]
    more = wanted - len(own)
    if not more:
        return own, len(own)
    one, other = generator.integers(len(own), size=(2, _MIXED * more))
    first = generator.random((len(one), table.shape[1])) < 0.5
    mixed = np.where(first, own[one], own[other])
    return np.concatenate([own, mixed[adverse(mixed)][:more]]), len(own)
