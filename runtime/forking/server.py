"""The server of forked jobs: one thread that never computes, so that every deadline is met.

It takes questions from a Unix socket that only its own user may open, has each job done by a child of the
nursery that has loaded what it needs, and kills the child when the deadline comes or the asker hangs up.
"""

from __future__ import annotations

import functools
import logging
import selectors
import socket
import time
from pathlib import Path

from runtime.forking.confining import leave_no_cores
from runtime.forking.connections import Connection
from runtime.forking.frames import Answer, Question
from runtime.forking.nursery import Load
from runtime.forking.reception import Reception, listen, soonest
from runtime.forking.workshop import Task, Workshop

logger = logging.getLogger(__name__)


def serve(path: Path, load: Load, *, children: int, stop: socket.socket) -> None:
    """Answer at this path until something can be read from `stop`; then every child is killed.

    `load` returns what does the jobs of a key. At most `children` of them run at once. SocketTaken if another
    server answers there. The calling process must have one thread.
    """
    leave_no_cores()
    listener = listen(path)
    logger.info("listening", extra={"path": str(path), "limit": children})
    try:
        with selectors.DefaultSelector() as selector:
            _Server(selector, load, children).run(listener, stop)
    finally:
        listener.close()
        path.unlink(missing_ok=True)


class _Server:
    """Who asks and what is done, joined by one loop."""

    def __init__(self, selector: selectors.BaseSelector, load: Load, children: int) -> None:
        self._selector = selector
        self._workshop = Workshop(selector, load, children)
        self._reception = Reception(selector, self._take, self._hung_up)
        self._tasks: dict[Connection, Task] = {}

    def run(self, listener: socket.socket, stop: socket.socket) -> None:
        accept = functools.partial(self._reception.accept, listener)
        self._selector.register(listener, selectors.EVENT_READ, accept)
        self._selector.register(stop, selectors.EVENT_READ, None)
        try:
            while self._turn():
                now = time.monotonic()
                self._workshop.expire(now)
                self._reception.expire(now)
                self._workshop.begin()
        finally:
            self._workshop.end()

    def _turn(self) -> bool:
        """Wait for the next event or moment, and deal with the events; false when it is time to stop."""
        wait = soonest(self._reception.next_at() + self._workshop.next_at())
        for key, _ in self._selector.select(wait):
            if key.data is None:
                return False
            if self._selector.get_map().get(key.fd) is key:  # an earlier event may have closed it
                key.data()
        return True

    def _take(self, connection: Connection, question: Question) -> None:
        if question.kind == "prepare":
            self._reception.close(connection)
            self._workshop.prepare(question.key)
            return
        task = self._workshop.take(question, functools.partial(self._reply, connection))
        if task is not None:
            self._tasks[connection] = task

    def _reply(self, connection: Connection, answer: Answer) -> None:
        self._tasks.pop(connection, None)
        self._reception.answer(connection, answer)

    def _hung_up(self, connection: Connection) -> None:
        task = self._tasks.pop(connection, None)
        if task is not None:
            self._workshop.call_off(task)
