"""Cells: what a value becomes in JSON and in CSV.

In CSV a cell that is text is always in quotes. Spreadsheets take a text that begins with `=`, `+`, `-`, `@`,
a tab or a line break for a formula or strip it down to one, so an apostrophe comes before it, and before a
text that begins with an apostrophe itself: whoever takes one leading apostrophe away has the value again.
Numbers, ids, times and booleans are written by their type and can be nothing else, so they stay as they are.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Final
from uuid import UUID

import orjson

from records.decisions import RISKY
from reports.registers.report import Cell, Column, ColumnType, Row
from schemas.base import format_moment

MARK: Final = "'"
BARE: Final[frozenset[ColumnType]] = frozenset({"integer", "boolean", "time", "id"})
_RISKY: Final = tuple(RISKY)


def json_value(cell: Cell) -> object:
    """Return a cell as JSON has it: a time is text with six digits and `Z`, an id is text."""
    if isinstance(cell, datetime):
        return format_moment(cell)
    if isinstance(cell, UUID):
        return str(cell)
    if isinstance(cell, Mapping):
        return {name: json_value(value) for name, value in cell.items()}  # type: ignore[arg-type]
    if isinstance(cell, list | tuple):
        return [json_value(value) for value in cell]
    return cell


def json_row(columns: tuple[Column, ...], row: Row) -> bytes:
    """Return a row as one JSON object, its members in the order of the columns."""
    return orjson.dumps({column.name: json_value(row.get(column.name)) for column in columns})


def csv_row(columns: tuple[Column, ...], row: Row) -> bytes:
    """Return a row as one record of RFC 4180."""
    return (",".join(csv_cell(column, row.get(column.name)) for column in columns) + "\r\n").encode()


def csv_cell(column: Column, cell: Cell) -> str:
    """Return a cell as RFC 4180 has it; null is nothing at all."""
    if cell is None or (column.type == "words" and not cell):
        return ""
    if column.type in BARE:
        return _bare(column, cell)
    if column.type == "json":
        return quoted(orjson.dumps(json_value(cell)).decode())
    if column.type == "words" and isinstance(cell, list | tuple):
        return quoted(" ".join(map(str, cell)))
    return quoted(str(cell))


def quoted(text: str) -> str:
    """Return a text in quotes, marked where a spreadsheet would not take it for text."""
    marked = MARK + text if text.startswith(_RISKY) else text
    return '"' + marked.replace('"', '""') + '"'


def unmarked(text: str) -> str:
    """Return the text that was marked; what a reader of CSV does with every cell of text."""
    return text.removeprefix(MARK)


def _bare(column: Column, cell: Cell) -> str:
    """Written by its type: what is of another type is a fault of ours and never reaches a file."""
    match column.type, cell:
        case "boolean", bool():
            return "true" if cell else "false"
        case "integer", int() if not isinstance(cell, bool):
            return str(cell)
        case "id", UUID():
            return str(cell)
        case "time", datetime():
            return format_moment(cell)
    raise TypeError(f"column {column.name} holds {column.type}, not {type(cell).__name__}")
