"""What is done: jobs that wait for a free child or for their nursery, and jobs that run."""

from __future__ import annotations

import functools
import itertools
import os
import selectors
import signal
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from runtime.forking.frames import LARGEST_ANSWER, Answer, BrokenFrame, FrameReader, Question, State
from runtime.forking.nurseries import Nurseries
from runtime.forking.nursery import Load, Nursery, Order
from runtime.forking.tally import Tally

MOST_WAITING = 64
WAY_BACK_SECONDS = 0.002
"""How long before its deadline a job is ended, so that the answer is there in time."""

_PIECE = 1 << 18

Reply = Callable[[Answer], None]


@dataclass(eq=False, slots=True)
class Task:
    """One job from its question to the end of its child; `reply` is None once nobody waits for it."""

    reply: Reply | None
    key: bytes
    body: bytes
    deadline: float  # on the monotonic clock
    number: int = 0
    slot: int = 0
    nursery: Nursery | None = None
    process: int | None = None
    result: int = -1
    doomed: bool = False
    frame: FrameReader = field(default_factory=lambda: FrameReader(LARGEST_ANSWER))


class Workshop:
    """Every job is answered at its deadline at the latest, and its child killed then."""

    def __init__(self, selector: selectors.BaseSelector, load: Load, children: int) -> None:
        """Say how something is loaded by its key, and how many jobs may run at once."""
        self._selector = selector
        self._tally = Tally(children)
        self._free = list(range(children))
        self._nurseries = Nurseries(load, self._tally, lambda one: selector.unregister(one.channel))
        self._waiting: deque[Task] = deque()
        self._running: dict[int, Task] = {}
        self._numbers = itertools.count(1)

    def prepare(self, key: bytes) -> None:
        """Load what jobs of this key will need, unless that is done or under way."""
        self._nursery(key, again=True)

    def take(self, question: Question, reply: Reply) -> Task | None:
        """Put a job into the line; one that can never be begun is answered at once."""
        if len(self._waiting) >= MOST_WAITING or self._nursery(question.key, again=False) is None:
            reply(Answer("unavailable"))
            return None
        deadline = time.monotonic() + max(0.0, question.seconds - WAY_BACK_SECONDS)
        task = Task(reply, question.key, question.body, deadline)
        self._waiting.append(task)
        return task

    def call_off(self, task: Task) -> None:
        """End a job for which nobody waits any more."""
        task.reply = None
        if task in self._waiting:
            self._waiting.remove(task)
        elif task.number in self._running:
            self._doom(task)

    def next_at(self) -> list[float]:
        """Return the moments at which something has to be done."""
        times = [task.deadline for task in self._waiting]
        times += [task.deadline for task in self._running.values() if not task.doomed]
        return times + self._nurseries.next_at()

    def expire(self, now: float) -> None:
        """Answer every job whose time is up, and kill those that run."""
        for task in [task for task in self._waiting if task.deadline <= now]:
            self._waiting.remove(task)
            _settle(task, "stopped")
        for task in self._running.values():
            if task.deadline <= now and not task.doomed:
                self._doom(task)
                _settle(task, "stopped", self._tally[task.slot])
        for key, nursery in self._nurseries.overdue(now):
            self._lose(key, nursery, failed=True)
        self._nurseries.reap()

    def begin(self) -> None:
        """Start what can be started, in the order of arrival."""
        for task in list(self._waiting):
            if not self._free:
                return
            nursery = self._nurseries.get(task.key)
            if nursery is not None and nursery.ready:
                self._waiting.remove(task)
                self._start(task, nursery)

    def end(self) -> None:
        """Kill every child and every nursery."""
        self._nurseries.end_all()

    def _start(self, task: Task, nursery: Nursery) -> None:
        task.slot = self._free.pop()
        task.number = next(self._numbers)
        self._tally[task.slot] = 0
        ours, theirs = os.pipe()
        body = os.memfd_create("job")
        try:
            with os.fdopen(os.dup(body), "wb") as stream:
                stream.write(task.body)
            seconds = max(0.0, task.deadline - time.monotonic())
            nursery.start(Order(task.number, task.slot, seconds, body, theirs))
        except OSError:
            os.close(ours)
            self._free.append(task.slot)
            _settle(task, "unavailable")
            return
        finally:
            os.close(theirs)
            os.close(body)
        os.set_blocking(ours, False)
        task.nursery, task.result, task.body = nursery, ours, b""
        nursery.jobs += 1
        self._running[task.number] = task
        self._selector.register(ours, selectors.EVENT_READ, functools.partial(self._on_result, task))

    def _on_result(self, task: Task) -> None:
        piece = os.read(task.result, _PIECE)
        try:
            result = task.frame.feed(piece) if piece else None
        except BrokenFrame:
            result = None
            self._doom(task)
        if result is not None:
            _settle(task, "finished", self._tally[task.slot], result)
        elif not piece:
            late = task.deadline <= time.monotonic()  # the kernel may have been first
            _settle(task, "stopped" if late else "unavailable", self._tally[task.slot])
            self._forget(task)

    def _doom(self, task: Task) -> None:
        """Kill a child, at the latest as soon as its process is known."""
        task.doomed = True
        if task.process is not None:
            os.kill(task.process, signal.SIGKILL)

    def _forget(self, task: Task) -> None:
        """Let go of a job whose child has ended."""
        self._selector.unregister(task.result)
        os.close(task.result)
        del self._running[task.number]
        self._free.append(task.slot)
        if task.nursery is not None:
            task.nursery.jobs -= 1
            task.nursery.reap(task.number)

    def _nursery(self, key: bytes, *, again: bool) -> Nursery | None:
        """Return the nursery of this key, forked if need be; None if there can be none now."""
        nursery = self._nurseries.get(key)
        if nursery is None:
            nursery = self._nurseries.make(key, again=again)
            if nursery is not None:
                event = functools.partial(self._on_nursery, key, nursery)
                self._selector.register(nursery.channel, selectors.EVENT_READ, event)
        return nursery

    def _on_nursery(self, key: bytes, nursery: Nursery) -> None:
        told = nursery.hear()
        if told is None or told.what == "failed":
            self._lose(key, nursery, failed=not nursery.ready)
        elif told.what == "ready":
            nursery.ready = True
        elif told.job in self._running:
            task = self._running[told.job]
            task.process = told.process
            if task.doomed:
                self._doom(task)

    def _lose(self, key: bytes, nursery: Nursery, *, failed: bool) -> None:
        """Answer everybody who counted on a nursery; its children end with it."""
        self._nurseries.lose(key, failed=failed)
        for task in [task for task in self._running.values() if task.nursery is nursery]:
            _settle(task, "unavailable", self._tally[task.slot])
            self._forget(task)
        for task in [task for task in self._waiting if task.key == key]:
            self._waiting.remove(task)
            _settle(task, "unavailable")


def _settle(task: Task, state: State, progress: int = 0, result: bytes = b"") -> None:
    """Answer whoever waits, once."""
    reply, task.reply = task.reply, None
    if reply is not None:
        reply(Answer(state, progress, result))
