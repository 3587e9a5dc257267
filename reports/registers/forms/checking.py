"""Checking a file again: does its data part have the rows and the digest that its header says?"""

from __future__ import annotations

import csv
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

import orjson

from reports.registers.errors import ReportDamaged
from reports.registers.forms.cells import unmarked
from reports.registers.forms.writing import DATA_MARK

_HEAD_LIMIT = 4 << 20  # longer than any header


@dataclass(frozen=True, slots=True)
class Checked:
    """What a file says of itself, and what it is. `entry_id` is the log's entry about the pull."""

    report: str
    entry_id: str
    said_rows: int
    said_sha256: str
    rows: int
    sha256: str

    @property
    def holds(self) -> bool:
        """Tell whether the data are those that the header speaks of."""
        return (self.said_rows, self.said_sha256) == (self.rows, self.sha256)


def check_file(path: Path) -> Checked:
    """Digest and count the data part again; raise `ReportDamaged` for what is no report at all."""
    with path.open("rb") as file:
        first = file.readline(_HEAD_LIMIT)
        if first.startswith(b'{"header":'):
            return _check_json(first, file)
        if first.startswith(b"# report,"):
            return _check_csv(first, file)
    raise ReportDamaged


def _check_json(first: bytes, file: BinaryIO) -> Checked:
    try:
        header = orjson.loads(first.rstrip(b"\n,") + b"}")["header"]
    except (orjson.JSONDecodeError, KeyError, TypeError):
        raise ReportDamaged from None
    if file.readline() != b'"rows":[\n':
        raise ReportDamaged
    digest, rows, last = hashlib.sha256(), -1, b""
    for line in file:
        digest.update(last)
        rows, last = rows + 1, line
    if last != b"]}\n":
        raise ReportDamaged("This file ends before the report does.")
    return _checked(header, rows, digest.hexdigest())


def _check_csv(first: bytes, file: BinaryIO) -> Checked:
    header: dict[str, str] = {}
    line = first
    while not line.startswith(DATA_MARK.encode()):
        try:
            ((name, value),) = csv.reader([line.decode()], strict=True)
        except (ValueError, csv.Error):
            raise ReportDamaged from None
        header[name.removeprefix("# ")] = unmarked(value)
        line = file.readline(_HEAD_LIMIT)
        if not line.startswith(b"# "):
            raise ReportDamaged
    digest, records, inside = hashlib.sha256(), 0, False
    for data in file:
        digest.update(data)
        inside ^= bool(data.count(b'"') % 2)  # a doubled quote changes nothing
        records += not inside
    if inside:
        raise ReportDamaged("This file ends before the report does.")
    return _checked(header, records - 1, digest.hexdigest())


def _checked(header: dict[str, str], rows: int, sha256: str) -> Checked:
    try:
        said = int(header["rows"])
        return Checked(header["report"], header["entry_id"], said, header["sha256"], rows, sha256)
    except (KeyError, TypeError, ValueError):
        raise ReportDamaged from None
