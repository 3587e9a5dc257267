"""Three models with the people they decline: the two examples as they are shipped, and model M."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
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
from explain.features import FeatureSpace
from explain.models import load_model
from explain.reference import select_reference
from registry.conversions import band_of, constraints_of, rule_of, space_of
from registry.manifests import parse_manifest
from registry.references import read_reference

FloatArray = NDArray[np.float64]

_SPREAD = 4.0  # features of model M are standard normal
_MIXED = 20  # rows drawn for each that is still wanted


@dataclass(frozen=True, eq=False)
class Case:
    """A model, what its manifest declares, its search, and rows that it declines.

    `rows` (n, features) are declined applicants in model order, the first `real` of them from the data; the
    others take each value from one of two of those. `population` are the rows of the reference file.
    """

    name: str
    manifest: Mapping[str, Any]
    artifact: bytes
    search: CounterfactualSearch
    population: FloatArray
    rows: FloatArray
    real: int

    @property
    def space(self) -> FeatureSpace:
        """The features in model order."""
        return self.search.model.space

    def scores(self, rows: FloatArray) -> FloatArray:
        """Return the probability of the adverse outcome as XGBoost itself says it, without our loader."""
        booster = xgb.Booster({"nthread": 1}, model_file=bytearray(self.artifact))
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
    size = next(size for size in SIZES if size.name == "M")
    data = draw(size)
    declared = manifest("M", size.features)
    declared["features"] = [
        {"name": f"f{at}", "type": "number", "range": [-_SPREAD, _SPREAD]} for at in range(size.features)
    ]
    ways: tuple[dict[str, str], ...] = ({}, {"direction": "increase"}, {"direction": "decrease"})
    freedom = {f"f{at}": {"mutable": True, "step": 0.01, **ways[at % 3]} for at in range(size.features)}
    declared["counterfactuals"] = {"features": freedom, "max_changes": 3}
    inside = np.clip(np.round(data.unseen, 2), -_SPREAD, _SPREAD)
    document = json.dumps(declared).encode()
    population = np.round(data.reference, 2)
    return _case(document, xgboost_model(size, data), population, _Wanted(inside, wanted))


def _example(bundle: ExampleBundle, table: FloatArray, wanted: int) -> Case:
    parsed = parse_manifest(bundle.manifest_yaml, "application/yaml").manifest
    population = read_reference(bundle.reference_csv, "text/csv", parsed)
    return _case(bundle.manifest_yaml, bundle.artifact, population, _Wanted(table, wanted))


def _case(document: bytes, artifact: bytes, population: FloatArray, wanted: _Wanted) -> Case:
    """Prepare the search as the service does, and gather who is declined."""
    parsed = parse_manifest(document, "application/yaml").manifest
    model = load_model("xgboost", artifact, space_of(parsed))
    rule = rule_of(parsed)
    kind, least = parsed.reference.kind, parsed.reference.minimum_rows
    reference = select_reference(model, rule, population, kind, band_of(parsed), minimum_rows=least)
    search = CounterfactualSearch.prepare(model, rule, constraints_of(parsed, model.space), reference)
    drawn, real = wanted.declined(lambda rows: ~rule.favourable_mask(model.predict(rows).scores))
    declared = yaml.safe_load(document)  # JSON is YAML
    return Case(declared["model"], declared, artifact, search, population, drawn, real)


@dataclass(frozen=True, eq=False)
class _Wanted:
    """A table of people, and how many of the declined are wanted."""

    table: FloatArray
    count: int

    def declined(self, adverse: Callable[[FloatArray], NDArray[np.bool_]]) -> tuple[FloatArray, int]:
        """Return declined rows, and how many of them are the table's own; the others are mixed of two."""
        generator = np.random.default_rng(5)
        own = np.unique(self.table[adverse(self.table)], axis=0)
        own = generator.permutation(own)[: self.count]
        more = self.count - len(own)
        if not more:
            return own, len(own)
        one, other = generator.integers(len(own), size=(2, _MIXED * more))
        first = generator.random((len(one), self.table.shape[1])) < 0.5
        mixed = np.where(first, own[one], own[other])
        return np.concatenate([own, mixed[adverse(mixed)][:more]]), len(own)
