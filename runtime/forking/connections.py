"""One connection of somebody who asks: its question comes in, one answer goes out, then it is closed."""

from __future__ import annotations

import socket
import time

from runtime.forking.frames import LARGEST_QUESTION, Answer, BrokenFrame, FrameReader, Question

_PIECE = 1 << 16
SLOWEST_SECONDS = 5.0  # for a question to arrive, and for an answer to be taken


class Connection:
    """A non-blocking socket that says one thing and is told one."""

    def __init__(self, stream: socket.socket) -> None:
        """Take over a socket that was just accepted."""
        stream.setblocking(False)
        self.stream = stream
        self.asked = False
        self.since = time.monotonic()
        self._reader = FrameReader(LARGEST_QUESTION)
        self._left = b""

    @property
    def expires_at(self) -> float | None:
        """When it is closed unless something happens; None while its job is being done."""
        return None if self.asked and not self._left else self.since + SLOWEST_SECONDS

    @property
    def answering(self) -> bool:
        """Whether some of the answer is still to be sent."""
        return bool(self._left)

    def read(self) -> Question | None:
        """Read what has arrived; the question if it is complete.

        BrokenFrame if it was none, or if the other side has hung up or says more than one thing.
        """
        try:
            piece = self.stream.recv(_PIECE)
        except (BlockingIOError, InterruptedError):
            return None
        except OSError as error:
            raise BrokenFrame from error
        if not piece or self.asked:
            raise BrokenFrame
        payload = self._reader.feed(piece)
        if payload is None:
            return None
        question = Question.from_payload(payload)
        self.asked = True
        return question

    def answer(self, answer: Answer) -> bool:
        """Begin to send the answer; true once there is nothing more to do."""
        self._left = answer.to_bytes()
        self.since = time.monotonic()
        return self.flush()

    def flush(self) -> bool:
        """Send what can be sent; true once all is sent, or nobody is there to take it."""
        try:
            sent = self.stream.send(self._left)
        except (BlockingIOError, InterruptedError):
            return False
        except OSError:
            return True
        self._left = self._left[sent:]
        return not self._left
