"""The frozen reference population that an attribution compares an applicant with.

Regulation B, comment 9(b)(2)-5, names two populations whose average a reason may be measured against: the
applicants who were approved at or slightly above the passing score (`near_cutoff_approved`), and all
applicants (`all_applicants`). `given` takes the uploaded rows as they are.
"""

from __future__ import annotations

import hashlib
import io
import math
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from explain.errors import ExplainError, ReferenceTooSmall
from explain.models.base import Model
from explain.outcome import OutcomeRule

FloatArray = NDArray[np.float64]
ReferenceKind = Literal["near_cutoff_approved", "all_applicants", "given"]

FEWEST_ROWS = 30  # below it an average says nothing about a population
LARGEST_ROWS = 1_000_000
LARGEST_COLUMNS = 10_000
_LONGEST_HEADER = 1_024


class ReferenceCorrupt(ExplainError):
    """The stored reference is not the frozen array that it claims to be."""


@dataclass(frozen=True, slots=True, eq=False)
class Reference:
    """A reference population: float64 rows in model order, NaN for missing, and how it was chosen.

    `band` is the distance from the threshold, in units of the score, that was really used; None unless the
    kind is `near_cutoff_approved`. `digest` is the SHA-256 of the frozen bytes.
    """

    kind: ReferenceKind
    rows: FloatArray
    band: float | None
    digest: str
    _means: dict[int, float | None] = field(default_factory=dict, init=False, repr=False)

    @classmethod
    def of(cls, kind: ReferenceKind, rows: FloatArray, band: float | None = None) -> Reference:
        """Freeze these rows, of shape (n, features), and digest them."""
        frozen = _frozen(rows)
        return cls(kind, frozen, band, _digest(_npy(frozen)))

    @classmethod
    def from_bytes(cls, data: bytes, *, kind: ReferenceKind, band: float | None = None) -> Reference:
        """Read frozen bytes back; ReferenceCorrupt if they are anything but what `to_bytes` writes."""
        rows = _read_npy(data)
        if _npy(rows) != data:
            raise ReferenceCorrupt("the reference is not in its canonical form")
        return cls(kind, rows, band, _digest(data))

    def to_bytes(self) -> bytes:
        """Return the frozen form: NPY 1.0, little-endian float64, C order."""
        return _npy(self.rows)

    def mean(self, column: int) -> float | None:
        """Return the mean of a column where it is not missing, None if it nowhere is; kept once computed."""
        if column not in self._means:
            self._means[column] = _mean(self.rows[:, column])
        return self._means[column]


def select_reference(
    model: Model,
    rule: OutcomeRule,
    uploaded: FloatArray,
    kind: ReferenceKind,
    band: float | None = None,
    *,
    minimum_rows: int = 100,
) -> Reference:
    """Select the reference from uploaded rows (n, features) with the model's own score; row order is kept.

    `near_cutoff_approved` takes the approved rows whose score lies within `band` of the threshold. Fewer than
    `minimum_rows` of them, and the nearest approved rows beyond it fill up (of equal scores the earlier row),
    the wider band being recorded. ReferenceTooSmall if a population has fewer than 30 rows to offer.
    """
    if uploaded.ndim != 2 or uploaded.shape[1] != len(model.space.features):
        raise ReferenceCorrupt(f"the reference has shape {uploaded.shape}, not one column per feature")
    if kind == "given":
        if not len(uploaded):
            raise ReferenceTooSmall("the reference has no rows")
        return Reference.of(kind, uploaded)
    if kind == "all_applicants":
        _require_rows(len(uploaded), "rows")
        return Reference.of(kind, uploaded)
    if band is None or not band >= 0:
        raise ValueError("near_cutoff_approved needs a band of zero or more")
    chosen, used = _near_cutoff(model, rule, uploaded, band, minimum_rows)
    return Reference.of(kind, uploaded[chosen], used)


def _near_cutoff(
    model: Model, rule: OutcomeRule, uploaded: FloatArray, band: float, minimum_rows: int
) -> tuple[NDArray[np.intp], float]:
    """Return the chosen row numbers, ascending, and the band they lie in."""
    prediction = model.predict(uploaded)
    scores = rule.scores_of(prediction.margins, prediction.scores)
    approved = np.flatnonzero(rule.favourable_mask(scores))
    _require_rows(len(approved), "approved rows")
    distance = np.abs(scores[approved] - rule.threshold)
    inside = distance <= band
    if np.count_nonzero(inside) >= minimum_rows:
        return approved[inside], float(band)
    nearest = np.argsort(distance, kind="stable")[: max(minimum_rows, FEWEST_ROWS)]
    return np.sort(approved[nearest]), max(float(band), float(distance[nearest].max()))


def _require_rows(count: int, what: str) -> None:
    if count < FEWEST_ROWS:
        raise ReferenceTooSmall(f"the reference has {count} {what}; at least {FEWEST_ROWS} are needed")


def _frozen(rows: FloatArray) -> FloatArray:
    """Copy the rows in C order with one NaN and no negative zero, and make them read-only."""
    frozen = np.array(rows, dtype=np.float64, order="C") + 0.0
    frozen[np.isnan(frozen)] = np.nan
    if np.isinf(frozen).any():
        raise ReferenceCorrupt("the reference holds an infinite value")
    frozen.setflags(write=False)
    return frozen


def _mean(column: FloatArray) -> float | None:
    """Return the mean of what is not NaN, its sum rounded once.

    A column of equal values has exactly that mean: nothing in it lies above or below.
    """
    present = column[~np.isnan(column)]
    if not len(present):
        return None
    if present.min() == present.max():
        return float(present[0])
    try:
        return math.fsum(present.tolist()) / len(present)
    except OverflowError:  # of a sum near the largest double, whose mean is one all the same
        return math.ldexp(math.fsum(np.ldexp(present, -64).tolist()) / len(present), 64)


def _npy(rows: FloatArray) -> bytes:
    stream = io.BytesIO()
    np.lib.format.write_array(stream, rows.astype("<f8", copy=False), version=(1, 0), allow_pickle=False)
    return stream.getvalue()


def _read_npy(data: bytes) -> FloatArray:
    """Read an NPY 1.0 array of float64 after its header and its length have been checked."""
    stream = io.BytesIO(data)
    try:
        version = np.lib.format.read_magic(stream)
        if version != (1, 0):
            raise ReferenceCorrupt(f"the reference is NPY version {version}, not (1, 0)")
        shape, fortran, dtype = np.lib.format.read_array_header_1_0(stream, max_header_size=_LONGEST_HEADER)
    except ValueError as fault:
        raise ReferenceCorrupt("the reference has no readable NPY header") from fault
    if fortran or dtype != np.dtype("<f8") or len(shape) != 2:
        raise ReferenceCorrupt("the reference is not a two-dimensional float64 array in C order")
    rows, columns = shape
    if not (0 < rows <= LARGEST_ROWS and 0 < columns <= LARGEST_COLUMNS):
        raise ReferenceCorrupt(f"the reference has an impossible shape {shape}")
    if len(data) - stream.tell() != rows * columns * 8:
        raise ReferenceCorrupt("the reference is shorter or longer than its header says")
    return _frozen(np.frombuffer(data, dtype="<f8", offset=stream.tell()).reshape(shape))


def _digest(data: bytes) -> str:
    return "sha256:" + hashlib.sha256(data).hexdigest()
