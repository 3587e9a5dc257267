"""The one door to pyarrow: Parquet files as reference populations."""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Iterator

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from registry.cells import (
    BYTES_LIMIT,
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


def read_parquet(data: bytes, manifest: Manifest) -> FloatArray:
    """Read a Parquet file, shape (n, features) in the manifest's order; raises ReferenceInvalid."""
    table = _table(data, manifest)
    faults = Faults()
    columns = [_column(table.column(feature.name), feature, faults) for feature in manifest.features]
    faults.stop()
    return np.array(columns, dtype=np.float64).T.copy().reshape(table.num_rows, len(columns))


def _table(data: bytes, manifest: Manifest) -> pa.Table:
    """Open the file after its own account of its size has been checked."""
    try:
        # A category is kept as its dictionary: a long text repeated in every row is then held once.
        texts = [feature.name for feature in manifest.features if feature.type == "category"]
        file = pq.ParquetFile(io.BytesIO(data), memory_map=False, read_dictionary=texts)
        meta = file.metadata
        if meta.num_rows > ROWS_LIMIT:
            raise refuse(f"has more than {ROWS_LIMIT} rows")
        groups = (meta.row_group(index).total_byte_size for index in range(meta.num_row_groups))
        if sum(groups) > 4 * BYTES_LIMIT:
            raise refuse("is too large when unpacked")
        column_places(file.schema_arrow.names, manifest)
        return file.read(use_threads=False)
    except (pa.ArrowException, OSError, ValueError) as error:
        raise refuse(f"is not readable Parquet: {error}"[:300]) from error


def _column(column: pa.ChunkedArray, feature: ManifestFeature, faults: Faults) -> list[float]:
    """Read one column cell by cell, as strictly as CSV."""
    kind = column.type
    if pa.types.is_dictionary(kind):
        kind = kind.value_type
    if not _fits(kind, feature.type):
        faults.add(("columns", feature.name), f"has the type {kind}, which is no {feature.type}")
        return []
    reader = _reader(feature)
    values: list[float] = []
    for number, value in enumerate(_cells(column, feature), start=1):
        try:
            values.append(missing(feature) if value is None else reader(value))
        except ValueError as fault:
            faults.add(("rows", number, feature.name), str(fault))
    return values


def _cells(column: pa.ChunkedArray, feature: ManifestFeature) -> Iterator[object]:
    """Return the cells of a column; the cells of one category share one text."""
    if feature.type != "category":
        yield from column.to_pylist()
        return
    for chunk in column.chunks:
        encoded = chunk if pa.types.is_dictionary(chunk.type) else chunk.dictionary_encode()
        texts = encoded.dictionary.to_pylist()
        yield from (None if code is None else texts[code] for code in encoded.indices.to_pylist())


def _fits(kind: pa.DataType, declared: str) -> bool:
    if pa.types.is_null(kind):
        return True
    if declared == "category":
        return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))
    if declared == "boolean":
        return bool(pa.types.is_boolean(kind))
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind))


def _reader(feature: ManifestFeature) -> Callable[[object], float]:
    if feature.type == "category":
        return category_reader(feature)
    if feature.type == "boolean":
        return lambda value: float(value is True)
    return _whole if feature.type == "integer" else _number


def _number(value: object) -> float:
    number = float(value) if isinstance(value, int | float) else math.nan
    if not math.isfinite(number):
        raise ValueError("must be a finite number; leave a missing value null")
    return bounded(number)


def _whole(value: object) -> float:
    return whole(_number(value))
