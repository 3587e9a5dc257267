"""The frames on the socket: a length of four bytes (big endian), then what is asked or answered.

What is asked: one byte of kind, the seconds that it may take (infinite: no deadline), the key of whatever has
to be loaded first with its length, and the job's own bytes. What is answered: one byte of state, how far the
job came, and its result.
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from typing import Literal

LARGEST_QUESTION = 4 << 20
LARGEST_ANSWER = 16 << 20

Kind = Literal["job", "prepare"]
State = Literal["finished", "stopped", "unavailable"]

_LENGTH = struct.Struct("!I")
_QUESTION = struct.Struct("!cdH")
_ANSWER = struct.Struct("!cQ")
_KINDS: dict[bytes, Kind] = {b"J": "job", b"P": "prepare"}
_STATES: dict[bytes, State] = {b"F": "finished", b"S": "stopped", b"U": "unavailable"}
_KIND_BYTES = {kind: byte for byte, kind in _KINDS.items()}
_STATE_BYTES = {state: byte for byte, state in _STATES.items()}


class BrokenFrame(Exception):
    """What came is no frame of ours."""


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked: a job to do within some seconds, or only that what it needs be loaded."""

    kind: Kind
    key: bytes
    body: bytes = b""
    seconds: float = math.inf

    def to_bytes(self) -> bytes:
        """Return the whole frame; ValueError if it is larger than anybody reads."""
        head = _QUESTION.pack(_KIND_BYTES[self.kind], self.seconds, len(self.key))
        return framed(head + self.key + self.body, LARGEST_QUESTION)

    @classmethod
    def from_payload(cls, payload: bytes) -> Question:
        """Read what a frame held; BrokenFrame if it is none."""
        if len(payload) < _QUESTION.size:
            raise BrokenFrame
        byte, seconds, length = _QUESTION.unpack_from(payload)
        rest = payload[_QUESTION.size :]
        kind = _KINDS.get(byte)
        if kind is None or not seconds >= 0.0 or len(rest) < length:
            raise BrokenFrame
        return cls(kind, rest[:length], rest[length:], seconds)


@dataclass(frozen=True, slots=True)
class Answer:
    """How a job ended, how far it said it had come, and its result if it finished."""

    state: State
    progress: int = 0
    body: bytes = b""

    def to_bytes(self) -> bytes:
        """Return the whole frame; ValueError if it is larger than anybody reads."""
        return framed(_ANSWER.pack(_STATE_BYTES[self.state], self.progress) + self.body, LARGEST_ANSWER)

    @classmethod
    def from_payload(cls, payload: bytes) -> Answer:
        """Read what a frame held; BrokenFrame if it is none."""
        if len(payload) < _ANSWER.size:
            raise BrokenFrame
        byte, progress = _ANSWER.unpack_from(payload)
        state = _STATES.get(byte)
        if state is None:
            raise BrokenFrame
        return cls(state, progress, payload[_ANSWER.size :])


def framed(payload: bytes, limit: int) -> bytes:
    """Put the length before the bytes; ValueError beyond the limit."""
    if len(payload) > limit:
        raise ValueError(f"a frame of {len(payload)} bytes; {limit} are the most")
    return _LENGTH.pack(len(payload)) + payload


class FrameReader:
    """Collects one frame from pieces as they arrive."""

    def __init__(self, limit: int) -> None:
        """Say how long a frame may be."""
        self._limit = limit
        self._held = bytearray()

    @property
    def wanted(self) -> int:
        """How many bytes are missing, as far as is known; 0 when the frame is complete."""
        if len(self._held) < _LENGTH.size:
            return _LENGTH.size - len(self._held)
        (length,) = _LENGTH.unpack_from(self._held)
        return int(_LENGTH.size + length - len(self._held))

    def feed(self, piece: bytes) -> bytes | None:
        """Add a piece; return the frame's payload once it is complete.

        BrokenFrame for a length beyond the limit, which is refused before anything of it is kept, and for
        bytes after the frame.
        """
        self._held += piece
        if len(self._held) < _LENGTH.size:
            return None
        (length,) = _LENGTH.unpack_from(self._held)
        missing = self.wanted
        if length > self._limit or missing < 0:
            raise BrokenFrame
        return None if missing else bytes(self._held[_LENGTH.size :])
