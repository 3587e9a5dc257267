"""One HTTP connection with bounds: how long a head may be, and how long a request may stay unfinished.

The server itself has neither. Without them anybody who reaches the port, with or without a token, fills its
memory with one endless header, or holds connections open by sending nothing.
"""

from __future__ import annotations

from asyncio import TimerHandle, Transport
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD_LIMIT_BYTES = 64 << 10
SILENCE_SECONDS = 30.0

_TOO_LARGE = b"HTTP/1.1 431 Request Header Fields Too Large\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"
_TOO_SLOW = b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n"


class BoundedHttp(HttpToolsProtocol):
    """Ends a connection whose head grows past the limit, or whose request does not arrive."""

    head_limit_bytes = HEAD_LIMIT_BYTES
    silence_seconds = SILENCE_SECONDS
    _in_head = True
    _head_bytes = 0
    _patience: TimerHandle | None = None

    def __init__(self, *arguments: Any, **named: Any) -> None:
        """Never writes access lines: the server would wherever some handler hangs on its logger."""
        super().__init__(*arguments, **named)
        self.access_log = False  # paths and queries hold the caller's decision ids

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]
        """A head is awaited from the beginning: whoever connects has something to say."""
        super().connection_made(transport)
        self._wait()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing is awaited any more."""
        self._stop_waiting()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Counts only what is head through and through; one read more than the limit may be held."""
        began_in_head = self._in_head
        super().data_received(data)
        if began_in_head and self._in_head:
            self._head_bytes += len(data)
            if self._head_bytes > self.head_limit_bytes:
                self._end(_TOO_LARGE)

    def on_message_begin(self) -> None:
        """A head begins; it has to be complete in time, however busily it drips."""
        super().on_message_begin()
        self._in_head, self._head_bytes = True, 0
        self._wait()

    def on_headers_complete(self) -> None:
        """The head is there, the body may follow."""
        self._in_head = False
        self._wait()
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """A body may take as long as it moves."""
        self._wait()
        super().on_body(body)

    def on_message_complete(self) -> None:
        """From here on it is ours to be slow."""
        self._stop_waiting()
        super().on_message_complete()

    def _wait(self) -> None:
        self._stop_waiting()
        self._patience = self.loop.call_later(self.silence_seconds, self._lose_patience)

    def _stop_waiting(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None

    def _lose_patience(self) -> None:
        if self.flow.read_paused:  # the client is not silent, we are not listening
            self._wait()
        else:
            self._end(_TOO_SLOW)

    def _end(self, answer: bytes) -> None:
        self._stop_waiting()
        if not self.transport.is_closing():
            if self.cycle is None or self.cycle.response_complete or self._in_head:
                self.transport.write(answer)
            self.transport.close()
