"""Frames and refusals come back as they were sent, and anything else is refused."""

from __future__ import annotations

import inspect
import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

import explain.errors
from explain.errors import (
    AttributionUnreconciled,
    ConstraintError,
    ExplainError,
    InvalidFeatures,
    InvalidNarrowing,
    ManifestContradiction,
    ModelCorrupt,
    ModelUnsupported,
    ReasonUnmapped,
    ReferenceTooSmall,
    TablesChanged,
    TargetReached,
)
from registry.errors import ReferenceContradiction, ReferenceInvalid
from registry.frames import TRAVELLING, Garbled, pack, read_error, read_head, unpack, write_error
from schemas.problem import PointedError

FAULTS = [PointedError(pointer="/rows/3/income", detail="must be a number")]
ERRORS = [
    ModelUnsupported("dart with “quotes”\n"),
    ModelCorrupt("a node is reached twice"),
    ManifestContradiction("feature 'x'"),
    ReferenceTooSmall("29 rows"),
    ConstraintError("step of zero"),
    AttributionUnreconciled(0.1, math.nan, math.inf),
    ReferenceInvalid(FAULTS),
    ReferenceContradiction(FAULTS),
]


@given(st.lists(st.binary()))
def test_frames_come_back(frames: list[bytes]) -> None:
    assert unpack(b"".join(pack(frames))) == frames


@given(st.lists(st.binary(min_size=1), min_size=1), st.data())
def test_frames_that_are_cut_off_are_refused(frames: list[bytes], data: st.DataObject) -> None:
    whole = b"".join(pack(frames))
    ends = {len(b"".join(pack(frames[:count]))) for count in range(len(frames) + 1)}
    at = data.draw(st.integers(0, len(whole) - 1).filter(lambda at: at not in ends))
    with pytest.raises(Garbled):
        unpack(whole[:at])


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_a_refusal_comes_back_as_itself(error: Exception) -> None:
    back = read_error(read_head(write_error(error)))
    assert type(back) is type(error)
    assert str(back) == str(error)
    assert {name: str(value) for name, value in vars(back).items()} == {
        name: str(value) for name, value in vars(error).items()
    }


def test_every_refusal_of_a_registration_can_travel() -> None:
    assert {type(error) for error in ERRORS} == set(TRAVELLING)
    named = {
        kind
        for _, kind in inspect.getmembers(explain.errors, inspect.isclass)
        if issubclass(kind, ExplainError)
    }
    # Four are about one decision, one about the files of a process that serves; the base class nobody raises.
    of_decisions = {InvalidFeatures, InvalidNarrowing, TargetReached, ReasonUnmapped}
    assert named - set(TRAVELLING) == {ExplainError, *of_decisions, TablesChanged}


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"[]",
        b"\xff",
        b"[" * 100_000,
        json.dumps({"error": "SystemExit", "made_of": "0"}).encode(),
        json.dumps({"error": "AttributionUnreconciled", "made_of": ["0x1p0"]}).encode(),
        json.dumps({"error": "AttributionUnreconciled", "made_of": 3}).encode(),
        json.dumps({"error": "ReferenceInvalid", "made_of": [["/a"]]}).encode(),
        json.dumps({"error": "ReferenceInvalid", "made_of": [[1, 2]]}).encode(),
    ],
)
def test_anything_else_is_garbled(head: bytes) -> None:
    with pytest.raises(Garbled):
        read_error(read_head(head))
