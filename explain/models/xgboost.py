"""XGBoost models: the checked file, its agreement with the manifest, and the native library's predictions."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from explain.errors import ManifestContradiction, ModelUnsupported
from explain.features import Feature, FeatureSpace
from explain.models.base import Form, Prediction
from explain.models.ensemble import TreeEnsemble
from explain.models.xgboost_native import NativeBooster, library_version, sigmoid
from explain.models.xgboost_parse import XGBoostArtifact, parse_xgboost

FloatArray = NDArray[np.float64]

FEW_ROWS = 16  # up to so many, taking the logistic function row by row costs less than a second native call
NEW_DROPOUT = (3, 3)  # the first version whose gbtree booster reads dropout weights itself


@dataclass(frozen=True, slots=True, eq=False)
class XGBoostModel:
    """One loaded model: `predict` is the native library, `form` our own reading of the same file."""

    digest: str
    space: FeatureSpace
    artifact: XGBoostArtifact
    native: NativeBooster = field(repr=False)
    family: Literal["xgboost"] = "xgboost"
    float_width: Literal[32] = 32

    def predict(self, rows: FloatArray) -> Prediction:
        """Ask the native library for the margins and scores of rows of shape (n, features)."""
        margins = self.native.margins(rows)
        score = self.artifact.objective.score
        if score == "margin":
            return Prediction(margins, margins)
        if score == "sigmoid" and len(rows) <= FEW_ROWS:
            scores = np.array([sigmoid(margin) for margin in margins.ravel().tolist()])
            return Prediction(margins, scores.reshape(margins.shape))
        return Prediction(margins, self.native.scores(rows))

    def margins(self, rows: FloatArray) -> FloatArray:
        """Ask the native library for the margins alone, shape (n,) or (n, outputs)."""
        return self.native.margins(rows)

    def constructs(self) -> tuple[str, ...]:
        """Name what the model is made of, and which of its rounds predict."""
        parsed, form = self.artifact, self.artifact.form
        named = [f"xgboost {library_version()}", f"booster {parsed.booster}"]
        named.append(f"objective {parsed.objective.name}")
        named.append(f"rounds {parsed.rounds} of {parsed.rounds_trained}")
        if parsed.parallel_trees > 1:
            named.append(f"num_parallel_tree {parsed.parallel_trees}")
        if isinstance(form, TreeEnsemble) and form.categorical_features:
            named.append("categorical splits")
        if form.outputs > 1:
            named.append(f"{form.outputs} outputs")
        if parsed.vector_leaves:
            named.append("vector leaves")
        return tuple(named)

    def form(self) -> Form:
        """Return the trees, or the linear function, that `predict` uses."""
        return self.artifact.form


def load(artifact: bytes, space: FeatureSpace) -> XGBoostModel:
    """Check the file and its agreement with the declared features, then load it natively."""
    parsed = parse_xgboost(artifact)
    _check_library(parsed)
    _check_names(parsed, space)
    for position, feature in enumerate(space.features):
        _check_feature(parsed, position, feature)
    digest = "sha256:" + hashlib.sha256(artifact).hexdigest()
    rounds = 0 if parsed.booster == "gblinear" else parsed.rounds  # a linear booster knows no rounds
    native = NativeBooster(artifact, rounds, parsed.form.outputs, in_place=_predicts_in_place(parsed))
    return XGBoostModel(digest, space, parsed, native)


def _check_library(parsed: XGBoostArtifact) -> None:
    """An older library reads a file of today's dropout without its weights, and says nothing."""
    if parsed.weights_within and not _has_new_dropout():
        raise ModelUnsupported(
            f"booster dart of XGBoost 3.3 or later, whose weights {library_version()} ignores"
        )


def _predicts_in_place(parsed: XGBoostArtifact) -> bool:
    """A linear booster cannot; the older dropout rounds each leaf to the base score's last digits there."""
    return parsed.booster == "gbtree" or (parsed.booster == "dart" and _has_new_dropout())


def _has_new_dropout() -> bool:
    major, minor, *_ = library_version().split(".")
    return (int(major), int(minor)) >= NEW_DROPOUT


def _check_names(parsed: XGBoostArtifact, space: FeatureSpace) -> None:
    """The count, and the names where the file has them, must be the manifest's, in its order."""
    count = parsed.form.n_features
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
    numeric = stated not in (None, "c") or _is_read_as_number(parsed.form, position)
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


def _is_read_as_number(form: Form, position: int) -> bool:
    """Tell whether a numeric split or a linear function reads this feature."""
    return not isinstance(form, TreeEnsemble) or len(form.thresholds_of(position)) > 0


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
