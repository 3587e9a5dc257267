"""The one door to scikit-learn: its own estimators, loaded by skops from a file that has been checked.

Margins and scores come from the library's compiled trees and its own loss functions, in the order in which
its predict functions add them, to the bit. Its predict functions themselves start thread pools (forests:
17 ms for one row of 300 trees, where the trees take 0.9 ms; histogram boosting: OpenMP threads, which a
forked worker may not have), so forests are summed tree by tree and histogram boosting is given one thread.
Importing the library takes about two seconds and 180 MiB: only a process that loads such a model pays.
"""

from __future__ import annotations

import functools
import importlib
import importlib.metadata
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from explain.errors import FieldError, InvalidFeatures, ModelCorrupt, ModelUnsupported
from explain.models.base import Prediction
from explain.models.sklearn_estimator import SklearnArtifact
from explain.models.sklearn_parse_histogram import column_order

Reals = NDArray[np.float64]

# skops trusts all of scikit-learn's estimators, but not these, whose arrays it cannot check: we have.
TRUSTED = [
    "sklearn.tree._tree.Tree",
    "sklearn.ensemble._hist_gradient_boosting.binning._BinMapper",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
]
NOT_INSTALLED = "family sklearn: its library is not installed"


def library_version() -> str:
    """Return the version of scikit-learn; nothing is imported for it."""
    try:
        importlib.metadata.version("skops")
        return importlib.metadata.version("scikit-learn")
    except importlib.metadata.PackageNotFoundError:
        raise ModelUnsupported(NOT_INSTALLED) from None


@functools.cache
def _loads() -> Callable[..., Any]:
    """Import skops, and with it scikit-learn, when a model is loaded."""
    try:
        loads: Callable[..., Any] = importlib.import_module("skops.io").loads
    except ImportError:
        raise ModelUnsupported(NOT_INSTALLED) from None
    return loads


class NativeEstimator:
    """An estimator of scikit-learn; predicting changes nothing in it, so many threads may ask at once."""

    def __init__(self, artifact: SklearnArtifact) -> None:
        try:
            self._estimator = _loads()(artifact.checked, trusted=TRUSTED)
        except (ValueError, TypeError, KeyError, AttributeError, OverflowError, MemoryError) as fault:
            reason = str(fault).partition("\n")[0][:200]
            raise ModelCorrupt(f"the native library refused it: {reason}") from None
        self._classes = len(artifact.classes)
        self._outputs = artifact.outputs
        self._raw = {"average": self._average, "boosting": self._boosting, "histogram": self._histogram}[
            artifact.kind
        ]
        if artifact.kind == "average":
            members = getattr(self._estimator, "estimators_", [self._estimator])
            self._trees = [member.tree_ for member in members]
        else:
            self._estimator._loss = self._estimator._get_loss(sample_weight=None)  # noqa: SLF001
        if artifact.kind == "histogram":
            self._columns = column_order(artifact.categories)
            self._known = [artifact.categories[column] for column in self._columns.tolist()]
        self._link = artifact.kind != "average"

    def accepts_missing(self) -> bool:
        """Tell whether the estimator predicts rows with missing values."""
        if self._raw == self._average:
            first = getattr(self._estimator, "estimators_", [self._estimator])[0]
            return bool(first._support_missing_values(np.zeros((1, 1), dtype=np.float32)))  # noqa: SLF001
        return self._raw == self._histogram

    def baseline(self, n_features: int) -> Reals:
        """Return the constant margins that gradient boosting takes from its init estimator."""
        row = np.zeros((1, n_features), dtype=np.float32)
        return np.array(self._estimator._raw_predict_init(row)[0], dtype=np.float64)  # noqa: SLF001

    def margins(self, rows: Reals) -> Reals:
        """Return the library's margins of rows of shape (n, features): (n,), or (n, outputs)."""
        return self._shaped(self._ask(rows))

    def predict(self, rows: Reals) -> Prediction:
        """Return the library's margins, and its probabilities or predicted values."""
        raw = self._ask(rows)
        if not self._link:
            return Prediction(self._shaped(raw), self._shaped(raw))
        loss = self._estimator._loss  # noqa: SLF001
        given = raw.ravel() if self._outputs == 1 else raw
        scores = loss.predict_proba(given) if self._classes else loss.link.inverse(given)
        if self._classes == 2:
            scores = scores[:, 1]
        return Prediction(self._shaped(raw), np.ascontiguousarray(scores, dtype=np.float64))

    def _ask(self, rows: Reals) -> Reals:
        try:
            with np.errstate(over="ignore"):  # what 32 bits cannot hold is refused a step later
                return self._raw(rows)
        except ValueError as fault:  # infinite numbers, gaps that the estimator does not accept
            raise InvalidFeatures([FieldError("", str(fault).partition("\n")[0])]) from None

    def _shaped(self, raw: Reals) -> Reals:
        return np.ascontiguousarray(raw[:, 0] if self._outputs == 1 else raw, dtype=np.float64)

    def _average(self, rows: Reals) -> Reals:
        """Sum the trees in the library's order, then divide; of two classes only the second is a margin."""
        estimator = self._estimator
        narrow = estimator._validate_X_predict(rows, **self._checks())  # noqa: SLF001
        width = self._classes or self._outputs
        total = np.zeros((len(narrow), width))
        for tree in self._trees:
            total += tree.predict(narrow).reshape(len(narrow), width)
        total /= len(self._trees)
        return total[:, 1:] if self._classes == 2 else total

    def _checks(self) -> dict[str, bool]:
        return {} if hasattr(self._estimator, "estimators_") else {"check_input": True}

    def _boosting(self, rows: Reals) -> Reals:
        ask = self._estimator.decision_function if self._classes else self._estimator.predict
        return np.asarray(ask(rows), dtype=np.float64).reshape(len(rows), self._outputs)

    def _histogram(self, rows: Reals) -> Reals:
        """Give the columns as the library's preprocessor would: encoded, the categorical ones first."""
        columns = np.array(rows[:, self._columns], dtype=np.float64)
        for position, known in enumerate(self._known):
            if known is None:
                break
            codes = columns[:, position]
            codes[~((codes >= 0) & (codes < len(known)))] = np.nan  # the encoder's mark of the unknown
        return np.asarray(self._estimator._raw_predict(columns, n_threads=1))  # noqa: SLF001
