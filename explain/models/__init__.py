"""Model families: an allow-list of formats, one adapter file each, loaded when first asked for."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import cast

from explain.errors import ModelUnsupported
from explain.features import FeatureSpace
from explain.models.base import Model

ADAPTERS = {
    "catboost": "explain.models.catboost",
    "lightgbm": "explain.models.lightgbm",
    "sklearn": "explain.models.sklearn",
    "xgboost": "explain.models.xgboost",
}


def load_model(family: str, artifact: bytes, space: FeatureSpace) -> Model:
    """Check an artifact's structure, then load it with its native library.

    Raises ModelUnsupported for a family or construct that is not explained exactly, ModelCorrupt for a broken
    artifact and ManifestContradiction where it disagrees with the declared features. The native library
    never sees an artifact that our own check has not passed.
    """
    if family not in ADAPTERS:
        raise ModelUnsupported(f"family {family}")
    load = cast("Callable[[bytes, FeatureSpace], Model]", import_module(ADAPTERS[family]).load)
    return load(artifact, space)
