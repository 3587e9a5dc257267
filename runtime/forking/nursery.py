"""A process that has loaded something and forks a child for each job that needs it.

Loading takes long and may go wrong in a native library, so that it happens here and not in the process that
answers. What is sent between the two are whole small messages, with the files they speak of. A child that has
ended is waited for only when the answering process says so: until then nobody else gets its number, and the
answering process may kill by it.
"""

from __future__ import annotations

import contextlib
import gc
import logging
import os
import select
import socket
import struct
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from signal import SIGKILL
from typing import Literal, NoReturn

from runtime.embedded.leash import die_with_parent
from runtime.forking.confining import close_all_but, ignore_the_terminal, limit_job, silence, threads
from runtime.forking.frames import LARGEST_ANSWER, framed
from runtime.forking.tally import Tally

logger = logging.getLogger(__name__)

Progress = Callable[[int], None]
DoJob = Callable[[bytes, Progress], bytes]
Load = Callable[[bytes], DoJob]
Word = Literal["ready", "failed", "started"]

_ORDER = struct.Struct("!cQQd")  # what, number of the job, slot, seconds
_TOLD = struct.Struct("!cQQ")  # what, number of the job, its process
_START, _REAP = b"J", b"R"
_WORDS: dict[bytes, Word] = {b"Y": "ready", b"N": "failed", b"S": "started"}
_SECOND_LINE_SECONDS = 0.005  # after the deadline, should nobody have killed the job by then
_REAPING_SECONDS = 0.01


class LeftThreads(Exception):
    """Loading left threads behind; a fork of this process could wait for one of them for ever."""


class _NobodyAsks(Exception):
    """The other side of the channel is gone."""


@dataclass(frozen=True, slots=True)
class Told:
    """What a nursery tells: that it is ready or failed, or which process does a job."""

    what: Word
    job: int
    process: int


@dataclass(frozen=True, slots=True)
class Order:
    """A job for a child: its number, the slot it counts in, its time, and the files it reads and writes."""

    job: int
    slot: int
    seconds: float
    body: int
    result: int


class Nursery:
    """The answering process's handle on one nursery."""

    def __init__(self, load: Load, key: bytes, tally: Tally) -> None:
        """Fork it; it begins to load at once."""
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        follow = die_with_parent(SIGKILL)
        self.process = os.fork()
        if self.process == 0:
            _live(theirs, follow, partial(load, key), tally)
        theirs.close()
        ours.setblocking(False)
        self.channel = ours
        self.ready = False
        self.jobs = 0
        self.born_at = time.monotonic()

    def start(self, order: Order) -> None:
        """Have a child do a job; OSError if the nursery is gone."""
        message = _ORDER.pack(_START, order.job, order.slot, order.seconds)
        socket.send_fds(self.channel, [message], [order.body, order.result])

    def reap(self, job: int) -> None:
        """Let the process number of an ended child be used again."""
        with contextlib.suppress(OSError):  # a nursery that is gone has no children
            self.channel.send(_ORDER.pack(_REAP, job, 0, 0.0))

    def hear(self) -> Told | None:
        """Return the next thing it told; None if it has ended."""
        try:
            message = self.channel.recv(_TOLD.size)
        except OSError:
            return None
        if not message:
            return None
        what, job, process = _TOLD.unpack(message)
        return Told(_WORDS[what], job, process)

    def end(self) -> None:
        """Kill it and, through the kernel, all its children; somebody has to wait for the process."""
        self.channel.close()
        os.kill(self.process, SIGKILL)


def _live(
    channel: socket.socket, follow: Callable[[], None], load: Callable[[], DoJob], tally: Tally
) -> NoReturn:
    """Load, then fork a child for each order, until the other side is gone."""
    code = 1
    try:
        follow()
        ignore_the_terminal()
        close_all_but({channel.fileno()})
        silence()
        do = _loaded(channel, load)
        children: dict[int, int] = {}
        ended: set[int] = set()
        while True:
            if select.select([channel], [], [], _REAPING_SECONDS if ended else None)[0]:
                _obey(channel, partial(_do, do, tally), children, ended)
            ended -= {process for process in ended if os.waitpid(process, os.WNOHANG) != (0, 0)}
    except _NobodyAsks:
        code = 0
    except BaseException:
        logger.exception("what a job needs could not be loaded, or no child be forked")
    finally:
        os._exit(code)


def _loaded(channel: socket.socket, load: Callable[[], DoJob]) -> DoJob:
    begun = time.monotonic()
    try:
        do = load()
        _require_one_thread()
    except BaseException:
        channel.send(_TOLD.pack(b"N", 0, 0))
        raise
    gc.collect()
    gc.freeze()  # a child's collector leaves the pages alone that it shares with us
    logger.info("loaded", extra={"duration_ms": round((time.monotonic() - begun) * 1e3, 1)})
    channel.send(_TOLD.pack(b"Y", 0, 0))
    return do


def _require_one_thread() -> None:
    if (count := threads()) != 1:
        raise LeftThreads(count)


def _do(do: DoJob, tally: Tally, slot: int, body: bytes) -> bytes:
    return do(body, partial(tally.__setitem__, slot))


def _obey(
    channel: socket.socket, do: Callable[[int, bytes], bytes], children: dict[int, int], ended: set[int]
) -> None:
    """Fork a child, or note that one may be waited for."""
    message, files, _, _ = socket.recv_fds(channel, _ORDER.size, 2)
    if not message:
        raise _NobodyAsks
    what, job, slot, seconds = _ORDER.unpack(message)
    if what == _REAP:
        ended.add(children.pop(job))
        return
    body, result = files
    follow = die_with_parent(SIGKILL)
    process = os.fork()
    if process == 0:
        channel.close()
        _work(Order(job, slot, seconds, body, result), follow, partial(do, slot))
    os.close(body)
    os.close(result)
    children[job] = process
    channel.send(_TOLD.pack(b"S", job, process))


def _work(order: Order, follow: Callable[[], None], do: Callable[[bytes], bytes]) -> NoReturn:
    """Do one job and end; whatever happens, nothing of the parent's code goes on here."""
    code = 1
    try:
        follow()
        limit_job(order.seconds + _SECOND_LINE_SECONDS)
        with os.fdopen(order.body, "rb") as stream:
            stream.seek(0)
            body = stream.read()
        answer = framed(do(body), LARGEST_ANSWER)
        with os.fdopen(order.result, "wb") as stream:
            stream.write(answer)
        code = 0
    except BaseException:
        logger.exception("a job failed")
    finally:
        os._exit(code)
