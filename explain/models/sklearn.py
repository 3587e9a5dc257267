"""scikit-learn models: the checked file, its agreement with the manifest, and the library's predictions."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from explain.errors import ManifestContradiction
from explain.features import Feature, FeatureSpace
from explain.models.base import Prediction
from explain.models.ensemble import TreeEnsemble
from explain.models.sklearn_estimator import SklearnArtifact
from explain.models.sklearn_native import NativeEstimator, library_version
from explain.models.sklearn_parse import parse_sklearn

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class SklearnModel:
    """One loaded model: `predict` is scikit-learn, `form` our own reading of the same file."""

    digest: str
    space: FeatureSpace
    artifact: SklearnArtifact
    ensemble: TreeEnsemble = field(repr=False)
    native: NativeEstimator = field(repr=False)
    family: Literal["sklearn"] = "sklearn"
    float_width: Literal[64] = 64

    def predict(self, rows: FloatArray) -> Prediction:
        """Ask the library for the margins and scores of rows of shape (n, features)."""
        return self.native.predict(rows)

    def margins(self, rows: FloatArray) -> FloatArray:
        """Ask the library for the margins alone, shape (n,) or (n, outputs)."""
        return self.native.margins(rows)

    def constructs(self) -> tuple[str, ...]:
        """Name what the model is made of, and what its margin is."""
        parsed = self.artifact
        named = [f"scikit-learn {library_version()}", f"estimator {parsed.estimator}"]
        if parsed.version != library_version():
            named.append(f"written by scikit-learn {parsed.version}")
        named += [f"margin: {_margin(parsed)}", f"trees {parsed.trees.tree_count}"]
        if parsed.loss:
            named.append(f"loss {parsed.loss}")
        if self.ensemble.categorical_features:
            named.append("categorical splits")
        return tuple(named)

    def form(self) -> TreeEnsemble:
        """Return the trees that `predict` uses."""
        return self.ensemble


def _margin(parsed: SklearnArtifact) -> str:
    """Say in words what one unit of the margin is."""
    labels = [str(label)[:40] for label in parsed.classes]
    if parsed.kind == "average":
        if len(labels) == 2:
            return f"mean probability of class {labels[1]!r}"
        return "mean probability of each class" if labels else "predicted value"
    if len(labels) == 2:
        return f"decision function for class {labels[1]!r}"
    return "decision function of each class" if labels else "raw prediction"


def load(artifact: bytes, space: FeatureSpace) -> SklearnModel:
    """Check the file and its agreement with the declared features, then load it natively.

    The returned features are read in the width in which the estimator compares them: forests and gradient
    boosting round to 32 bits, histogram boosting does not.
    """
    parsed = parse_sklearn(artifact, library_version())
    _check_names(parsed, space)
    codes = {}
    for position, feature in enumerate(space.features):
        known = _check_feature(parsed.categories[position], feature)
        if known is not None:
            codes[position] = (known, len(feature.categories))
    native = NativeEstimator(parsed)
    _check_gaps(native, parsed, space)
    baseline = native.baseline(parsed.n_features) if parsed.baseline is None else parsed.baseline
    ensemble = parsed.trees.ensemble(baseline, parsed.n_features, parsed.input_width, codes)
    digest = "sha256:" + hashlib.sha256(artifact).hexdigest()
    return SklearnModel(digest, replace(space, float_width=parsed.input_width), parsed, ensemble, native)


def _check_names(parsed: SklearnArtifact, space: FeatureSpace) -> None:
    """The count, and the names where the file has them, must be the manifest's, in its order."""
    count = parsed.n_features
    if count != len(space.features):
        raise ManifestContradiction(f"the artifact has {count} features, the manifest {len(space.features)}")
    for position, (ours, theirs) in enumerate(zip(space.names, parsed.feature_names, strict=False)):
        if ours != theirs:
            raise ManifestContradiction(
                f"feature {position} is {theirs!r} in the artifact and {ours!r} in the manifest"
            )


def _check_feature(own: tuple[str, ...] | None, feature: Feature) -> int | None:
    """Type and category list must be the artifact's; return how many categories it knows, None of a number.

    The manifest's list begins with the artifact's own, in its order (sorted, as the library's encoder
    leaves it; numbers in decimal spelling). Whatever follows was not seen in training, and is predicted as
    missing by the library.
    """
    if own is None:
        if feature.type == "category":
            raise ManifestContradiction(
                f"feature {feature.name!r} is a number in the artifact, a category in the manifest"
            )
        return None
    if feature.type != "category":
        raise ManifestContradiction(
            f"feature {feature.name!r} is a category in the artifact, {feature.type} in the manifest"
        )
    for code, theirs in enumerate(own):
        ours = feature.categories[code] if code < len(feature.categories) else None
        if ours != theirs:
            raise ManifestContradiction(
                f"feature {feature.name!r}: category {code} is {theirs!r} in the artifact, "
                f"{ours!r} in the manifest"
            )
    return len(own)


def _check_gaps(native: NativeEstimator, parsed: SklearnArtifact, space: FeatureSpace) -> None:
    """An estimator that refuses missing values cannot serve features that may be missing."""
    if native.accepts_missing():
        return
    for feature in space.features:
        if feature.nullable:
            raise ManifestContradiction(
                f"feature {feature.name!r} may be missing in the manifest, "
                f"{parsed.estimator} predicts no row with missing values"
            )
