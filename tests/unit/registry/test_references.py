"""Reference populations: CSV and Parquet by name, strictly typed, faults by row and column."""

from __future__ import annotations

import io
import math
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml

from registry import cells, references
from registry.errors import ReferenceInvalid
from registry.references import read_reference
from schemas.manifest import Manifest

DOCS = Path(__file__).resolve().parents[3] / "docs"
DOCUMENT: dict[str, Any] = yaml.safe_load((DOCS / "manifest.example.yaml").read_text("utf-8"))
DOCUMENT["features"].append({"name": "own_home", "type": "boolean", "nullable": True})
DOCUMENT["factors"][2]["features"].append("own_home")
MANIFEST = Manifest.model_validate(DOCUMENT)
HEADER = "income,debt_ratio,property_type,age,own_home\n"


def refused(data: bytes, content_type: str | None = None) -> dict[str, str]:
    with pytest.raises(ReferenceInvalid) as caught:
        read_reference(data, content_type, MANIFEST)
    return {error.pointer: error.detail for error in caught.value.errors}


def test_rows_come_in_the_manifests_order_whatever_the_files() -> None:
    data = b"age,own_home,property_type,debt_ratio,income\n44,true,condo,30.5,5\n31,,,1e1,-0\n"
    rows = read_reference(data, "text/csv", MANIFEST)
    expected = [[5, 30.5, 2, 44, 1], [0, 10, math.nan, 31, math.nan]]
    np.testing.assert_array_equal(rows, np.array(expected))
    assert rows.dtype == np.float64
    assert math.copysign(1, rows[1, 0]) == 1


def test_quotes_line_ends_and_byte_order_marks_are_no_matter() -> None:
    data = "\ufeff" + HEADER.replace("\n", "\r\n") + '"5","30","single","44","false"\r\n'
    np.testing.assert_array_equal(read_reference(data.encode(), None, MANIFEST), [[5, 30, 0, 44, 0]])


@pytest.mark.parametrize(
    ("row", "pointer", "detail"),
    [
        ("x,1,single,1,", "/rows/1/income", "must be a number"),
        ("NaN,1,single,1,", "/rows/1/income", "must be a number"),
        ("inf,1,single,1,", "/rows/1/income", "must be a number"),
        ("-Infinity,1,single,1,", "/rows/1/income", "must be a number"),
        ("1e400,1,single,1,", "/rows/1/income", "too large"),
        ("3.5e38,1,single,1,", "/rows/1/income", "too large"),
        ("0x10,1,single,1,", "/rows/1/income", "must be a number"),
        ("1_000,1,single,1,", "/rows/1/income", "must be a number"),
        (" 5,1,single,1,", "/rows/1/income", "must be a number"),
        ("٥,1,single,1,", "/rows/1/income", "must be a number"),
        (",1,single,1,", "/rows/1/income", "must not be missing"),
        ("1,1,single,,", "/rows/1/age", "must not be missing"),
        ("1,1,single,1.5,", "/rows/1/age", "must be a whole number"),
        ("1,1,single,1e17,", "/rows/1/age", "2^53"),
        ("1,1,Single,1,", "/rows/1/property_type", "not one of the feature's categories"),
        ("1,1,2,1,", "/rows/1/property_type", "not one of the feature's categories"),
        ("1,1,single,1,yes", "/rows/1/own_home", "must be true or false"),
        ("1,1,single,1", "/rows/1", "has 4 cells; the header has 5"),
        ("1,1,single,1,,", "/rows/1", "has 6 cells"),
    ],
)
def test_a_cell_is_refused_by_row_and_column(row: str, pointer: str, detail: str) -> None:
    found = refused((HEADER + row + "\n").encode())
    assert list(found) == [pointer]
    assert detail in found[pointer]


@pytest.mark.parametrize(
    ("header", "pointer", "detail"),
    [
        ("income,debt_ratio,property_type,age", "/columns/own_home", "is missing"),
        (HEADER.strip() + ",race", "/columns/race", "is not a feature"),
        (HEADER.strip() + ",age", "/columns/age", "given twice"),
        (HEADER.strip() + ",", "/columns/", "is not a feature"),
    ],
)
def test_columns_go_by_name(header: str, pointer: str, detail: str) -> None:
    found = refused((header + "\n1,1,single,1,\n").encode())
    assert list(found) == [pointer]
    assert detail in found[pointer]


def test_documents_that_are_no_reference() -> None:
    assert "empty" in refused(b"")[""]
    assert "no rows" in refused(HEADER.encode())[""]
    assert "UTF-8" in refused(b"\xff\xfe\x00")[""]
    assert "zero byte" in refused(HEADER.encode() + b"1,1,\x00,1,\n")[""]
    assert "not CSV" in refused((HEADER + '1,1,"single,1,\n').encode())[""]
    assert "not CSV" in refused((HEADER + '1,1,"single"x,1,\n').encode())[""]


def test_faults_are_told_together_up_to_a_number_worth_reading() -> None:
    assert len(refused((HEADER + "x,y,z,w,v\n" * 2).encode())) == 10
    assert len(refused((HEADER + "x,y,z,w,v\n" * 100).encode())) == cells.SHOWN_ERRORS


def test_limits_on_bytes_and_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(references, "ROWS_LIMIT", 2)
    assert "more than 2 rows" in refused((HEADER + "1,1,single,1,\n" * 3).encode())[""]
    monkeypatch.setattr(references, "BYTES_LIMIT", 100)
    assert "larger than 100" in refused(b"x" * 101)[""]


COLUMNS: dict[str, Any] = {
    "own_home": pa.array([True, None]),
    "age": pa.array([44, 31], pa.int32()),
    "income": pa.array([5.0, -0.0]),
    "property_type": pa.array(["condo", None]).dictionary_encode(),
    "debt_ratio": pa.array([30, 10], pa.int64()),
}


def parquet(**changes: Any) -> bytes:
    out = io.BytesIO()
    columns = {name: column for name, column in {**COLUMNS, **changes}.items() if column is not None}
    pq.write_table(pa.table(columns), out)
    return out.getvalue()


def told(value: object) -> str:
    """What is changed, by its values; the same in every process, where an array tells its address."""
    if not isinstance(value, dict):
        return str(value)
    return " ".join(f"{name}={column and column.to_pylist()}" for name, column in value.items())


def test_parquet_gives_the_same_rows_as_csv() -> None:
    text = HEADER + "5,30,condo,44,true\n0,10,,31,\n"
    np.testing.assert_array_equal(
        read_reference(parquet(), "application/vnd.apache.parquet", MANIFEST),
        read_reference(text.encode(), "text/csv", MANIFEST),
    )


@pytest.mark.parametrize(
    ("change", "pointer", "detail"),
    [
        ({"income": pa.array([1.0, None])}, "/rows/2/income", "must not be missing"),
        ({"income": pa.array([1.0, math.nan])}, "/rows/2/income", "must be a finite number"),
        ({"income": pa.array([math.inf, 1.0])}, "/rows/1/income", "must be a finite number"),
        ({"income": pa.array([1e39, 1.0])}, "/rows/1/income", "too large"),
        ({"income": pa.array(["1", "2"])}, "/columns/income", "which is no number"),
        ({"income": pa.array([True, False])}, "/columns/income", "which is no number"),
        ({"age": pa.array([1.5, 2.0])}, "/rows/1/age", "whole number"),
        ({"property_type": pa.array(["condo", "hut"])}, "/rows/2/property_type", "categories"),
        ({"property_type": pa.array([0, 1])}, "/columns/property_type", "which is no category"),
        ({"own_home": pa.array([1, 0])}, "/columns/own_home", "which is no boolean"),
        ({"own_home": None}, "/columns/own_home", "is missing"),
        ({"race": pa.array(["a", "b"])}, "/columns/race", "is not a feature"),
        ({"income": pa.array([[1.0], [2.0]])}, "/columns/income", "which is no number"),
    ],
    ids=told,
)
def test_parquet_is_refused_by_row_and_column(change: dict[str, Any], pointer: str, detail: str) -> None:
    found = refused(parquet(**change))
    assert list(found) == [pointer]
    assert detail in found[pointer]


def test_damaged_parquet_is_refused() -> None:
    whole = parquet()
    assert "not readable Parquet" in refused(whole[: len(whole) // 2])[""]
    assert "not readable Parquet" in refused(b"PAR1")[""]
    assert "not readable Parquet" in refused(b"income\n1\n", "application/vnd.apache.parquet")[""]
    empty = {name: column.slice(0, 0) for name, column in COLUMNS.items()}
    assert "no rows" in refused(parquet(**empty))[""]
