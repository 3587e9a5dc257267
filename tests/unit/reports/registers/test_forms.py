"""The written forms: what a spreadsheet, a JSON reader and `sha256sum` make of them."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reports.registers.errors import ReportDamaged, ReportTimedOut, ReportTooLarge
from reports.registers.forms.cells import csv_cell, csv_row, json_row, unmarked
from reports.registers.forms.checking import check_file
from reports.registers.forms.writing import closing, opening, write_data
from reports.registers.report import Column, Form, Reading, Report, Row

COLUMNS = (
    Column("number", "integer", "a number"),
    Column("flag", "boolean", "yes or no"),
    Column("name", "text", "any text"),
    Column("at", "time", "a moment"),
    Column("key", "id", "an id"),
    Column("codes", "words", "codes"),
    Column("more", "json", "anything"),
)
TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
WORDS = st.lists(st.from_regex(r"[=+A-Za-z0-9][A-Za-z0-9._-]{0,5}", fullmatch=True), max_size=4)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXTS, inner, max_size=3),
    max_leaves=6,
)
ROWS = st.lists(
    st.fixed_dictionaries(
        {
            "number": st.none() | st.integers(-(2**53), 2**53),
            "flag": st.none() | st.booleans(),
            "name": st.none() | TEXTS.filter(bool),
            "at": st.none() | st.datetimes(timezones=st.just(UTC)),
            "key": st.none() | st.uuids(),
            "codes": WORDS,
            "more": JSON.filter(lambda value: value is not None),
        }
    ),
    max_size=6,
)
# What spreadsheets take for the beginning of a formula, as the well-known list of injections has it.
DANGEROUS = re.compile(r"[=+\-@\t\r\n＝＋－＠]")


def _report() -> Report:
    return Report(
        name="sample",
        number=99,
        title="A sample",
        takes=frozenset(),
        columns=COLUMNS,
        read=lambda _source, _asked: Reading(rows=lambda: iter(())),
    )


def _file(rows: list[Row], form: Form, tmp_path: Path, organisation: str = "=ACME, Inc") -> Path:
    """A whole file as it would be sent."""
    data = io.BytesIO()
    reading = Reading(rows=lambda: iter(rows))
    written = write_data(_report(), reading, form, data, limit_bytes=1 << 30, in_time=lambda: None)
    header = {
        "report": "sample",
        "organisation": organisation,
        "rows": written.rows,
        "sha256": written.sha256,
        "rules": [{"requirement_id": "r", "printed": "a rule (in force)"}],
        "entry_id": "01a00000-0000-7000-8000-000000000001",
    }
    path = tmp_path / f"sample.{form}"
    path.write_bytes(opening(form, _report(), header) + data.getvalue() + closing(form))
    return path


def _data(path: Path) -> bytes:
    """The data part by the rule of the manual: `sed '1,2d;$d'`, or `sed '1,/^# data/d'`."""
    lines = path.read_bytes().split(b"\n")
    if path.suffix == ".json":
        return b"".join(line + b"\n" for line in lines[2:-2])
    first = next(number for number, line in enumerate(lines) if line.startswith(b"# data"))
    return b"\n".join(lines[first + 1 :])


def _records(path: Path) -> Iterator[dict[str, Any]]:
    """Rows of CSV with the values that their columns' types say."""
    types = {column.name: column.type for column in COLUMNS}
    readers = {
        "integer": int,
        "boolean": {"true": True, "false": False}.__getitem__,
        "text": unmarked,
        "words": lambda text: unmarked(text).split(" "),
        "json": lambda text: json.loads(unmarked(text)),
    }
    for record in csv.DictReader(io.StringIO(_data(path).decode(), newline=""), strict=True):
        yield {
            name: ([] if types[name] == "words" else None)
            if text == ""
            else readers.get(types[name], str)(text)
            for name, text in record.items()
        }


@given(ROWS)
def test_csv_read_again_says_what_json_says(tmp_path_factory: Any, rows: list[Row]) -> None:
    folder = tmp_path_factory.mktemp("forms")
    document = json.loads(_file(rows, "json", folder).read_bytes())
    assert document["header"]["rows"] == len(rows) == len(document["rows"])
    assert list(_records(_file(rows, "csv", folder))) == document["rows"]


@given(ROWS)
def test_the_digest_is_that_of_the_data_part(tmp_path_factory: Any, rows: list[Row]) -> None:
    folder = tmp_path_factory.mktemp("forms")
    for form in ("json", "csv"):
        path = _file(rows, form, folder)
        assert hashlib.sha256(_data(path)).hexdigest() == check_file(path).said_sha256
        assert check_file(path).holds


@given(ROWS)
def test_no_cell_begins_as_a_formula_does(tmp_path_factory: Any, rows: list[Row]) -> None:
    """Of the header too; numbers excepted, which are nothing but numbers."""
    path = _file(rows, "csv", tmp_path_factory.mktemp("forms"))
    for record in csv.reader(io.StringIO(path.read_bytes().decode(), newline=""), strict=True):
        for cell in record:
            assert not DANGEROUS.match(cell) or re.fullmatch(r"-\d+", cell), cell


@pytest.mark.parametrize(
    "text", ['=HYPERLINK("x")', "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "＝1", "'=1"]
)
def test_a_text_that_would_be_a_formula_is_marked_and_comes_back(text: str) -> None:
    cell = csv_cell(Column("name", "text", ""), text)
    (read,) = next(csv.reader(io.StringIO(cell, newline="")))
    assert read == "'" + text
    assert unmarked(read) == text


def test_a_number_stays_a_number() -> None:
    assert csv_cell(Column("number", "integer", ""), -12) == "-12"


@pytest.mark.parametrize(
    ("kind", "value"), [("integer", "=1"), ("integer", True), ("id", "=1"), ("time", "=1")]
)
def test_what_is_not_of_its_type_is_never_written(kind: Any, value: object) -> None:
    with pytest.raises(TypeError, match="holds"):
        csv_cell(Column("cell", kind, ""), value)  # type: ignore[arg-type]


def test_a_time_is_written_in_utc_with_six_digits() -> None:
    at = datetime(2026, 11, 20, 1, 15, tzinfo=timezone(timedelta(hours=2)))
    assert csv_cell(Column("at", "time", ""), at) == "2026-11-19T23:15:00.000000Z"
    assert json.loads(json_row((Column("at", "time", ""),), {"at": at})) == {
        "at": "2026-11-19T23:15:00.000000Z"
    }


def test_records_end_as_rfc_4180_says() -> None:
    row = {"number": 1, "name": 'a "quoted"\nline, and more', "key": UUID(int=1)}
    assert csv_row(COLUMNS[:5], row) == (
        b'1,,"a ""quoted""\nline, and more",,00000000-0000-0000-0000-000000000001\r\n'
    )


def _damaged(path: Path, change: Any) -> Path:
    path.write_bytes(change(path.read_bytes()))
    return path


@pytest.mark.parametrize("form", ["json", "csv"])
def test_a_changed_value_is_found(form: Form, tmp_path: Path) -> None:
    rows: list[Row] = [{"number": number, "name": "n"} for number in range(3)]
    path = _damaged(_file(rows, form, tmp_path), lambda data: data.replace(b'"n"', b'"m"', 1))
    found = check_file(path)
    assert not found.holds
    assert found.rows == found.said_rows == 3


@pytest.mark.parametrize("form", ["json", "csv"])
def test_a_row_that_is_gone_is_found(form: Form, tmp_path: Path) -> None:
    rows: list[Row] = [{"number": number, "name": "n"} for number in range(3)]
    path = _file(rows, form, tmp_path)
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join(line for line in lines if b"1" not in line[:12] or line.startswith(b"#")))
    assert check_file(path).rows == 2
    assert not check_file(path).holds


def test_what_is_cut_off_or_no_report_is_refused(tmp_path: Path) -> None:
    rows: list[Row] = [{"name": "n"}]
    with pytest.raises(ReportDamaged, match="ends before"):
        check_file(_damaged(_file(rows, "json", tmp_path), lambda data: data[:-4]))
    with pytest.raises(ReportDamaged, match="ends before"):
        check_file(_damaged(_file(rows, "csv", tmp_path), lambda data: data[: data.rindex(b'"')]))
    for content in (b"", b"{}", b'{"header":{', b"# report,x\r\n", b'{"header":{}}\n', b"# report,\xff\r\n"):
        with pytest.raises(ReportDamaged):
            check_file(_damaged(_file(rows, "json", tmp_path), lambda _, content=content: content))


def test_what_grows_too_large_or_takes_too_long_is_given_up() -> None:
    def endless() -> Iterator[Row]:
        while True:
            yield {"name": "x" * 1000}

    reading = Reading(rows=endless)
    with pytest.raises(ReportTooLarge):
        write_data(_report(), reading, "csv", io.BytesIO(), limit_bytes=1 << 20, in_time=lambda: None)

    def late() -> None:
        raise ReportTimedOut

    with pytest.raises(ReportTimedOut):
        write_data(_report(), reading, "json", io.BytesIO(), limit_bytes=1 << 40, in_time=late)
