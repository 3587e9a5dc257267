"""The one door to the XGBoost library: its C interface, without its Python package.

`import xgboost` takes about two seconds and 150 MB, because it pulls scikit-learn, scipy and pandas, and its
Python predict spends most of a single row's time outside the library. The C interface (c_api.h: stable and
documented) needs neither. The shared object is found where the installed package keeps it.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import importlib.util
import json
import math
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from explain.errors import ModelCorrupt

FloatArray = NDArray[np.float64]
Counts = ctypes.POINTER(ctypes.c_uint64)

_SOURCE = re.compile(r"^\[[\d:]+\] \S+:\d+: ")  # when, and where in its authors' source: not for a reader

VALUE, MARGIN = 0, 1  # prediction types of XGBoosterPredictFromDense and XGBoosterPredictFromDMatrix
SILENT = b'{"verbosity":0}'


@functools.cache
def library() -> ctypes.CDLL:
    """Load the shared object once; ctypes releases the GIL around each of its calls."""
    spec = importlib.util.find_spec("xgboost")
    if spec is None or spec.origin is None:
        raise ImportError("the package xgboost is not installed")
    loaded = ctypes.CDLL(str(Path(spec.origin).parent / "lib" / "libxgboost.so"))
    loaded.XGBGetLastError.restype = ctypes.c_char_p
    loaded.expf.restype, loaded.expf.argtypes = ctypes.c_float, [ctypes.c_float]
    return loaded


@functools.cache
def library_version() -> str:
    """Return the version of the native library."""
    parts = [ctypes.c_int() for _ in range(3)]
    library().XGBoostVersion(*(ctypes.byref(part) for part in parts))
    return ".".join(str(part.value) for part in parts)


def sigmoid(margin: float) -> float:
    """Return the library's score of one margin of a logistic objective, to the bit (common/math.h).

    The library works in 32 bits with the C library's expf, which is found through the library itself.
    """
    exponent = min(np.float32(-margin), np.float32(88.7))
    denominator = np.float32(library().expf(float(exponent))) + np.float32(1.0) + np.float32(1e-16)
    return float(np.float32(1.0) / denominator)


class NativeBooster:
    """A booster inside the native library, with one thread, safe to use from many.

    Prediction with a booster that nobody changes is thread-safe; the library keeps its result in memory of
    the calling thread, from where it is copied before that thread's next call can overwrite it. Where
    `in_place` is false each call makes a matrix of the library's own kind first.
    """

    def __init__(self, artifact: bytes, rounds: int, outputs: int, *, in_place: bool = True) -> None:
        self._library = library()
        self._handle = ctypes.c_void_p()
        self._outputs = outputs
        self._in_place = in_place
        self._config = {
            kind: json.dumps(
                {
                    "type": kind,
                    "training": False,
                    "iteration_begin": 0,
                    "iteration_end": rounds,
                    "missing": math.nan,
                    "strict_shape": False,
                    "cache_id": 0,
                }
            ).encode()
            for kind in (VALUE, MARGIN)
        }
        with _silence(self._library):
            self._check(self._library.XGBoosterCreate(None, ctypes.c_uint64(0), ctypes.byref(self._handle)))
            self._check(
                self._library.XGBoosterLoadModelFromBuffer(
                    self._handle, ctypes.c_char_p(artifact), ctypes.c_uint64(len(artifact))
                )
            )
            self._check(self._library.XGBoosterSetParam(self._handle, b"nthread", b"1"))
            self._configure()

    def __del__(self) -> None:
        if self._handle:
            self._library.XGBoosterFree(self._handle)

    def margins(self, rows: FloatArray) -> FloatArray:
        """Return the library's margins of rows of shape (n, features): (n,) or (n, outputs)."""
        return self._predict(rows, MARGIN)

    def scores(self, rows: FloatArray) -> FloatArray:
        """Return the library's scores, the margins after the objective's link: (n,) or (n, outputs)."""
        return self._predict(rows, VALUE)

    def _predict(self, rows: FloatArray, kind: int) -> FloatArray:
        shape = (len(rows),) if self._outputs == 1 else (len(rows), self._outputs)
        if not len(rows):
            return np.zeros(shape)
        narrow = np.ascontiguousarray(rows, dtype=np.float32)
        interface = (
            f'{{"data":[{narrow.ctypes.data},true],"shape":[{narrow.shape[0]},{narrow.shape[1]}],'
            '"typestr":"<f4","version":3}'
        )
        sizes, dimensions, result = Counts(), ctypes.c_uint64(), ctypes.POINTER(ctypes.c_float)()
        answer = (ctypes.byref(sizes), ctypes.byref(dimensions), ctypes.byref(result))
        predict = self._predict_in_place if self._in_place else self._predict_matrix
        predict(interface.encode(), self._config[kind], answer)
        count = math.prod(sizes[axis] for axis in range(dimensions.value))
        if count != math.prod(shape):
            raise ModelCorrupt(f"the native library returned {count} predictions for {len(narrow)} rows")
        return np.ctypeslib.as_array(result, shape=shape).astype(np.float64)

    def _predict_in_place(self, interface: bytes, config: bytes, answer: tuple[object, ...]) -> None:
        self._check(self._library.XGBoosterPredictFromDense(self._handle, interface, config, None, *answer))

    def _predict_matrix(self, interface: bytes, config: bytes, answer: tuple[object, ...]) -> None:
        matrix = ctypes.c_void_p()
        making = b'{"missing":NaN,"nthread":1}'
        self._check(self._library.XGDMatrixCreateFromDense(interface, making, ctypes.byref(matrix)))
        try:
            self._check(self._library.XGBoosterPredictFromDMatrix(self._handle, matrix, config, *answer))
        finally:
            self._library.XGDMatrixFree(matrix)

    def _configure(self) -> None:
        """Let the library get ready now: the first prediction would do it, and speak on standard error."""
        length, text = ctypes.c_uint64(), ctypes.c_char_p()
        self._check(
            self._library.XGBoosterSaveJsonConfig(self._handle, ctypes.byref(length), ctypes.byref(text))
        )

    def _check(self, status: int) -> None:
        if status != 0:
            reason = (self._library.XGBGetLastError() or b"").decode("utf-8", "replace").partition("\n")[0]
            raise ModelCorrupt(f"the native library refused it: {_SOURCE.sub('', reason)}")


@contextlib.contextmanager
def _silence(loaded: ctypes.CDLL) -> Iterator[None]:
    """Keep the library's warnings (that a booster is deprecated, say) off standard error in this thread."""
    before = ctypes.c_char_p()
    loaded.XGBGetGlobalConfig(ctypes.byref(before))
    restored = before.value
    loaded.XGBSetGlobalConfig(SILENT)
    try:
        yield
    finally:
        if restored is not None:
            loaded.XGBSetGlobalConfig(restored)
