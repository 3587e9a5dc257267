"""A witness or an authority may be slow, endless or hostile: asking it ends, in time and in bytes."""

from __future__ import annotations

import gzip
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress

import pytest

from audit.cosigning import WitnessSilent
from workers.bounded_http import Limits
from workers.witnesses import HttpWitness

LIMITS = Limits(seconds=1.0, body_bytes=1000)
Talk = Callable[[socket.socket], None]
OK = b"HTTP/1.1 200 OK\r\n"


@contextmanager
def talking(talk: Talk) -> Iterator[tuple[HttpWitness, list[bytes]]]:
    """A server on a socket that says what it is told to, and what it was asked."""
    asked: list[bytes] = []
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        thread = threading.Thread(target=_serve, args=(server, talk, asked))
        thread.start()
        yield HttpWitness(f"http://127.0.0.1:{server.getsockname()[1]}/", LIMITS), asked
        thread.join(10)


def _serve(server: socket.socket, talk: Talk, asked: list[bytes]) -> None:
    connection, _ = server.accept()
    with closing(connection), suppress(OSError):
        asked.append(connection.recv(65536))
        talk(connection)


def _body(content: bytes, headers: bytes = b"") -> Talk:
    return lambda to: to.sendall(OK + headers + b"content-length: %d\r\n\r\n" % len(content) + content)


def _drips_its_head(to: socket.socket) -> None:
    to.sendall(OK + b"x-drip: ")
    for _ in range(100):
        to.sendall(b"x")
        time.sleep(0.05)


def _is_always_about_to_answer(to: socket.socket) -> None:
    for _ in range(100):
        to.sendall(b"HTTP/1.1 103 Early Hints\r\n\r\n")
        time.sleep(0.05)


def _drips_its_body(to: socket.socket) -> None:
    to.sendall(OK + b"content-length: 900\r\n\r\n")
    for _ in range(100):
        to.sendall(b"x")
        time.sleep(0.05)


@pytest.mark.parametrize("talk", [_drips_its_head, _is_always_about_to_answer, _drips_its_body])
def test_an_answer_that_comes_drop_by_drop_is_given_up(talk: Talk) -> None:
    with talking(talk) as (witness, _):
        began = time.monotonic()
        with pytest.raises(WitnessSilent, match="took more than 1 s"):
            witness.submit("x")
        assert time.monotonic() - began < 3


def test_an_endless_or_compressed_answer_is_refused() -> None:
    with talking(_body(b"x" * 1001)) as (witness, _), pytest.raises(WitnessSilent, match="no end"):
        witness.submit("x")
    bomb = gzip.compress(b"x" * 900_000)
    with (
        talking(_body(bomb, b"content-encoding: gzip\r\n")) as (witness, _),
        pytest.raises(WitnessSilent, match="compressed"),
    ):
        witness.checkpoint("0" * 64)


def test_what_was_asked_and_answered() -> None:
    with talking(_body(b"said", b"content-encoding: identity\r\n")) as (witness, asked):
        assert witness.submit("a checkpoint").body == "said"
    assert asked[0].startswith(b"POST /add-checkpoint HTTP/1.1\r\n")
    assert b"accept-encoding: identity\r\n" in asked[0].lower()
    with talking(_body(b"\xff")) as (witness, _), pytest.raises(WitnessSilent, match="not text"):
        witness.submit("x")


def test_nobody_there() -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = taken.getsockname()[1]
    with pytest.raises(WitnessSilent, match=r"does not answer .ConnectError."):
        HttpWitness(f"http://127.0.0.1:{port}", LIMITS).submit("x")
