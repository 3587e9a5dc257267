"""From an upload to a version that explains, or to a refusal by name."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from examples.bundle import ExampleBundle
from examples.clinical import build as build_clinical
from examples.lending import build as build_lending
from explain.deadline import Deadline
from explain.errors import (
    ExplainError,
    ManifestContradiction,
    ModelCorrupt,
    ModelUnsupported,
    ReferenceTooSmall,
)
from registry.catalogue_documents import parse_catalogue
from registry.loaded_version import LoadedVersion
from registry.manifests import parse_manifest
from registry.preparing import PreparedVersion, prepare_version


def test_the_specifications_manifest_is_registered_with_native_categories(prepared: PreparedVersion) -> None:
    content, loaded = prepared.content, prepared.loaded
    assert content.identity.model == "boston-mortgage"
    assert content.reference_kind == "near_cutoff_approved"
    assert content.reference_rows >= 100
    assert content.reference_band is not None
    scores = loaded.model.predict(loaded.reference.rows).scores
    assert np.all(scores < 0.3)
    assert np.all(scores >= 0.3 - content.reference_band - 1e-12)
    assert json.loads(content.capability)
    assert len(content.blobs) == 4


@pytest.mark.parametrize("kind", ["single", "two_to_four", "condo", None])
def test_every_property_type_and_a_missing_one_is_explained(
    prepared: PreparedVersion, kind: str | None
) -> None:
    features = {"income": 3.2, "debt_ratio": 48, "property_type": kind, "age": 33}
    reconciles(prepared.loaded, features)


def reconciles(loaded: LoadedVersion, features: dict[str, object]) -> float:
    """Check the attribution against the native library, and return the native score."""
    instance = loaded.space.read(features)
    base_value, phi = loaded.shap.explain(instance.row)
    native = loaded.model.predict(instance.row[None, :])
    margin, score = float(native.margins[0]), float(native.scores[0])
    assert base_value + phi.sum() == pytest.approx(margin, abs=1e-4)
    return score


class Upload:
    """The specification's example with something about it changed, and how it is refused."""

    def __init__(self, manifest: bytes, artifact: bytes, reference: bytes, cache_dir: Path) -> None:
        self.manifest, self.artifact, self.reference = manifest, artifact, reference
        self.cache_dir = cache_dir

    def rename(self, old: bytes, new: bytes) -> None:
        assert old in self.manifest
        self.manifest, self.reference = self.manifest.replace(old, new), self.reference.replace(old, new)

    def refusal(self) -> ExplainError:
        with pytest.raises(ExplainError) as caught:
            prepare_version(
                parse_manifest(self.manifest), self.artifact, self.reference, None, cache_dir=self.cache_dir
            )
        return caught.value


@pytest.fixture
def upload(example_manifest: bytes, example_upload: tuple[bytes, bytes], cache_folder: Path) -> Upload:
    return Upload(example_manifest, *example_upload, cache_folder)


def test_categories_in_another_order_than_the_artifacts_are_refused(upload: Upload) -> None:
    upload.rename(b"[single, two_to_four, condo]", b"[two_to_four, single, condo]")
    error = upload.refusal()
    assert isinstance(error, ManifestContradiction)
    assert "'single' in the artifact" in error.detail


def test_a_feature_that_the_artifact_calls_otherwise_is_refused(upload: Upload) -> None:
    upload.rename(b"debt_ratio", b"debt_share")
    error = upload.refusal()
    assert isinstance(error, ManifestContradiction)
    assert "'debt_share'" in error.detail


def test_a_broken_artifact_is_refused(upload: Upload) -> None:
    upload.artifact = upload.artifact[:-20]
    assert isinstance(upload.refusal(), ModelCorrupt)


@pytest.mark.parametrize("artifact", [b"\x80\x04\x95 pickled", b"", b"binf old binary"])
def test_other_file_formats_are_refused(upload: Upload, artifact: bytes) -> None:
    upload.artifact = artifact
    assert isinstance(upload.refusal(), ModelCorrupt | ModelUnsupported)


def test_a_family_without_an_exact_method_is_refused(upload: Upload) -> None:
    upload.rename(b"family: xgboost", b"family: mlp")
    error = upload.refusal()
    assert isinstance(error, ModelUnsupported)
    assert "mlp" in error.construct


def test_a_reference_of_a_few_rows_is_refused(upload: Upload) -> None:
    upload.reference = b"\n".join(upload.reference.splitlines()[:20]) + b"\n"
    assert isinstance(upload.refusal(), ReferenceTooSmall)


@pytest.mark.parametrize(
    ("build", "kind", "rows"),
    [(build_lending, "near_cutoff_approved", 100), (build_clinical, "all_applicants", 228)],
    ids=["lending", "clinical"],
)
def test_the_examples_are_prepared_and_their_decision_has_a_way_out(
    build: Callable[[], ExampleBundle], kind: str, rows: int, cache_folder: Path
) -> None:
    bundle = build()
    prepared = prepare_version(
        parse_manifest(bundle.manifest_yaml),
        bundle.artifact,
        bundle.reference_csv,
        "text/csv",
        cache_dir=cache_folder,
        catalogue=parse_catalogue(bundle.catalogue_yaml),
    )
    loaded = prepared.loaded
    assert (prepared.content.reference_kind, prepared.content.reference_rows) == (kind, rows)
    features = bundle.declined["features"]
    assert isinstance(features, dict)
    assert not loaded.rule.is_favourable(reconciles(loaded, features))
    instance = loaded.space.read(features)
    found = loaded.search.find(instance, count=1, deadline=Deadline(5000, time.monotonic()), seed=1)
    assert found.status == "found"
    assert all(item.verified for item in found.items)


def test_words_that_a_manifest_takes_from_elsewhere_must_be_given(cache_folder: Path) -> None:
    bundle = build_clinical()
    with pytest.raises(ValueError, match="names a catalogue"):
        prepare_version(
            parse_manifest(bundle.manifest_yaml), bundle.artifact, bundle.reference_csv, None, cache_dir=None
        )


def test_tables_keep_to_the_memory_they_are_given(upload: Upload, prepared: PreparedVersion) -> None:
    tight = prepare_version(
        parse_manifest(upload.manifest),
        upload.artifact,
        upload.reference,
        None,
        cache_dir=None,
        table_bytes=prepared.loaded.shap.storage.other_bytes + prepared.loaded.shap.storage.table_bytes // 2,
    )
    assert 0 < tight.loaded.shap.storage.table_bytes <= prepared.loaded.shap.storage.table_bytes // 2
    row = prepared.loaded.reference.rows[0]
    assert tight.loaded.shap.explain(row)[1] == pytest.approx(prepared.loaded.shap.explain(row)[1], abs=1e-6)
