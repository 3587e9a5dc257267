"""Bounded threads: work beyond the limit is refused at once, and places are freed when work ends."""

from __future__ import annotations

import asyncio
import threading

import pytest

from service.errors import TooBusy
from service.executor import BoundedExecutor


def test_beyond_the_limit_work_is_refused_at_once() -> None:
    gate = threading.Event()
    executor = BoundedExecutor("test", threads=1, limit=2)

    async def scenario() -> None:
        begun = [asyncio.create_task(executor.run(gate.wait)) for _ in range(2)]
        await asyncio.sleep(0.01)
        with pytest.raises(TooBusy):
            await executor.run(gate.wait)
        gate.set()
        assert await asyncio.gather(*begun) == [True, True]
        assert await executor.run(lambda: 7) == 7

    asyncio.run(scenario())
    executor.close()
    assert executor.in_flight == 0


def test_a_caller_that_goes_away_frees_its_place_only_when_the_work_ends() -> None:
    gate, begun = threading.Event(), threading.Event()
    executor = BoundedExecutor("test", threads=1, limit=1)

    def work() -> None:
        begun.set()
        gate.wait()

    async def scenario() -> None:
        gone = asyncio.create_task(executor.run(work))
        await asyncio.to_thread(begun.wait)
        gone.cancel()
        await asyncio.wait([gone])
        with pytest.raises(TooBusy):
            await executor.run(lambda: None)

    asyncio.run(scenario())
    gate.set()
    executor.close()
    assert executor.in_flight == 0


def test_an_error_comes_back_and_frees_its_place() -> None:
    executor = BoundedExecutor("test", threads=1, limit=1)

    async def scenario() -> None:
        for _ in range(3):
            with pytest.raises(ZeroDivisionError):
                await executor.run(lambda: 1 // 0)

    asyncio.run(scenario())
    executor.close()


def test_a_closed_executor_takes_nothing() -> None:
    executor = BoundedExecutor("test", threads=1, limit=1)
    executor.close()
    with pytest.raises(TooBusy):
        asyncio.run(executor.run(lambda: None))
    assert executor.in_flight == 0


def test_what_is_cancelled_before_its_turn_never_runs() -> None:
    gate, ran = threading.Event(), list[int]()
    executor = BoundedExecutor("test", threads=1, limit=3)

    async def scenario() -> None:
        busy = executor.begin(gate.wait)
        second = executor.begin(ran.append, 2)
        assert executor.waiting == 1
        second.cancel()
        await asyncio.sleep(0)  # the loop tells the thread's side of it in its next turn
        gate.set()
        assert await busy
        await executor.run(ran.append, 3)

    asyncio.run(scenario())
    executor.close()
    assert ran == [3]
    assert (executor.in_flight, executor.waiting) == (0, 0)
