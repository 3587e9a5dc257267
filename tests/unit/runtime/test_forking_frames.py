"""Frames: what is written is read back, in whatever pieces; what is none is refused."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.forking.frames import (
    LARGEST_QUESTION,
    Answer,
    BrokenFrame,
    FrameReader,
    Question,
)

QUESTIONS = st.builds(
    Question,
    st.sampled_from(["job", "prepare"]),
    st.binary(max_size=50),
    st.binary(max_size=200),
    st.one_of(st.just(math.inf), st.floats(0.0, 1e6)),
)
ANSWERS = st.builds(
    Answer,
    st.sampled_from(["finished", "stopped", "unavailable"]),
    st.integers(0, 2**64 - 1),
    st.binary(max_size=200),
)


def _in_pieces(frame: bytes, sizes: list[int]) -> bytes:
    reader = FrameReader(LARGEST_QUESTION)
    for size in [*sizes, len(frame)]:
        piece, frame = frame[:size], frame[size:]
        payload = reader.feed(piece)
        if payload is not None:
            assert not frame
            return payload
        assert reader.wanted > 0
    raise AssertionError("the frame never was complete")


@given(QUESTIONS, st.lists(st.integers(1, 20), max_size=20))
def test_a_question_is_read_back(question: Question, sizes: list[int]) -> None:
    assert Question.from_payload(_in_pieces(question.to_bytes(), sizes)) == question


@given(ANSWERS, st.lists(st.integers(1, 20), max_size=20))
def test_an_answer_is_read_back(answer: Answer, sizes: list[int]) -> None:
    assert Answer.from_payload(_in_pieces(answer.to_bytes(), sizes)) == answer


@given(st.binary(max_size=40))
def test_any_bytes_are_a_question_or_refused(payload: bytes) -> None:
    try:
        question = Question.from_payload(payload)
    except BrokenFrame:
        return
    assert question.seconds >= 0.0


@pytest.mark.parametrize("extra", [b"\xff\xff\xff\xff", b"\x00\x00\x00\x01ab"])
def test_a_length_beyond_the_limit_and_bytes_after_the_frame_are_refused(extra: bytes) -> None:
    with pytest.raises(BrokenFrame):
        FrameReader(1000).feed(extra)


def test_nobody_sends_what_nobody_reads() -> None:
    with pytest.raises(ValueError, match="the most"):
        Question("job", b"", bytes(LARGEST_QUESTION)).to_bytes()
