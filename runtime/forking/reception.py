"""Who asks: connections to the socket, the one question of each, and its one answer."""

from __future__ import annotations

import functools
import os
import selectors
import socket
import time
from collections.abc import Callable
from pathlib import Path

from runtime.errors import SocketTaken
from runtime.forking.connections import Connection
from runtime.forking.frames import Answer, BrokenFrame, Question

MOST_CONNECTIONS = 256
_BACKLOG = 1024  # nobody waits longer than a turn, but whoever finds the queue full is refused at once
_ONLY_OURS = 0o600
_GREETING_SECONDS = 1.0


def listen(path: Path) -> socket.socket:
    """Listen at this path, also where a server that was killed left its socket behind.

    Raises SocketTaken if somebody answers there, or no socket can be made.
    """
    if path.is_socket():
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            probe.settimeout(_GREETING_SECONDS)
            try:
                probe.connect(str(path))
            except ConnectionRefusedError:
                path.unlink(missing_ok=True)
            except OSError as error:
                raise SocketTaken(path, error.strerror or str(error)) from error
            else:
                raise SocketTaken(path, "another server answers there")
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        # Before it has a name, and not by the umask: that is the whole process's, and threads share it.
        os.fchmod(listener.fileno(), _ONLY_OURS)
        listener.bind(str(path))
        listener.listen(_BACKLOG)
    except OSError as error:
        listener.close()
        raise SocketTaken(path, error.strerror or str(error)) from error
    listener.setblocking(False)
    return listener


class Reception:
    """The connections that are open; what is broken or too slow is closed, and nothing else with it."""

    def __init__(
        self,
        selector: selectors.BaseSelector,
        take: Callable[[Connection, Question], None],
        hung_up: Callable[[Connection], None],
    ) -> None:
        """Say who takes a question, and who is told that its asker has hung up."""
        self._selector = selector
        self._take = take
        self._hung_up = hung_up
        self._open: set[Connection] = set()

    def accept(self, listener: socket.socket) -> None:
        """Let somebody in; beyond the number that there may be, the door is closed again."""
        try:
            stream, _ = listener.accept()
        except OSError:
            return
        if len(self._open) >= MOST_CONNECTIONS:
            stream.close()
            return
        connection = Connection(stream)
        self._open.add(connection)
        self._selector.register(stream, selectors.EVENT_READ, functools.partial(self._on_event, connection))

    def answer(self, connection: Connection, answer: Answer) -> None:
        """Begin to send an answer, and hang up when it is sent."""
        if connection not in self._open:
            return
        if connection.answer(answer):
            self.close(connection)
        else:
            event = functools.partial(self._on_event, connection)
            self._selector.modify(connection.stream, selectors.EVENT_WRITE, event)

    def close(self, connection: Connection) -> None:
        """Hang up."""
        self._open.discard(connection)
        self._selector.unregister(connection.stream)
        connection.stream.close()

    def next_at(self) -> list[float]:
        """Return the moments at which somebody becomes too slow."""
        return [at for one in self._open if (at := one.expires_at) is not None]

    def expire(self, now: float) -> None:
        """Hang up on whoever is too slow."""
        for one in [one for one in self._open if (at := one.expires_at) is not None and at <= now]:
            self.close(one)

    def _on_event(self, connection: Connection) -> None:
        if connection.answering:
            if connection.flush():
                self.close(connection)
            return
        try:
            question = connection.read()
        except BrokenFrame:
            self.close(connection)
            self._hung_up(connection)
            return
        if question is not None:
            self._take(connection, question)


def soonest(times: list[float]) -> float | None:
    """Return the seconds until the first of these moments; None if there is none."""
    finite = [at for at in times if at != float("inf")]
    return max(0.0, min(finite) - time.monotonic()) if finite else None
