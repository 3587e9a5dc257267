"""The one door to the LightGBM library: its C interface, without its Python package.

`import lightgbm` pulls pandas, scikit-learn and scipy, which the service does not need for predicting; the C
interface (c_api.h: stable and documented) needs none of them. The shared object is found where the installed
package keeps it. It needs GNU OpenMP (libgomp.so.1) from the system.
"""

from __future__ import annotations

import ctypes
import functools
import importlib.metadata
import importlib.util
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from explain.errors import ModelCorrupt, ModelUnsupported

FloatArray = NDArray[np.float64]

FLOAT64 = 1  # C_API_DTYPE_FLOAT64
ROW_MAJOR = 1
SCORE, MARGIN = 0, 1  # C_API_PREDICT_NORMAL, C_API_PREDICT_RAW_SCORE
FIRST_ROUND, ALL_ROUNDS = 0, -1
# The library keeps the number of threads for the whole process and sizes its buffers by it, so every call
# must name the same one.
PARAMETERS = b"num_threads=1 verbosity=-1"


@functools.cache
def library() -> ctypes.CDLL:
    """Load the shared object once; ctypes releases the GIL around each of its calls.

    The library is held to one thread from the start: its OpenMP team would not survive a fork.
    """
    spec = importlib.util.find_spec("lightgbm")
    if spec is None or spec.origin is None:
        raise ModelUnsupported("family lightgbm: its library is not installed")
    try:
        loaded = ctypes.CDLL(str(Path(spec.origin).parent / "lib" / "lib_lightgbm.so"))
    except OSError as fault:
        missing = str(fault).partition(":")[0]
        raise ModelUnsupported(
            f"family lightgbm: its library cannot be loaded ({Path(missing).name})"
        ) from None
    loaded.LGBM_GetLastError.restype = ctypes.c_char_p
    loaded.LGBM_SetMaxThreads(1)
    return loaded


def library_version() -> str:
    """Return the version of the installed package, which is its library's."""
    return importlib.metadata.version("lightgbm")


class NativeBooster:
    """A booster inside the native library, with one thread, safe to use from many.

    Predicting takes the booster's lock for shared use and writes nothing but the same two round numbers; the
    results go straight into memory of ours.
    """

    def __init__(self, artifact: bytes, rounds: int, outputs: int, n_features: int) -> None:
        self._handle = ctypes.c_void_p()
        self._library = library()
        self._outputs = outputs
        self._features = n_features
        found = ctypes.c_int()
        self._check(
            self._library.LGBM_BoosterLoadModelFromString(
                ctypes.c_char_p(artifact), ctypes.byref(found), ctypes.byref(self._handle)
            )
        )
        # It writes as many numbers as it believes the model has: it must believe what our reading says.
        self._agree("rounds", found.value, rounds)
        self._agree("outputs", self._count("LGBM_BoosterNumModelPerIteration"), outputs)
        self._agree("classes", self._count("LGBM_BoosterGetNumClasses"), outputs)
        self._agree("features", self._count("LGBM_BoosterGetNumFeature"), n_features)

    def __del__(self) -> None:
        if self._handle:
            self._library.LGBM_BoosterFree(self._handle)

    def margins(self, rows: FloatArray) -> FloatArray:
        """Return the library's raw scores of rows, shape (n,) or (n, outputs): sums, also for forests."""
        return self._predict(rows, MARGIN)

    def scores(self, rows: FloatArray) -> FloatArray:
        """Return the library's scores: the margins (for forests: their means) after the objective's link."""
        return self._predict(rows, SCORE)

    def _predict(self, rows: FloatArray, kind: int) -> FloatArray:
        given = np.ascontiguousarray(rows, dtype=np.float64)
        if given.ndim != 2 or given.shape[1] != self._features:
            raise ValueError(f"rows of {self._features} features are needed, not shape {given.shape}")
        result = np.empty((len(given), self._outputs))
        written = ctypes.c_int64()
        if len(given):
            self._check(
                self._library.LGBM_BoosterPredictForMat(
                    self._handle,
                    ctypes.c_void_p(given.ctypes.data),
                    FLOAT64,
                    ctypes.c_int32(given.shape[0]),
                    ctypes.c_int32(given.shape[1]),
                    ROW_MAJOR,
                    kind,
                    FIRST_ROUND,
                    ALL_ROUNDS,
                    PARAMETERS,
                    ctypes.byref(written),
                    ctypes.c_void_p(result.ctypes.data),
                )
            )
        if written.value != result.size:
            raise ModelCorrupt(f"the native library wrote {written.value} numbers for {result.size}")
        return result[:, 0].copy() if self._outputs == 1 else result

    def _count(self, name: str) -> int:
        found = ctypes.c_int()
        self._check(getattr(self._library, name)(self._handle, ctypes.byref(found)))
        return found.value

    def _agree(self, what: str, theirs: int, ours: int) -> None:
        if theirs != ours:
            raise ModelCorrupt(f"the native library reads {theirs} {what} where the file has {ours}")

    def _check(self, status: int) -> None:
        if status != 0:
            reason = (self._library.LGBM_GetLastError() or b"").decode("utf-8", "replace").partition("\n")[0]
            raise ModelCorrupt(f"the native library refused it: {reason[:200]}")
