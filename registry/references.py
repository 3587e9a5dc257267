"""Uploaded reference populations: CSV or Parquet to a float64 matrix in the manifest's order.

Columns go by name, in any order; a column too many or too few is refused by name. An empty cell is a missing
value and allowed only where the feature is nullable. Every cell is typed as strictly as a request's features;
errors carry the data row, counted from 1, and the column.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from registry.errors import ReferenceInvalid
from schemas.manifest import Manifest, ManifestFeature
from schemas.problem import PointedError, pointer

FloatArray = NDArray[np.float64]

BYTES_LIMIT = 64 * 1024 * 1024
ROWS_LIMIT = 200_000
CELL_LIMIT = 1024
SHOWN_ERRORS = 20
LARGEST_FLOAT32 = float(np.finfo(np.float32).max)
LARGEST_INTEGER = 2**53
PARQUET_MAGIC = b"PAR1"

_NUMBER = re.compile(r"[-+]?(\d+(\.\d*)?|\.\d+)([eE][-+]?\d+)?", re.ASCII)
_BOOLEANS = {"true": 1.0, "false": 0.0, "1": 1.0, "0": 0.0}


class Faults:
    """Collects faults up to a number worth reading."""

    def __init__(self) -> None:
        self.found: list[PointedError] = []

    def add(self, parts: Sequence[str | int], detail: str) -> None:
        """Note one fault; the last one worth reading ends the search."""
        self.found.append(PointedError(pointer=pointer(parts), detail=detail))
        if len(self.found) >= SHOWN_ERRORS:
            self.stop()

    def stop(self) -> None:
        """Refuse if anything was found."""
        if self.found:
            raise ReferenceInvalid(self.found)


def refuse(detail: str) -> ReferenceInvalid:
    """Return the refusal of a whole document."""
    return ReferenceInvalid([PointedError(pointer="", detail=detail)])


def read_reference(data: bytes, content_type: str | None, manifest: Manifest) -> FloatArray:
    """Read uploaded rows, shape (n, features) in the manifest's order, NaN for missing.

    Raises ReferenceInvalid, which names up to 20 faults by row and column.
    """
    if len(data) > BYTES_LIMIT:
        raise refuse(f"is larger than {BYTES_LIMIT} bytes")
    kind = (content_type or "").partition(";")[0].strip().lower()
    if data.startswith(PARQUET_MAGIC) or kind.endswith("parquet"):
        from registry.parquet import read_parquet  # noqa: PLC0415  pyarrow takes long to import

        rows = read_parquet(data, manifest)
    else:
        rows = _read_csv(data, manifest)
    if not len(rows):
        raise refuse("has no rows")
    return rows


def _read_csv(data: bytes, manifest: Manifest) -> FloatArray:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise refuse(f"is neither Parquet nor UTF-8 text (byte {error.start})") from error
    if "\x00" in text:
        raise refuse("holds a zero byte")
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = next(reader, None)
        if header is None:
            raise refuse("is empty")
        places = column_places(header, manifest)
        return _csv_rows(reader, len(header), places, manifest)
    except csv.Error as error:
        raise refuse(f"is not CSV: {error} (line {reader.line_num})") from error


def column_places(header: Sequence[str], manifest: Manifest) -> list[int]:
    """Return where each feature's column is; missing, extra and repeated columns are refused by name."""
    faults = Faults()
    known = {feature.name for feature in manifest.features}
    seen: dict[str, int] = {}
    for place, name in enumerate(header):
        if name in seen:
            faults.add(("columns", name), "is given twice")
        elif name not in known:
            faults.add(("columns", name[:CELL_LIMIT]), "is not a feature of the manifest")
        seen[name] = place
    for feature in manifest.features:
        if feature.name not in seen:
            faults.add(("columns", feature.name), "is missing")
    faults.stop()
    return [seen[feature.name] for feature in manifest.features]


def _csv_rows(rows: Iterable[list[str]], width: int, places: list[int], manifest: Manifest) -> FloatArray:
    columns = [
        (feature, place, _text_reader(feature))
        for feature, place in zip(manifest.features, places, strict=True)
    ]
    faults = Faults()
    read: list[list[float]] = []
    for number, cells in enumerate(rows, start=1):
        if number > ROWS_LIMIT:
            raise refuse(f"has more than {ROWS_LIMIT} rows")
        if len(cells) != width:
            faults.add(("rows", number), f"has {len(cells)} cells; the header has {width}")
            continue
        values = []
        for feature, place, reader in columns:
            try:
                values.append(reader(cells[place]) if cells[place] else missing(feature))
            except ValueError as fault:
                faults.add(("rows", number, feature.name), str(fault))
        read.append(values)
    faults.stop()
    return np.array(read, dtype=np.float64).reshape(len(read), len(places))


def _text_reader(feature: ManifestFeature) -> Callable[[str], float]:
    """Return what reads this feature's cells; ValueError says what is wrong with one."""
    if feature.type == "category":
        return category_reader(feature)
    return {"number": _number, "integer": _integer, "boolean": _boolean}[feature.type]


def category_reader(feature: ManifestFeature) -> Callable[[object], float]:
    """Return what turns a category into its code, its place in the manifest's list."""
    codes: dict[object, float] = {name: float(code) for code, name in enumerate(feature.categories or ())}

    def read(value: object) -> float:
        if value not in codes:
            raise ValueError("is not one of the feature's categories")
        return codes[value]

    return read


def missing(feature: ManifestFeature) -> float:
    """Return NaN for a missing value, if it may be missing."""
    if not feature.nullable:
        raise ValueError("must not be missing")
    return float("nan")


def _number(cell: str) -> float:
    if len(cell) > CELL_LIMIT or not _NUMBER.fullmatch(cell):
        raise ValueError("must be a number")
    return bounded(float(cell))


def bounded(number: float) -> float:
    """Return the number if a model can hold it, without a negative zero."""
    if not abs(number) <= LARGEST_FLOAT32:
        raise ValueError("is too large")
    return number + 0.0


def _integer(cell: str) -> float:
    return whole(_number(cell))


def whole(number: float) -> float:
    """Return the number if it is a whole one that float64 keeps apart from its neighbours."""
    if not number.is_integer():
        raise ValueError("must be a whole number")
    if abs(number) > LARGEST_INTEGER:
        raise ValueError("is beyond the integers that can be told apart (2^53)")
    return number


def _boolean(cell: str) -> float:
    try:
        return _BOOLEANS[cell.lower()]
    except KeyError:
        raise ValueError("must be true or false") from None
