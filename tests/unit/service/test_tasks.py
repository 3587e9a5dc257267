"""Handing evaluations to the workers never makes a request wait."""

from __future__ import annotations

import threading
import time
from uuid import UUID

import pytest

from runtime import broker
from runtime.settings import Settings
from service import tasks
from service.tasks import MOST_WAITING, TaskSender


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    arrived: list[str] = []
    monkeypatch.setattr(broker, "make_celery", lambda _: None)
    monkeypatch.setattr(broker, "send", lambda *given, **_: arrived.append(given[-1]))
    return arrived


def _until(arrived: list[str], count: int) -> None:
    give_up = time.monotonic() + 10
    while len(arrived) < count:
        assert time.monotonic() < give_up
        time.sleep(0.005)


def test_a_broker_that_hangs_holds_nobody(sent: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    hanging = threading.Event()
    monkeypatch.setattr(broker, "send", lambda *given, **_: hanging.wait(20) and sent.append(given[-1]))
    sender = TaskSender(Settings())
    started = time.monotonic()
    taken = [sender.evaluate(UUID(int=number)) for number in range(MOST_WAITING + 2)]
    assert time.monotonic() - started < 2
    assert (taken[0], taken[-1]) == (True, False)  # too many: the scheduler sends the rest
    hanging.set()
    _until(sent, taken.count(True))
    assert sent == [str(UUID(int=number)) for number in range(taken.count(True))]


def test_a_message_that_fails_does_not_stop_the_next(
    sent: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def send(*given: str, urgent: bool) -> None:
        if given[-1] == str(UUID(int=1)):
            raise ConnectionError
        sent.append(given[-1])

    monkeypatch.setattr(broker, "send", send)
    sender = TaskSender(Settings())
    assert all(sender.evaluate(UUID(int=number)) for number in (1, 2))
    _until(sent, 1)
    assert sent == [str(UUID(int=2))]


def test_a_thread_that_had_nothing_to_do_is_there_again(
    sent: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tasks, "_IDLE_SECONDS", 0.01)
    sender = TaskSender(Settings())
    for number in range(3):
        assert sender.evaluate(UUID(int=number))
        _until(sent, number + 1)
        time.sleep(0.1)
        assert sender._thread is None
