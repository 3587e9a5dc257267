"""The capability matrix: what is explained exactly and what is refused, by family and library version.

`capabilities.json` beside this file is written by the conformance tests, which train every construct with the
installed library and compare its explanation with enumeration (`make capabilities`).
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Literal

from explain.features import FloatWidth

RECORD = Path(__file__).with_name("capabilities.json")

Shape = Literal["trees", "linear"]


@dataclass(frozen=True, slots=True)
class Exact:
    """A construct that is explained exactly: its form, its outputs, the widths it reads and adds in."""

    name: str
    form: Shape
    outputs: int
    input_width: FloatWidth
    float_width: FloatWidth


@dataclass(frozen=True, slots=True)
class Refusal:
    """A construct that is refused, and the words in which it is."""

    name: str
    words: str


@dataclass(frozen=True, slots=True)
class Library:
    """What was found with one version of one family's library."""

    family: str
    version: str
    exact: tuple[Exact, ...]
    refused: tuple[Refusal, ...]


@cache
def capabilities() -> tuple[Library, ...]:
    """Return the matrix, by family and version, ascending."""
    return read_capabilities(RECORD.read_bytes())


def versions_tested(family: str) -> tuple[str, ...]:
    """Return the versions of a family's library that the matrix was found with."""
    return tuple(tested.version for tested in capabilities() if tested.family == family)


def read_capabilities(record: bytes) -> tuple[Library, ...]:
    """Read the matrix from its record."""
    return tuple(
        Library(
            family=entry["family"],
            version=entry["version"],
            exact=tuple(Exact(*row) for row in entry["exact"]),
            refused=tuple(Refusal(*row) for row in entry["refused"]),
        )
        for entry in json.loads(record)
    )
