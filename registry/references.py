"""Uploaded reference populations: CSV or Parquet to a float64 matrix in the manifest's order.

Columns go by name, in any order; a column too many or too few is refused by name. An empty cell is a missing
value and allowed only where the feature is nullable. Every cell is typed as strictly as a request's features;
errors carry the data row, counted from 1, and the column.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterable

import numpy as np

from registry.cells import (
    BYTES_LIMIT,
    CELL_LIMIT,
    ROWS_LIMIT,
    Faults,
    FloatArray,
    bounded,
    category_reader,
    column_places,
    missing,
    refuse,
    whole,
)
from schemas.manifest import Manifest
from schemas.manifest_sections import ManifestFeature

PARQUET_MAGIC = b"PAR1"

_NUMBER = re.compile(r"[-+]?(\d+(\.\d*)?|\.\d+)([eE][-+]?\d+)?", re.ASCII)
_BOOLEANS = {"true": 1.0, "false": 0.0, "1": 1.0, "0": 0.0}


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


def _number(cell: str) -> float:
    if len(cell) > CELL_LIMIT or not _NUMBER.fullmatch(cell):
        raise ValueError("must be a number")
    return bounded(float(cell))


def _integer(cell: str) -> float:
    return whole(_number(cell))


def _boolean(cell: str) -> float:
    try:
        return _BOOLEANS[cell.lower()]
    except KeyError:
        raise ValueError("must be true or false") from None
