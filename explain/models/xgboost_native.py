"""The one door to the XGBoost library: its C interface, without its Python package.

`import xgboost` takes about two seconds and 150 MB, because it pulls scikit-learn, scipy and pandas, and its
Python predict spends most of a single row's time outside the library. The C interface (c_api.h: stable and
documented) needs neither. The shared object is found where the installed package keeps it.
"""

from __future__ import annotations

import ctypes
import functools
import importlib.util
import json
import re
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from explain.errors import ModelCorrupt

FloatArray = NDArray[np.float64]
Counts = ctypes.POINTER(ctypes.c_uint64)

_SOURCE = re.compile(r"^\[[\d:]+\] \S+:\d+: ")  # when, and where in its authors' source: not for a reader

VALUE, MARGIN = 0, 1  # XGBoosterPredictFromDense: prediction types


@functools.cache
def library() -> ctypes.CDLL:
    """Load the shared object once; ctypes releases the GIL around each of its calls."""
    spec = importlib.util.find_spec("xgboost")
    if spec is None or spec.origin is None:
        raise ImportError("the package xgboost is not installed")
    loaded = ctypes.CDLL(str(Path(spec.origin).parent / "lib" / "libxgboost.so"))
    loaded.XGBGetLastError.restype = ctypes.c_char_p
    return loaded


def library_version() -> str:
    """Return the version of the native library."""
    parts = [ctypes.c_int() for _ in range(3)]
    library().XGBoostVersion(*(ctypes.byref(part) for part in parts))
    return ".".join(str(part.value) for part in parts)


class NativeBooster:
    """A booster inside the native library, with one thread, safe to use from many.

    In-place prediction on a booster that nobody changes is thread-safe; the library keeps its result in
    memory of the calling thread, from where it is copied before that thread's next call can overwrite it.
    """

    def __init__(self, artifact: bytes, rounds: int) -> None:
        self._library = library()
        self._handle = ctypes.c_void_p()
        self._config = {
            kind: json.dumps(
                {
                    "type": kind,
                    "training": False,
                    "iteration_begin": 0,
                    "iteration_end": rounds,
                    "missing": float("nan"),
                    "strict_shape": False,
                    "cache_id": 0,
                }
            ).encode()
            for kind in (VALUE, MARGIN)
        }
        self._check(self._library.XGBoosterCreate(None, ctypes.c_uint64(0), ctypes.byref(self._handle)))
        self._check(
            self._library.XGBoosterLoadModelFromBuffer(
                self._handle, ctypes.c_char_p(artifact), ctypes.c_uint64(len(artifact))
            )
        )
        self._check(self._library.XGBoosterSetParam(self._handle, b"nthread", b"1"))

    def __del__(self) -> None:
        if self._handle:
            self._library.XGBoosterFree(self._handle)

    def margins(self, rows: FloatArray) -> FloatArray:
        """Return the library's margins of rows of shape (n, features)."""
        return self._predict(rows, MARGIN)

    def scores(self, rows: FloatArray) -> FloatArray:
        """Return the library's scores: the margins after the objective's link."""
        return self._predict(rows, VALUE)

    def _predict(self, rows: FloatArray, kind: int) -> FloatArray:
        narrow = np.ascontiguousarray(rows, dtype=np.float32)
        interface = (
            f'{{"data":[{narrow.ctypes.data},true],"shape":[{narrow.shape[0]},{narrow.shape[1]}],'
            '"typestr":"<f4","version":3}'
        )
        shape, dimensions, result = Counts(), ctypes.c_uint64(), ctypes.POINTER(ctypes.c_float)()
        self._check(
            self._library.XGBoosterPredictFromDense(
                self._handle,
                interface.encode(),
                self._config[kind],
                None,
                ctypes.byref(shape),
                ctypes.byref(dimensions),
                ctypes.byref(result),
            )
        )
        count = int(np.prod([shape[axis] for axis in range(dimensions.value)]))
        if count != len(narrow):
            raise ModelCorrupt(f"the native library returned {count} predictions for {len(narrow)} rows")
        return np.ctypeslib.as_array(result, shape=(count,)).astype(np.float64)

    def _check(self, status: int) -> None:
        if status != 0:
            reason = (self._library.XGBGetLastError() or b"").decode("utf-8", "replace").partition("\n")[0]
            raise ModelCorrupt(f"the native library refused it: {_SOURCE.sub('', reason)}")
