"""CatBoost models: the checked file, its agreement with the manifest, the native library's predictions."""

from __future__ import annotations

import hashlib
import itertools
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from explain.errors import ManifestContradiction
from explain.features import Feature, FeatureSpace
from explain.models.base import Prediction
from explain.models.catboost_features import Features
from explain.models.catboost_form import common_form
from explain.models.catboost_hash import category_hash
from explain.models.catboost_native import NativeModel, PredictionType, library_version
from explain.models.catboost_parse import CatBoostArtifact, Link, parse_catboost
from explain.models.ensemble import TreeEnsemble

FloatArray = NDArray[np.float64]

KINDS: dict[Link, PredictionType] = {
    "sigmoid": "Probability",
    "softmax": "Probability",
    "sigmoids": "Probability",
    "exponent": "Exponent",
}


@dataclass(frozen=True, slots=True, eq=False)
class CatBoostModel:
    """One loaded model: `predict` is the native library, `ensemble` our own reading of the same file."""

    digest: str
    space: FeatureSpace
    artifact: CatBoostArtifact
    ensemble: TreeEnsemble
    native: NativeModel = field(repr=False)
    family: Literal["catboost"] = "catboost"
    float_width: Literal[64] = 64

    def predict(self, rows: FloatArray) -> Prediction:
        """Ask the native library for the margins and scores of rows of shape (n, features)."""
        if self.artifact.link == "identity":
            (margins,) = self.native.predictions(rows, "RawFormulaVal")
            return Prediction(margins, margins)
        margins, scores = self.native.predictions(rows, "RawFormulaVal", KINDS[self.artifact.link])
        # Two classes behind one margin: the score is the probability of the second.
        return Prediction(margins, scores if scores.shape == margins.shape else scores[:, 1])

    def margins(self, rows: FloatArray) -> FloatArray:
        """Ask the native library for the margins alone, shape (n,) or (n, outputs)."""
        (margins,) = self.native.predictions(rows, "RawFormulaVal")
        return margins

    def constructs(self) -> tuple[str, ...]:
        """Name what the model is made of."""
        parsed = self.artifact
        kind = "symmetric" if parsed.symmetric else "non-symmetric"
        named = [f"catboost {library_version()}", f"loss_function {parsed.loss}"]
        named.append(f"{kind} trees {len(parsed.trees)}")
        if parsed.outputs > 1:
            named.append(f"outputs {parsed.outputs}")
        if self.ensemble.categorical_features:
            named.append("categorical splits (one-hot)")
        return tuple(named)

    def form(self) -> TreeEnsemble:
        """Return the trees that `predict` uses."""
        return self.ensemble


def load(artifact: bytes, space: FeatureSpace) -> CatBoostModel:
    """Check the file and its agreement with the declared features, then load it natively."""
    parsed = parse_catboost(artifact)
    _check_names(parsed.features, space)
    for position, feature in enumerate(space.features):
        _check_feature(parsed.features, position, feature)
    numbers = tuple(tuple(map(category_hash, feature.categories)) for feature in space.features)
    _check_categories(parsed.features, space, numbers)
    other = _other_category(parsed.features)
    texts = [(*feature.categories, other) if feature.categories else None for feature in space.features]
    digest = "sha256:" + hashlib.sha256(artifact).hexdigest()
    ensemble, native = common_form(parsed, numbers), NativeModel(artifact, texts)
    return CatBoostModel(digest, replace(space, float_width=32), parsed, ensemble, native)


def _check_names(features: Features, space: FeatureSpace) -> None:
    """The count, and the names where the file has them, must be the manifest's, in its order."""
    if len(features.names) != len(space.features):
        raise ManifestContradiction(
            f"the artifact has {len(features.names)} features, the manifest {len(space.features)}"
        )
    for position, (ours, theirs) in enumerate(zip(space.names, features.names, strict=True)):
        if theirs not in ("", ours):
            raise ManifestContradiction(
                f"feature {position} is {theirs!r} in the artifact and {ours!r} in the manifest"
            )


def _check_feature(features: Features, position: int, feature: Feature) -> None:
    """A category must be one on both sides, and never missing: the library takes no missing category."""
    if (position in features.categorical) != (feature.type == "category"):
        stated = "a category" if position in features.categorical else "a number"
        raise ManifestContradiction(
            f"feature {feature.name!r} is {stated} in the artifact, {feature.type} in the manifest"
        )
    if feature.type == "category" and feature.nullable:
        raise ManifestContradiction(
            f"feature {feature.name!r} may be missing in the manifest, "
            "the artifact's library knows no missing category"
        )


def _check_categories(features: Features, space: FeatureSpace, numbers: tuple[tuple[int, ...], ...]) -> None:
    """Every category that the artifact splits on must be in the manifest, spelled in the same way."""
    for split in features.splits:
        if split.category is not None and split.category not in numbers[split.feature]:
            spelled = features.spelled.get(split.category)
            shown = f"{split.category} (the hash of its text)" if spelled is None else repr(spelled)
            raise ManifestContradiction(
                f"feature {space.names[split.feature]!r}: the artifact splits on category {shown}, "
                "which the manifest does not list"
            )


def _other_category(features: Features) -> str:
    """Return a text that no split takes for one of its categories."""
    known = {split.category for split in features.splits}
    return next(text for n in itertools.count() if category_hash(text := f"other {n}") not in known)
