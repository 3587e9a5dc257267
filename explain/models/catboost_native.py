"""The one door to the CatBoost library: its Python package, loaded when first needed.

`import catboost` takes about half a second and 105 MiB, because it pulls pandas and scipy (but neither
matplotlib nor plotly). Its predictions release the GIL; preparing the rows does not.
"""

from __future__ import annotations

import functools
import os
import re
from collections.abc import Sequence
from importlib import import_module
from types import ModuleType
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from explain.errors import ModelCorrupt, ModelUnsupported

FloatArray = NDArray[np.float64]
PredictionType = Literal["RawFormulaVal", "Probability", "Exponent"]

_SOURCE = re.compile(r"^\S+:\d+: ")  # the place in its authors' source: not for a reader


@functools.cache
def library() -> ModuleType:
    """Import the package once; ModelUnsupported where it is not installed."""
    try:
        return import_module("catboost")
    except ImportError:
        raise ModelUnsupported("family catboost: its library is not installed") from None


def library_version() -> str:
    """Return the version of the native library."""
    return str(library().__version__)


class NativeModel:
    """A model inside the native library, asked with one thread at a time and safe to ask from many.

    `categories[f]` are the texts of feature f's categories by code, and one more that stands for every other
    code and for a missing one; None where f is numeric.
    """

    def __init__(self, artifact: bytes, categories: Sequence[Sequence[str] | None]) -> None:
        self._categories = {
            position: np.array(texts, dtype=object)
            for position, texts in enumerate(categories)
            if texts is not None
        }
        self._error, self._pool = library().CatBoostError, library().Pool
        self._model = library().CatBoost()
        # The package reads JSON from a path only. This one is in memory: nothing is written anywhere.
        descriptor = os.memfd_create("model")
        try:
            with open(descriptor, "wb", closefd=False) as file:
                file.write(artifact)
            self._model.load_model(f"/proc/self/fd/{descriptor}", format="json")
        except self._error as fault:
            raise self._refusal(fault) from None
        finally:
            os.close(descriptor)

    def predictions(self, rows: FloatArray, *kinds: PredictionType) -> list[FloatArray]:
        """Return one array per kind, each of shape (n,) or (n, columns), for rows of shape (n, features)."""
        try:
            pool = self._pool(self._table(rows), cat_features=list(self._categories), thread_count=1)
            return [
                np.asarray(self._model.predict(pool, prediction_type=kind, thread_count=1), dtype=np.float64)
                for kind in kinds
            ]
        except self._error as fault:
            raise self._refusal(fault) from None

    def _table(self, rows: FloatArray) -> NDArray[np.float32] | NDArray[np.object_]:
        """Round the numbers to 32 bits, as the package would, and spell categories out."""
        with np.errstate(over="ignore"):
            narrow = np.ascontiguousarray(rows, dtype=np.float32)
        if not self._categories:
            return narrow
        table = narrow.astype(object)
        for position, texts in self._categories.items():
            codes, others = rows[:, position], len(texts) - 1
            listed = (codes >= 0) & (codes < others)  # false for a NaN too
            table[:, position] = texts[np.where(listed, codes, others).astype(np.int64)]
        return table

    def _refusal(self, fault: Exception) -> ModelCorrupt:
        reason = str(fault).partition("\n")[0]
        return ModelCorrupt(f"the native library refused it: {_SOURCE.sub('', reason)}")
