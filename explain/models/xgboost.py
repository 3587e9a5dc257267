"""XGBoost models: the checked file, its agreement with the manifest, and the native library's predictions."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from explain.errors import ManifestContradiction
from explain.features import Feature, FeatureSpace
from explain.models.base import Prediction
from explain.models.ensemble import TreeEnsemble
from explain.models.xgboost_native import NativeBooster, library_version
from explain.models.xgboost_parse import XGBoostArtifact, parse_xgboost

FloatArray = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class XGBoostModel:
    """One loaded model: `predict` is the native library, `trees` our own reading of the same file."""

    digest: str
    space: FeatureSpace
    artifact: XGBoostArtifact
    native: NativeBooster = field(repr=False)
    family: Literal["xgboost"] = "xgboost"
    float_width: Literal[32] = 32

    def predict(self, rows: FloatArray) -> Prediction:
        """Ask the native library for the margins and scores of rows of shape (n, features)."""
        margins = self.native.margins(rows)
        # With the identity link the library's score is its margin, to the bit.
        scores = margins if self.artifact.link == "identity" else self.native.scores(rows)
        return Prediction(margins, scores)

    def margins(self, rows: FloatArray) -> FloatArray:
        """Ask the native library for the margins alone, shape (n,)."""
        return self.native.margins(rows)

    def constructs(self) -> tuple[str, ...]:
        """Name what the model is made of, and which of its rounds predict."""
        parsed = self.artifact
        named = [f"xgboost {library_version()}", "booster gbtree", f"objective {parsed.objective}"]
        named.append(f"rounds {parsed.rounds} of {parsed.rounds_trained}")
        if parsed.parallel_trees > 1:
            named.append(f"num_parallel_tree {parsed.parallel_trees}")
        if parsed.ensemble.categorical_features:
            named.append("categorical splits")
        return tuple(named)

    def form(self) -> TreeEnsemble:
        """Return the trees that `predict` uses."""
        return self.artifact.ensemble


def load(artifact: bytes, space: FeatureSpace) -> XGBoostModel:
    """Check the file and its agreement with the declared features, then load it natively."""
    parsed = parse_xgboost(artifact)
    _check_names(parsed, space)
    for position, feature in enumerate(space.features):
        _check_feature(parsed, position, feature)
    digest = "sha256:" + hashlib.sha256(artifact).hexdigest()
    return XGBoostModel(digest, space, parsed, NativeBooster(artifact, parsed.rounds))


def _check_names(parsed: XGBoostArtifact, space: FeatureSpace) -> None:
    """The count, and the names where the file has them, must be the manifest's, in its order."""
    count = parsed.ensemble.n_features
    if count != len(space.features):
        raise ManifestContradiction(f"the artifact has {count} features, the manifest {len(space.features)}")
    for position, (ours, theirs) in enumerate(zip(space.names, parsed.feature_names, strict=False)):
        if ours != theirs:
            raise ManifestContradiction(
                f"feature {position} is {theirs!r} in the artifact and {ours!r} in the manifest"
            )


def _check_feature(parsed: XGBoostArtifact, position: int, feature: Feature) -> None:
    """Type, category list and category codes must be the artifact's."""
    stated = parsed.feature_types[position] if parsed.feature_types else None
    categorical = position in parsed.largest_codes or parsed.categories[position] is not None or stated == "c"
    numeric = stated not in (None, "c") or len(parsed.ensemble.thresholds_of(position)) > 0
    if categorical and feature.type != "category":
        raise ManifestContradiction(
            f"feature {feature.name!r} is a category in the artifact, {feature.type} in the manifest"
        )
    if feature.type != "category":
        return
    if numeric:
        raise ManifestContradiction(
            f"feature {feature.name!r} is a number in the artifact, a category in the manifest"
        )
    _check_categories(parsed.categories[position], feature)
    largest = parsed.largest_codes.get(position, 0)
    if largest >= len(feature.categories):
        raise ManifestContradiction(
            f"feature {feature.name!r}: the artifact splits on category code {largest}, "
            f"the manifest lists {len(feature.categories)} categories"
        )


def _check_categories(own: tuple[str, ...] | None, feature: Feature) -> None:
    """The codes are positions in the artifact's own list, so the manifest's must be that list."""
    if own is None or own == feature.categories:
        return
    for code in range(max(len(own), len(feature.categories))):
        theirs = own[code] if code < len(own) else None
        ours = feature.categories[code] if code < len(feature.categories) else None
        if ours != theirs:
            raise ManifestContradiction(
                f"feature {feature.name!r}: category {code} is {theirs!r} in the artifact, "
                f"{ours!r} in the manifest"
            )
