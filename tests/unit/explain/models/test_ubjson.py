"""The UBJSON reader against hand-written bytes of the specification, and against XGBoost's JSON."""

from __future__ import annotations

import struct

import numpy as np
import pytest

from explain.errors import ModelCorrupt
from explain.models.document import read_document
from explain.models.ubjson import read_ubjson
from tests.oracles.boosters import train


@pytest.mark.parametrize(
    ("data", "value"),
    [
        (b"Z", None),
        (b"T", True),
        (b"F", False),
        (b"i\xff", -1),
        (b"U\xff", 255),
        (b"I\x01\x00", 256),
        (b"l\x00\x01\x00\x00", 65536),
        (b"L" + struct.pack(">q", -(2**40)), -(2**40)),
        (b"d" + struct.pack(">f", 0.5), 0.5),
        (b"D" + struct.pack(">d", 0.1), 0.1),
        (b"Si\x05hello", "hello"),
        (b"[i\x01i\x02]", [1, 2]),
        (b"[#i\x02i\x01Z", [1, None]),
        (b"{i\x01aTi\x01b{}}", {"a": True, "b": {}}),
    ],
)
def test_values_of_the_specification(data: bytes, value: object) -> None:
    assert read_ubjson(data) == value


def test_typed_arrays_are_vectors() -> None:
    vector = read_ubjson(b"[$d#i\x02" + struct.pack(">2f", 1.5, -2.0))
    assert isinstance(vector, np.ndarray)
    assert vector.tolist() == [1.5, -2.0]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"N",
        b"X",
        b"i",
        b"Si\x05hell",
        b"Si\xff",
        b"S",
        b"Si\x01\xff",
        b"[i\x01",
        b"[$d#i\x02\x00\x00",
        b"[$S#i\x01i\x01a",
        b"[$di\x01",
        b"[#L" + struct.pack(">q", 2**62),
        b"{i\x01aT",
        b"{i\x01aTi\x01aF}",
        b"{SaT}",
        b"TT",
    ],
)
def test_broken_bytes_are_named(data: bytes) -> None:
    with pytest.raises(ModelCorrupt):
        read_ubjson(data)


def plain(value: object) -> object:
    """Turn vectors to lists, and numbers to the 32 bits that both spellings keep."""
    if isinstance(value, np.ndarray):
        return plain(value.tolist())
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    return float(np.float32(value)) if isinstance(value, int | float) else value


def test_both_spellings_of_a_booster_are_one_document() -> None:
    trained = train(("q", "c", "q"), max_cat_to_onehot=1)
    assert plain(read_document(trained.artifact("ubj"))) == plain(read_document(trained.artifact("json")))
