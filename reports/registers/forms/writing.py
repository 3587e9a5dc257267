"""Writing a report: its data part first, then the header that says how many rows and bytes of which digest.

The data part is what the digest covers. In JSON these are the lines between `"rows":[` and the closing `]}`;
in CSV everything after the record that begins with `# data`, the line of column names included.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import BinaryIO

import orjson

from audit.canonical import JsonValue
from reports.registers.errors import ReportTooLarge
from reports.registers.forms.cells import csv_row, json_row, quoted
from reports.registers.report import Block, Form, Reading, Report

ROWS_IN_BLOCK = 256
MEDIA_TYPES: Mapping[Form, str] = {"json": "application/json", "csv": "text/csv; charset=utf-8"}
DATA_MARK = "# data"
_AFTER = "the digest covers every byte after this line"

Header = Mapping[str, JsonValue]


@dataclass(frozen=True, slots=True)
class Written:
    """A data part that is written: its rows, its bytes, and the digest of those, in hexadecimal."""

    rows: int
    size: int
    sha256: str


def write_data(
    report: Report,
    reading: Reading,
    form: Form,
    file: BinaryIO,
    *,
    limit_bytes: int,
    in_time: Callable[[], None],
) -> Written:
    """Write the data part, a block at a time; `in_time` raises when it has taken too long."""
    digest = hashlib.sha256()
    rows = size = 0

    def put(data: bytes) -> None:
        nonlocal size
        size += len(data)
        if size > limit_bytes:
            raise ReportTooLarge
        digest.update(data)
        file.write(data)

    if form == "csv":
        put(",".join(column.name for column in report.columns).encode() + b"\r\n")
    for count, lines in _blocks(report, reading, form):
        in_time()
        if form == "json" and rows:
            put(b",\n")
        put(lines)
        rows += count
    if form == "json" and rows:
        put(b"\n")
    return Written(rows, size, digest.hexdigest())


def opening(form: Form, report: Report, header: Header) -> bytes:
    """Return what stands before the data part."""
    if form == "json":
        return b'{"header":' + orjson.dumps(header) + b',\n"rows":[\n'
    return "".join(_records(report, header)).encode()


def closing(form: Form) -> bytes:
    """Return what stands after the data part."""
    return b"]}\n" if form == "json" else b""


def _blocks(report: Report, reading: Reading, form: Form) -> Iterator[Block]:
    if reading.lines is not None:
        yield from reading.lines(form)
        return
    write, between = (json_row, b",\n") if form == "json" else (csv_row, b"")
    waiting: list[bytes] = []
    for row in reading.rows():
        waiting.append(write(report.columns, row))
        if len(waiting) == ROWS_IN_BLOCK:
            yield len(waiting), between.join(waiting)
            waiting = []
    if waiting:
        yield len(waiting), between.join(waiting)


def _records(report: Report, header: Header) -> Iterator[str]:
    """The header as records of two cells, each beginning with `# `; columns and rules have one each."""
    for name, value in header.items():
        if name in ("columns", "rules"):
            continue
        text = value if isinstance(value, str) else orjson.dumps(value).decode()
        yield f"# {name},{quoted(text)}\r\n"
    for rule in _listed(header, "rules"):
        yield f"# rule {rule['requirement_id']},{quoted(str(rule['printed']))}\r\n"
    for column in report.columns:
        yield f"# column {column.name},{quoted(f'{column.type}: {column.meaning}')}\r\n"
    yield f"{DATA_MARK},{quoted(_AFTER)}\r\n"


def _listed(header: Header, name: str) -> list[Mapping[str, JsonValue]]:
    found = header.get(name)
    return [one for one in found if isinstance(one, Mapping)] if isinstance(found, list) else []
