"""Jobs in forked children, with real processes: answered, stopped, killed, confined, and never in the way."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import stat
import statistics
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from runtime.errors import SocketTaken
from runtime.forking.asking import GRACE_SECONDS, STOPPED, UNAVAILABLE, ask, ask_now, tell
from runtime.forking.frames import LARGEST_ANSWER, Answer, FrameReader, Question
from runtime.forking.reception import listen
from tests.oracles.forked_server import (
    PATIENCE_SECONDS,
    Served,
    answers,
    cpu_seconds,
    descendants,
    serving,
    wait_until,
)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(tmp_path_factory.mktemp("jobs")) as running:
        yield running


def _job(body: bytes, seconds: float = 10.0, key: bytes = b"good") -> Question:
    return Question("job", key, body, seconds)


def _children(served: Served) -> set[int]:
    """Return the children that do jobs: those whose parent is a nursery."""
    nurseries = {one for one in descendants(served.process.pid) if _parent(one) == served.process.pid}
    return descendants(served.process.pid) - nurseries


def _parent(process: int) -> int:
    try:
        return int(Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return -1


def test_a_job_is_answered(served: Served) -> None:
    assert ask_now(served.path, _job(b"echo:hello")) == Answer("finished", 5, b"hello")
    assert asyncio.run(ask(served.path, _job(b"echo:hello"))) == Answer("finished", 5, b"hello")


def test_a_job_without_a_deadline_is_answered(served: Served) -> None:
    assert ask_now(served.path, Question("job", b"good", b"echo:x")).state == "finished"
    assert asyncio.run(ask(served.path, Question("job", b"good", b"echo:x"))).state == "finished"


def test_a_large_answer_arrives_whole(served: Served) -> None:
    assert ask_now(served.path, _job(b"bytes:5000000")).body == bytes(5_000_000)


def test_an_answer_that_nobody_would_read_is_none(served: Served) -> None:
    assert ask_now(served.path, _job(b"bytes:20000000")) == UNAVAILABLE


def _patiently(served: Served, question: Question) -> Answer:
    """Ask as somebody who waits for the server's own answer, however late."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(10.0)
        connection.connect(str(served.path))
        connection.sendall(question.to_bytes())
        reader = FrameReader(LARGEST_ANSWER)
        while True:
            payload = reader.feed(connection.recv(reader.wanted))
            if payload is not None:
                return Answer.from_payload(payload)


def test_at_the_deadline_the_child_is_killed_and_its_count_is_known(served: Served) -> None:
    ask_now(served.path, _job(b"echo:x"))  # the nursery is there
    answer = _patiently(served, _job(b"spin", 0.5))
    assert answer.state == "stopped"
    assert answer.progress > 0
    wait_until(lambda: not _children(served))
    before = cpu_seconds(served.process.pid)
    time.sleep(0.3)
    assert cpu_seconds(served.process.pid) - before <= 0.02


def test_whoever_asks_is_answered_at_the_deadline(served: Served) -> None:
    took, alone = [], []
    for _ in range(7):
        begun = time.monotonic()
        assert ask_now(served.path, _job(b"spin", 0.1)).state == "stopped"
        took.append(time.monotonic() - begun)
        begun = time.monotonic()
        time.sleep(0.1)
        alone.append(time.monotonic() - begun)
    # On a busy machine whoever only sleeps wakes late as well; here two processes wake, one after the other.
    late = 2 * (statistics.median(alone) - 0.1)
    assert min(took) > 0.09
    assert statistics.median(took) < 0.1 + GRACE_SECONDS + 0.01 + late


def test_hanging_up_ends_the_job(served: Served) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.connect(str(served.path))
        connection.sendall(_job(b"spin", 60.0).to_bytes())
        wait_until(lambda: _children(served))
    wait_until(lambda: not _children(served))


def test_cancelling_ends_the_job(served: Served) -> None:
    async def cancelled() -> None:
        asking = asyncio.ensure_future(ask(served.path, _job(b"spin", 60.0)))
        while not _children(served):
            await asyncio.sleep(0.005)
        asking.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asking

    asyncio.run(cancelled())
    wait_until(lambda: not _children(served))


@pytest.mark.parametrize("body", [b"die", b"raise", b"eat"])
def test_a_child_that_dies_is_answered_and_the_next_one_lives(served: Served, body: bytes) -> None:
    assert ask_now(served.path, _job(body)).state == "unavailable"
    assert ask_now(served.path, _job(b"echo:x")).state == "finished"


@pytest.mark.parametrize("key", [b"broken", b"crashing", b"threads"])
def test_what_cannot_be_loaded_is_unavailable_and_tried_again_when_asked(served: Served, key: bytes) -> None:
    assert ask_now(served.path, _job(b"echo:x", key=key)) == UNAVAILABLE
    begun = time.monotonic()
    assert ask_now(served.path, _job(b"echo:x", key=key)) == UNAVAILABLE
    assert time.monotonic() - begun < 0.1
    tell(served.path, Question("prepare", key))
    assert ask_now(served.path, _job(b"echo:x")).state == "finished"


def test_loading_one_thing_does_not_hold_up_another(served: Served) -> None:
    ask_now(served.path, _job(b"echo:x"))
    slow: list[Answer] = []
    waiting = threading.Thread(target=lambda: slow.append(ask_now(served.path, _job(b"echo:y", key=b"slow"))))
    waiting.start()
    begun = time.monotonic()
    assert ask_now(served.path, _job(b"echo:x")).state == "finished"
    assert time.monotonic() - begun < 0.4
    assert not slow
    waiting.join()
    assert slow == [Answer("finished", 1, b"y")]


def test_no_more_children_than_allowed_and_whoever_waits_is_told_in_time(served: Served) -> None:
    async def crowded() -> list[Answer]:
        spinning = [asyncio.ensure_future(ask(served.path, _job(b"spin", 1.5))) for _ in range(2)]
        while len(_children(served)) < 2:
            await asyncio.sleep(0.005)
        late = await ask(served.path, _job(b"echo:x", 0.1))
        assert len(_children(served)) == 2
        return [late, *await asyncio.gather(*spinning)]

    late, *spun = asyncio.run(crowded())
    assert late == STOPPED
    assert [one.state for one in spun] == ["stopped", "stopped"]


def test_a_child_is_confined(served: Served) -> None:
    about = json.loads(ask_now(served.path, _job(b"about")).body)
    assert about["parent"] != served.process.pid
    assert about["rank"] >= 10
    assert about["cores"] == 0
    assert 0 < about["memory"] < 1 << 32
    assert about["files"] <= 6  # the standard three, the log, the pipe, and the listing's own


def test_what_a_job_prints_goes_nowhere(served: Served) -> None:
    ask_now(served.path, _job(b"print"))
    assert "loud" not in served.log.read_text()


GARBAGE = (b"GET / HTTP/1.1\r\n\r\n", b"\xff" * 9, b"\0\0\0\x03abc")


def test_garbage_closes_its_own_connection_only(served: Served) -> None:
    ask_now(served.path, _job(b"echo:x"))
    with contextlib.ExitStack() as held:
        broken, begun = [], []
        for number in range(200):
            connection = held.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
            connection.connect(str(served.path))
            connection.sendall([*GARBAGE, b"\0"][number % 4])
            (begun if number % 4 == 3 else broken).append(connection)
        assert ask_now(served.path, _job(b"echo:x")).state == "finished"
        assert all(map(_open, begun))  # nobody was made to wait for the rest of what these began to say
        wait_until(lambda: not any(map(_open, broken)))
        assert all(map(_open, begun))


def test_a_crowd_that_comes_at_once_is_let_in(served: Served) -> None:
    with contextlib.ExitStack() as held:
        os.kill(served.process.pid, signal.SIGSTOP)  # as on a machine that has no time for it
        try:
            for _ in range(200):
                connection = held.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM))
                connection.settimeout(PATIENCE_SECONDS)  # as whoever asks: nobody waits for ever
                connection.connect(str(served.path))
        finally:
            os.kill(served.process.pid, signal.SIGCONT)
        assert ask_now(served.path, _job(b"echo:x")).state == "finished"


def _open(connection: socket.socket) -> bool:
    """Whether the other side has not hung up."""
    try:
        return bool(connection.recv(1, socket.MSG_DONTWAIT | socket.MSG_PEEK))
    except BlockingIOError:
        return True
    except ConnectionResetError:
        return False


def test_only_its_own_user_may_connect(served: Served) -> None:
    assert stat.S_IMODE(served.path.stat().st_mode) == 0o600


def test_a_second_server_is_refused_and_leaves_the_first_alone(served: Served) -> None:
    with pytest.raises(SocketTaken, match="another server answers there"):
        listen(served.path)
    assert answers(served.path)


def test_nothing_can_listen_where_there_is_no_folder(tmp_path: Path) -> None:
    with pytest.raises(SocketTaken, match="No such file"):
        listen(tmp_path / "missing" / "jobs.sock")


def test_without_a_server_every_job_is_unavailable(tmp_path: Path) -> None:
    assert ask_now(tmp_path / "none.sock", _job(b"")) == UNAVAILABLE
    assert asyncio.run(ask(tmp_path / "none.sock", _job(b""))) == UNAVAILABLE
    tell(tmp_path / "none.sock", Question("prepare", b"good"))


def test_a_killed_server_takes_its_children_along_and_can_be_replaced(tmp_path: Path) -> None:
    async def killed(served: Served) -> Answer:
        asking = asyncio.ensure_future(ask(served.path, _job(b"spin", 60.0)))
        while not _children(served):
            await asyncio.sleep(0.005)
        family = descendants(served.process.pid)
        served.process.kill()
        answer = await asyncio.wait_for(asking, 1.0)
        wait_until(lambda: not any(Path(f"/proc/{one}/exe").exists() for one in family))
        return answer

    with serving(tmp_path) as served:
        assert asyncio.run(killed(served)) == UNAVAILABLE
        served.process.wait()
        assert ask_now(served.path, _job(b"echo:x")) == UNAVAILABLE
        assert served.path.is_socket()  # left behind, and in nobody's way
    with serving(tmp_path) as served:
        assert ask_now(served.path, _job(b"echo:x")).state == "finished"


def test_a_killed_nursery_is_replaced(served: Served) -> None:
    about = json.loads(ask_now(served.path, _job(b"about")).body)
    os.kill(about["parent"], signal.SIGKILL)
    wait_until(lambda: ask_now(served.path, _job(b"echo:x")).state == "finished")
