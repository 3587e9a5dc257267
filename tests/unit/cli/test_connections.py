"""What a connection may cost: heads without end and requests that never arrive are ended."""

from __future__ import annotations

import logging
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import pytest
import uvicorn

from cli.connections import HEAD_LIMIT_BYTES, BoundedHttp


class Hasty(BoundedHttp):
    """As in production, with less patience."""

    silence_seconds = 0.3


async def _echo_size(scope: Any, receive: Any, send: Any) -> None:
    size, more = 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            return
        size, more = size + len(message["body"]), message["more_body"]
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"8")]})
    await send({"type": "http.response.body", "body": b"%8d" % size})


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(_echo_size, http=Hasty, ws="none", lifespan="off", log_config=None)
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]}, daemon=True)
    thread.start()
    yield listener.getsockname()[1]
    server.should_exit = True
    thread.join(10)


def _answers(port: int, *pieces: bytes, pause: float = 0.0) -> bytes:
    answer = b""
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        try:
            for piece in pieces:
                connection.sendall(piece)
                time.sleep(pause)
            while more := connection.recv(1 << 16):
                answer += more
        except (BrokenPipeError, ConnectionResetError):
            pass
    return answer


POST = b"POST / HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: %d\r\n\r\n"


def test_no_line_says_who_asked_for_what_even_where_a_handler_waits_for_one(port: int) -> None:
    logger, told = logging.getLogger("uvicorn.access"), list[logging.LogRecord]()
    handler, level = logging.Handler(logging.DEBUG), logger.level
    handler.emit = told.append  # type: ignore[method-assign]
    logger.addHandler(handler)
    logger.setLevel(logging.DEBUG)
    try:
        assert b"200 OK" in _answers(port, b"GET /?id=zq81 HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
    assert told == []


def test_an_endless_header_is_cut_off(port: int) -> None:
    sent = 0
    with socket.create_connection(("127.0.0.1", port), timeout=10) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nhost: x\r\nx: ")
        with suppress(ConnectionError):
            while sent < 500 << 20:
                sent += connection.send(b"a" * (1 << 16))
    assert sent < 16 << 20  # what the sockets' own buffers take, not what the server holds


@pytest.mark.parametrize("start", [b"GET /", b"GET / HTTP/1.1\r\nhost: x\r\nx: "])
def test_a_head_past_the_limit_is_answered(port: int, start: bytes) -> None:
    pieces = [start, *[b"a" * 4096] * (1 + HEAD_LIMIT_BYTES // 4096)]
    assert _answers(port, *pieces).startswith(b"HTTP/1.1 431 ")


def test_a_head_within_the_limit_is_taken(port: int) -> None:
    head = b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\nx: " + b"a" * (HEAD_LIMIT_BYTES // 2)
    assert _answers(port, head, b"\r\n\r\n").startswith(b"HTTP/1.1 200 ")


@pytest.mark.parametrize("pieces", [(), (b"GET / HT",), (b"GET / HTTP/1.1\r\n", *[b"x"] * 20)])
def test_a_head_that_does_not_come_is_not_awaited(port: int, pieces: tuple[bytes, ...]) -> None:
    started = time.monotonic()
    assert _answers(port, *pieces, pause=0.05).startswith(b"HTTP/1.1 408 ") or len(pieces) > 2
    assert time.monotonic() - started < 3


def test_a_body_that_stops_ends_the_connection(port: int) -> None:
    started = time.monotonic()
    assert _answers(port, POST % 10, b"abc") == b""
    assert time.monotonic() - started < 3


def test_a_body_may_be_slow_as_long_as_it_moves(port: int) -> None:
    answer = _answers(port, POST % 6, *[b"a"] * 6, pause=0.15)
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert answer.endswith(b"       6")


def test_requests_follow_each_other_on_one_connection(port: int) -> None:
    one = b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: 100000\r\n\r\n" + b"a" * 100_000
    answer = _answers(port, one * 4 + POST % 3 + b"abc")
    assert answer.count(b"HTTP/1.1 200 ") == 5
