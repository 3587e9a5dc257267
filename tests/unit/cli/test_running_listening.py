"""The address is taken before anything starts, and readiness is asked there."""

from __future__ import annotations

import socket
import threading

import pytest

from cli.running.listening import address_of, listen, readiness
from runtime.errors import PortTaken


def test_takes_a_free_port_and_refuses_a_taken_one_by_name() -> None:
    with listen("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        assert address_of(taken) == f"http://127.0.0.1:{port}"
        with pytest.raises(PortTaken, match=rf"cannot listen on 127\.0\.0\.1:{port} .Address already in use"):
            listen("127.0.0.1", port)


def test_everywhere_is_shown_as_here() -> None:
    with listen("0.0.0.0", 0) as taken:  # noqa: S104 - closed again at once
        assert address_of(taken).startswith("http://127.0.0.1:")


def test_unknown_host_is_named() -> None:
    with pytest.raises(PortTaken, match=r"cannot listen on nowhere\.invalid:1"):
        listen("nowhere.invalid", 1)


@pytest.mark.parametrize(
    ("status", "body", "told"),
    [
        ("200 OK", "{}", (True, "")),
        ("503 No", '{"detail": "not yet loaded"}', (False, "not yet loaded")),
        ("503 No", "[]", (False, "status 503")),
        ("503 No", "no json", (False, "status 503")),
    ],
)
def test_readiness(status: str, body: str, told: tuple[bool, str]) -> None:
    with listen("127.0.0.1", 0) as taken:
        thread = threading.Thread(target=answer_once, args=(taken, status, body))
        thread.start()
        assert readiness(address_of(taken)) == told
        thread.join()


def answer_once(taken: socket.socket, status: str, body: str) -> None:
    connection, _ = taken.accept()
    with connection:
        connection.recv(4096)
        head = f"HTTP/1.1 {status}\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        connection.sendall((head + body).encode())


def test_nobody_there() -> None:
    with listen("127.0.0.1", 0) as taken:
        url = address_of(taken)
    ready, reason = readiness(url)
    assert not ready
    assert "refused" in reason
