"""What a CatBoost model file (its JSON) says, read by ourselves before the native library sees the file.

The names and shapes are those that CatBoost 1.x writes with `save_model(path, format="json")`. Everything
that is not known to be explained exactly is refused by name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from explain.errors import ModelCorrupt, ModelUnsupported
from explain.models.catboost_features import Features, read_features
from explain.models.catboost_members import known_members, numbers
from explain.models.catboost_trees import RawTree, read_trees
from explain.models.document import JSON_START, list_member, member, object_member, read_document

Link = Literal["identity", "sigmoid", "exponent", "softmax", "sigmoids"]

# How the library turns margins into its scores, by the loss function a model was trained for. A ranking and a
# hazard have no other number than their margin.
LINKS: Mapping[str, Link] = {
    **dict.fromkeys(("Logloss", "CrossEntropy", "Focal"), "sigmoid"),
    **dict.fromkeys(("Poisson", "Tweedie"), "exponent"),
    **dict.fromkeys(
        ("RMSE", "MAE", "MAPE", "Quantile", "Huber", "Expectile", "Lq", "LogCosh", "RMSPE"), "identity"
    ),
    **dict.fromkeys(("MultiRMSE", "MultiRMSEWithMissingValues", "MultiQuantile"), "identity"),
    **dict.fromkeys(("PairLogit", "PairLogitPairwise", "YetiRank", "YetiRankPairwise"), "identity"),
    **dict.fromkeys(("QueryRMSE", "QuerySoftMax", "LambdaMart", "StochasticRank", "Cox"), "identity"),
    "MultiClass": "softmax",
    **dict.fromkeys(("MultiClassOneVsAll", "MultiLogloss", "MultiCrossEntropy"), "sigmoids"),
}
DOCUMENT_MEMBERS = frozenset(
    {"ctr_data", "features_info", "model_info", "oblivious_trees", "scale_and_bias", "trees"}
)
NESTING_LIMIT = 64  # of what the library stores beside the trees; its reader follows it by recursion


@dataclass(frozen=True, slots=True, eq=False)
class CatBoostArtifact:
    """A checked model file: the margin of output k is `scale` times the sum of its leaves, plus `bias[k]`."""

    loss: str
    link: Link
    features: Features
    trees: tuple[RawTree, ...]
    symmetric: bool
    scale: float
    bias: NDArray[np.float64]

    @property
    def outputs(self) -> int:
        """How many margins the model has."""
        return self.trees[0].outputs


def parse_catboost(artifact: bytes) -> CatBoostArtifact:
    """Read and check a model file; ModelCorrupt or ModelUnsupported otherwise."""
    if not JSON_START.match(artifact):
        binary = artifact[:4] == b"CBM1"
        raise ModelUnsupported(
            "the cbm file format (save as json)" if binary else "a file format other than JSON"
        )
    document = known_members(read_document(artifact), DOCUMENT_MEMBERS, "the document")
    features = read_features(member(document, "features_info", "the document"))
    if document.get("ctr_data"):
        raise ModelUnsupported("ctr_data (categories encoded by target statistics)")
    info = object_member(document, "model_info", "the document")
    loss = _loss(info)
    trees = read_trees(document, features.read_split)
    outputs = trees[0].outputs
    _check_outputs(info, LINKS[loss], outputs)
    scale, bias = _scale_and_bias(document, outputs)
    with np.errstate(over="ignore"):
        if not all(np.all(np.isfinite(tree.value * scale)) for tree in trees):
            raise ModelCorrupt("the scaled leaf values are not finite")
    return CatBoostArtifact(
        loss=loss,
        link=LINKS[loss],
        features=features,
        trees=trees,
        symmetric="oblivious_trees" in document,
        scale=scale,
        bias=bias,
    )


def _loss(info: dict[str, object]) -> str:
    """Return the loss function's name; what else stands in the model's information does not predict."""
    _check_nesting(info)
    if "loss_function" in info or "params" not in info:
        raise ModelUnsupported("a model without its training parameters (sum_models)")
    parameters = object_member(info, "params", "model_info")
    name = member(object_member(parameters, "loss_function", "model_info.params"), "type", "loss_function")
    if not isinstance(name, str) or name not in LINKS:
        raise ModelUnsupported(f"loss_function {str(name)[:40]}")
    return name


def _check_nesting(info: dict[str, object]) -> None:
    """Walk down level by level, without recursion."""
    level: list[dict[str, object] | list[object]] = [info]
    for _ in range(NESTING_LIMIT):
        level = [
            inner
            for outer in level
            for inner in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(inner, dict | list)
        ]
        if not level:
            return
    raise ModelCorrupt("model_info is nested too deeply")


def _check_outputs(info: dict[str, object], link: Link, outputs: int) -> None:
    """Refuse margins that the library would reorder, or fill up with classes that no tree knows."""
    if link in ("sigmoid", "exponent") and outputs != 1:
        raise ModelCorrupt(f"{outputs} outputs under a loss function of one")
    if link == "softmax" and outputs < 2:
        raise ModelCorrupt("one output under a loss function of several")
    if "multiclass_params" in info:
        raise ModelUnsupported("multiclass_params (written by an early CatBoost)")
    if "class_params" not in info:
        return
    classes = object_member(info, "class_params", "model_info")
    labels = list_member(classes, "class_to_label", "class_params")
    names = list_member(classes, "class_names", "class_params")
    count = classes.get("classes_count", 0)
    if outputs == 1:
        known = labels == list(range(len(labels))) and 1 <= len(labels) <= 2 and len(names) <= 2
    else:
        known = labels == list(range(outputs)) and len(names) in (0, outputs) and count in (0, outputs)
    if not known:
        raise ModelUnsupported("classes that the trees do not know (class_params)")


def _scale_and_bias(document: dict[str, object], outputs: int) -> tuple[float, NDArray[np.float64]]:
    pair = list_member(document, "scale_and_bias", "the document")
    if len(pair) != 2:
        raise ModelCorrupt("scale_and_bias is not a pair")
    if isinstance(pair[1], int | float):  # the library's own JSON reader drops it
        raise ModelUnsupported("scale_and_bias with a single bias (written by an early CatBoost)")
    (scale,) = numbers([pair[0]], "scale_and_bias").tolist()
    bias = numbers(pair[1], "scale_and_bias")
    if len(bias) != outputs:
        raise ModelCorrupt(f"scale_and_bias has {len(bias)} biases for {outputs} outputs")
    return float(scale), bias
