"""Asking the server of forked jobs: one connection per job, and hanging up ends the job.

Whatever goes wrong with the server is an answer, never an exception: who asks goes on without it.
"""

from __future__ import annotations

import asyncio
import math
import socket
import time
from pathlib import Path

from runtime.forking.frames import LARGEST_ANSWER, Answer, BrokenFrame, FrameReader, Question

GRACE_SECONDS = 0.006
"""How long after the deadline the server may still say how far the job had come."""

UNAVAILABLE = Answer("unavailable")
STOPPED = Answer("stopped")

_PIECE = 1 << 18
_PREPARING_SECONDS = 0.05


async def ask(path: Path, question: Question) -> Answer:
    """Have a job done; returns at the latest a few milliseconds after its seconds have passed."""
    waits = None if math.isinf(question.seconds) else question.seconds + GRACE_SECONDS
    try:
        async with asyncio.timeout(waits):
            return await _answer(path, question)
    except TimeoutError:
        return STOPPED
    except (OSError, BrokenFrame, ValueError):
        return UNAVAILABLE


async def _answer(path: Path, question: Question) -> Answer:
    reader, writer = await asyncio.open_unix_connection(path)
    try:
        writer.write(question.to_bytes())
        await writer.drain()
        frame = FrameReader(LARGEST_ANSWER)
        while piece := await reader.read(min(frame.wanted, _PIECE)):
            payload = frame.feed(piece)
            if payload is not None:
                return Answer.from_payload(payload)
        return UNAVAILABLE
    finally:
        writer.transport.abort()  # closing is how a job is called off; nothing is left to be flushed


def ask_now(path: Path, question: Question) -> Answer:
    """Have a job done while this thread waits."""
    until = time.monotonic() + question.seconds + GRACE_SECONDS
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(_left(until))
            connection.connect(str(path))
            connection.sendall(question.to_bytes())
            frame = FrameReader(LARGEST_ANSWER)
            while True:
                connection.settimeout(_left(until))
                piece = connection.recv(min(frame.wanted, _PIECE))
                if not piece:
                    return UNAVAILABLE
                payload = frame.feed(piece)
                if payload is not None:
                    return Answer.from_payload(payload)
    except TimeoutError:
        return STOPPED
    except (OSError, BrokenFrame, ValueError):
        return UNAVAILABLE


def tell(path: Path, question: Question) -> None:
    """Send something to which there is no answer; nobody notices if the server is not there."""
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(_PREPARING_SECONDS)
            connection.connect(str(path))
            connection.sendall(question.to_bytes())
    except (OSError, ValueError):
        return


def _left(until: float) -> float | None:
    """Return the seconds that are left, None for any number; TimeoutError if none are."""
    if math.isinf(until):
        return None
    left = until - time.monotonic()
    if left <= 0.0:
        raise TimeoutError
    return left
