"""LightGBM models: the checked file, its agreement with the manifest, the native library's predictions."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from explain.errors import ManifestContradiction, ModelUnsupported
from explain.features import Feature, FeatureSpace
from explain.models.base import Prediction
from explain.models.ensemble import MISSING_NAN, MISSING_NONE, MISSING_ZERO, TreeEnsemble
from explain.models.lightgbm_native import NativeBooster, library, library_version
from explain.models.lightgbm_parse import FeatureInfo, LightGBMArtifact, parse_lightgbm

FloatArray = NDArray[np.float64]

MISSING_NAMES = {MISSING_NONE: "None", MISSING_ZERO: "Zero", MISSING_NAN: "NaN"}


@dataclass(frozen=True, slots=True, eq=False)
class LightGBMModel:
    """One loaded model: `predict` is the native library, `form` our own reading of the same file.

    The margin is the sum of the trees, or of a forest their mean: what the objective's link is applied to.
    """

    digest: str
    space: FeatureSpace
    artifact: LightGBMArtifact
    native: NativeBooster = field(repr=False)
    family: Literal["lightgbm"] = "lightgbm"
    float_width: Literal[64] = 64

    def predict(self, rows: FloatArray) -> Prediction:
        """Ask the native library for the margins and scores of rows of shape (n, features)."""
        margins = self.margins(rows)
        # With the identity link the library's score is its margin, to the bit.
        scores = margins if self.artifact.link == "identity" else self.native.scores(rows)
        return Prediction(margins, scores)

    def margins(self, rows: FloatArray) -> FloatArray:
        """Ask the native library for the margins alone, shape (n,) or (n, outputs)."""
        sums = self.native.margins(rows)
        # The raw score of a forest is a sum; for its score the library takes the mean by this very division.
        return sums / self.artifact.rounds if self.artifact.averaged else sums

    def constructs(self) -> tuple[str, ...]:
        """Name what the model is made of."""
        parsed = self.artifact
        named = [
            f"lightgbm {library_version()}",
            f"boosting {parsed.boosting}",
            f"objective {parsed.objective}",
        ]
        named.append(f"rounds {parsed.rounds}")
        if parsed.ensemble.outputs > 1:
            named.append(f"num_tree_per_iteration {parsed.ensemble.outputs}")
        if parsed.averaged:
            named.append("average_output")
        named.extend(f"missing_type {MISSING_NAMES[kind]}" for kind in sorted(parsed.missing_kinds))
        if parsed.ensemble.categorical_features:
            named.append("categorical splits")
        return tuple(named)

    def form(self) -> TreeEnsemble:
        """Return the trees that `predict` uses."""
        return self.artifact.ensemble


def load(artifact: bytes, space: FeatureSpace) -> LightGBMModel:
    """Check the file and its agreement with the declared features, then load it natively."""
    library()
    parsed = parse_lightgbm(artifact)
    _check_names(parsed, space)
    lists = _lists_of(parsed, space)
    for position, feature in enumerate(space.features):
        _check_feature(parsed, position, feature, listed=feature.name in lists)
        if feature.name in lists:
            _check_categories(lists[feature.name], feature)
    digest = "sha256:" + hashlib.sha256(artifact).hexdigest()
    native = NativeBooster(artifact, parsed.rounds, parsed.ensemble.outputs, parsed.ensemble.n_features)
    return LightGBMModel(digest, replace(space, float_width=64), parsed, native)


def _check_names(parsed: LightGBMArtifact, space: FeatureSpace) -> None:
    """The count, and the names where the file has them, must be the manifest's, in its order.

    The library goes by position alone. It writes a blank in a name as an underline.
    """
    count = parsed.ensemble.n_features
    if count != len(space.features):
        raise ManifestContradiction(f"the artifact has {count} features, the manifest {len(space.features)}")
    for position, (ours, theirs) in enumerate(zip(space.names, parsed.feature_names, strict=False)):
        if ours.replace(" ", "_") != theirs:
            raise ManifestContradiction(
                f"feature {position} is {theirs!r} in the artifact and {ours!r} in the manifest"
            )


def _lists_of(parsed: LightGBMArtifact, space: FeatureSpace) -> dict[str, tuple[str, ...]]:
    """Give each declared category its list in the artifact: pandas' columns and ours in the same order."""
    if parsed.category_lists is None:
        return {}
    names = [feature.name for feature in space.features if feature.type == "category"]
    if len(names) != len(parsed.category_lists):
        raise ManifestContradiction(
            f"the artifact lists the categories of {len(parsed.category_lists)} features, "
            f"the manifest those of {len(names)}"
        )
    return dict(zip(names, parsed.category_lists, strict=True))


def _check_feature(parsed: LightGBMArtifact, position: int, feature: Feature, *, listed: bool) -> None:
    """Type, range and largest category code must be the artifact's."""
    info = parsed.feature_infos[position]
    categorical = position in parsed.ensemble.categorical_features or bool(info.codes)
    numeric = info.low is not None or len(parsed.ensemble.thresholds_of(position)) > 0
    if categorical and feature.type != "category":
        raise ManifestContradiction(
            f"feature {feature.name!r} is a category in the artifact, {feature.type} in the manifest"
        )
    if feature.type != "category":
        _check_range(info, feature)
        return
    if numeric and listed:
        raise ModelUnsupported(
            f"ordered categories (feature {feature.name!r}: its codes compared as numbers)"
        )
    if numeric:
        raise ManifestContradiction(
            f"feature {feature.name!r} is a number in the artifact, a category in the manifest"
        )
    largest = max(parsed.largest_codes.get(position, 0), *info.codes, 0)
    if largest >= len(feature.categories):
        raise ManifestContradiction(
            f"feature {feature.name!r}: the artifact knows category code {largest}, "
            f"the manifest lists {len(feature.categories)} categories"
        )


def _check_range(info: FeatureInfo, feature: Feature) -> None:
    """What training saw and what the manifest declares must have some number in common."""
    if info.low is None or info.high is None:
        return
    low = 0.0 if feature.type == "boolean" else feature.minimum
    high = 1.0 if feature.type == "boolean" else feature.maximum
    if (high is not None and info.low > high) or (low is not None and info.high < low):
        raise ManifestContradiction(
            f"feature {feature.name!r} was trained on [{info.low:g}, {info.high:g}], "
            "which lies outside the range the manifest declares"
        )


def _check_categories(own: tuple[str, ...], feature: Feature) -> None:
    """The codes are positions in the artifact's own list, so the manifest's must be that list."""
    for code in range(max(len(own), len(feature.categories))):
        theirs = own[code] if code < len(own) else None
        ours = feature.categories[code] if code < len(feature.categories) else None
        if ours != theirs:
            raise ManifestContradiction(
                f"feature {feature.name!r}: category {code} is {theirs!r} in the artifact, "
                f"{ours!r} in the manifest"
            )
