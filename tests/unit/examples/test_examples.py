"""The shipped examples: honest data, a manifest that fits, and a decision worth explaining."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from examples.bundle import ExampleBundle
from examples.clinical import build as build_clinical
from examples.clinical import building as clinical
from examples.lending import build as build_lending
from examples.lending import building as lending
from examples.training import auc, split
from explain.features import FeatureSpace
from registry.catalogue_documents import parse_catalogue
from registry.catalogues import read_catalogue
from registry.conversions import space_of
from registry.coverage import gaps, require_fit
from registry.manifests import parse_manifest
from registry.references import read_reference
from schemas.explanation import ExplanationRequest

EXAMPLES = [(build_lending, lending), (build_clinical, clinical)]


@pytest.fixture(scope="module")
def bundles() -> dict[str, ExampleBundle]:
    return {module.MODEL: build() for build, module in EXAMPLES}


@pytest.mark.parametrize(("build", "module"), EXAMPLES, ids=["lending", "clinical"])
def test_two_builds_are_the_same_to_the_byte(
    build: Callable[[], ExampleBundle], module: ModuleType, bundles: Mapping[str, ExampleBundle]
) -> None:
    assert build() == bundles[module.MODEL]


@pytest.mark.parametrize("name", ["boston-mortgage", "breast-mass"])
def test_manifest_reference_and_request_fit_together(name: str, bundles: Mapping[str, ExampleBundle]) -> None:
    bundle = bundles[name]
    manifest = parse_manifest(bundle.manifest_yaml, "application/yaml").manifest
    assert (manifest.model, manifest.version) == (bundle.model, bundle.version)
    rows = read_reference(bundle.reference_csv, "text/csv", manifest)
    space: FeatureSpace = space_of(manifest)
    assert rows.shape[1] == len(space.features)
    instance = space.read(ExplanationRequest.model_validate(bundle.declined).features)
    assert instance.warnings == ()


@pytest.mark.parametrize("name", ["boston-mortgage", "breast-mass"])
def test_the_catalogue_words_every_factor_whatever_is_observed(
    name: str, bundles: Mapping[str, ExampleBundle]
) -> None:
    bundle = bundles[name]
    manifest = parse_manifest(bundle.manifest_yaml, "application/yaml").manifest
    catalogue = parse_catalogue(bundle.catalogue_yaml, "application/yaml")
    assert manifest.catalogue is not None
    assert (catalogue.name, catalogue.version) == (manifest.catalogue.name, manifest.catalogue.version)
    words = read_catalogue(catalogue)
    require_fit(manifest, words, complete=True)
    assert not any(gaps(manifest, words).values())
    assert set(words.features) == {feature.name for feature in manifest.features}
    assert set(words.factors) == {factor.name for factor in manifest.factors}


@pytest.mark.parametrize("name", ["boston-mortgage", "breast-mass"])
def test_protected_attributes_are_no_inputs(name: str, bundles: Mapping[str, ExampleBundle]) -> None:
    manifest = parse_manifest(bundles[name].manifest_yaml).manifest
    assert {"race", "sex"} <= set(manifest.protected)
    forbidden = {"race", "sex", "age", "married", "male", "black", "hispan", "white", "old", "min30", "dep"}
    assert forbidden.isdisjoint(feature.name for feature in manifest.features)


@pytest.mark.parametrize(
    ("name", "rows", "floor"), [("boston-mortgage", 995, 0.78), ("breast-mass", 285, 0.97)]
)
def test_the_models_rank_unseen_rows(
    name: str, rows: int, floor: float, bundles: Mapping[str, ExampleBundle]
) -> None:
    bundle = bundles[name]
    assert bundle.held_out_rows == rows
    assert floor < bundle.auc < 1


def test_no_row_is_trained_on_and_compared_with() -> None:
    parts = split(1989, train=0.5, reference=0.4)
    every = [*parts.train, *parts.reference, *parts.test]
    assert sorted(every) == list(range(1989))


def test_the_declined_applicant_was_declined_by_the_lender_and_never_trained_on(
    bundles: Mapping[str, ExampleBundle],
) -> None:
    table, declined = lending.applications()
    row = int(str(bundles["boston-mortgage"].declined["decision_id"]).removeprefix("boston-")) - 1
    parts = split(len(table), train=0.5, reference=0.4)
    assert row not in parts.train
    assert declined[row] == 1


def test_missing_values_are_empty_cells(bundles: Mapping[str, ExampleBundle]) -> None:
    table, _ = lending.applications()
    parts = split(len(table), train=0.5, reference=0.4)
    cells: list[Any] = list(csv.DictReader(io.StringIO(bundles["boston-mortgage"].reference_csv.decode())))
    empty = [cell["liquid_assets"] == "" for cell in cells]
    assert empty == table["liquid_assets"].isna().iloc[parts.reference].tolist()
    assert not any(value == "" for cell in cells for name, value in cell.items() if name != "liquid_assets")


def test_more_of_what_may_only_hurt_never_helps(bundles: Mapping[str, ExampleBundle]) -> None:
    import xgboost  # noqa: PLC0415

    table, _ = lending.applications()
    booster = xgboost.Booster(model_file=bytearray(bundles["boston-mortgage"].artifact))
    rows = table.dropna().astype(float).iloc[:200]
    before = booster.predict(xgboost.DMatrix(rows, nthread=1))
    for name, sign in lending.MONOTONE.items():
        after = booster.predict(xgboost.DMatrix(rows.assign(**{name: rows[name] + 1}), nthread=1))
        assert np.all(sign * (after - before) >= 0), name


@pytest.mark.parametrize("name", ["boston-mortgage", "breast-mass"])
def test_every_factor_is_scored(name: str, bundles: Mapping[str, ExampleBundle]) -> None:
    import xgboost  # noqa: PLC0415

    bundle = bundles[name]
    scored = xgboost.Booster(model_file=bytearray(bundle.artifact)).get_score()
    factors = parse_manifest(bundle.manifest_yaml, "application/yaml").manifest.factors
    assert [factor.name for factor in factors if scored.keys().isdisjoint(factor.features)] == []


def test_auc_by_the_pairs() -> None:
    adverse, scores = np.array([1.0, 0.0, 1.0, 0.0]), np.array([0.9, 0.5, 0.5, 0.1])
    pairs = [(1 if h > low else 0.5 if h == low else 0) for h in (0.9, 0.5) for low in (0.5, 0.1)]
    assert auc(adverse, scores) == sum(pairs) / len(pairs)
