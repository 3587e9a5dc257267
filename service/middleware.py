"""What surrounds every request: an id, a body limit, one place where errors become problems, one log line.

Plain ASGI, because a wrapped response object would cost more than the explanation of a small model.
"""

from __future__ import annotations

import logging
import re
import time
from collections import Counter
from collections.abc import Callable
from urllib.parse import parse_qsl

from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from runtime.clock import Clock
from runtime.ids import uuid7
from runtime.telemetry import bound
from service.errors import BodyTooLarge, InvalidInput, NotFound
from service.problems import problem_of, render
from service.strict_json import Flaw, escape

logger = logging.getLogger("service.access")

# A caller's own id is kept only where it cannot carry a name or a case number into our logs.
_TRACE_ID = re.compile(rb"[0-9a-f]{32}|[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")

Observe = Callable[[str, int], None]  # route, status


class Gateway:
    """The outermost layer of the application."""

    def __init__(
        self,
        app: ASGIApp,
        *,
        clock: Clock,
        body_limit: Callable[[str], int],
        observe: Observe,
    ) -> None:
        self._app = app
        self._clock = clock
        self._body_limit = body_limit
        self._observe = observe

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request, whatever happens inside."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.monotonic()
        headers = dict(scope["headers"])
        given = headers.get(b"x-request-id", b"")
        request_id = given.decode() if _TRACE_ID.fullmatch(given) else str(uuid7(self._clock.now()))
        scope.setdefault("state", {}).update(request_id=request_id, started=started)
        with bound(request_id=request_id):
            await self._answer(scope, receive, _Exchange(send, request_id), started)

    async def _answer(self, scope: Scope, receive: Receive, exchange: _Exchange, started: float) -> None:
        limit = self._body_limit(scope["path"])
        try:
            _check_address(scope)
            _check_declared(scope, limit)
            await self._app(scope, _limited(receive, limit), exchange.send)
        except Exception as error:  # noqa: BLE001 - the one place where nothing may pass
            await self._fail(error, scope, receive, exchange)
        finally:
            self._conclude(scope, exchange.status, time.monotonic() - started)

    async def _fail(self, error: Exception, scope: Scope, receive: Receive, exchange: _Exchange) -> None:
        problem = problem_of(error)
        if problem.kind.status >= 500:
            unforeseen = error if problem.kind.unexpected else None
            logger.error("request failed", exc_info=unforeseen, extra={"kind": problem.kind.name})
        if exchange.status is not None:
            raise error  # the answer has begun; the server can only break it off
        # After a refusal for size the rest of the body is still on its way: the connection is of no more use.
        closing = {"Connection": "close"} if isinstance(error, BodyTooLarge) else None
        await render(problem, exchange.request_id, closing)(scope, receive, exchange.send)

    def _conclude(self, scope: Scope, status: int | None, seconds: float) -> None:
        # The route's template, never the path or the query: those carry ids of the caller's own.
        route = getattr(scope.get("route"), "path", "unmatched")
        status = status or 500
        self._observe(route, status)
        logger.info(
            "request",
            extra={
                "method": scope["method"],
                "route": route,
                "status": status,
                "duration_ms": round(seconds * 1000, 3),
            },
        )


class _Exchange:
    """Sends the answer with its request id and remembers its status."""

    def __init__(self, send: Send, request_id: str) -> None:
        self._send = send
        self.request_id = request_id
        self.status: int | None = None

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            message["headers"] = [
                *message.get("headers", ()),
                (b"x-request-id", self.request_id.encode()),
                (b"x-content-type-options", b"nosniff"),
                (b"cache-control", b"no-store"),
            ]
        await self._send(message)


def _check_address(scope: Scope) -> None:
    """Refuses an address with two meanings: of a parameter given twice the last would silently count."""
    if "\x00" in scope["path"]:
        raise NotFound  # no name holds it, and the database could not even be asked
    given = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
    if any("\x00" in text for pair in given for text in pair):
        named = sorted({name for name, text in given if "\x00" in name + text})
        raise InvalidInput(tuple(Flaw(f"/{escape(name)}", "holds NUL, which is no text") for name in named))
    repeated = sorted(name for name, times in Counter(name for name, _ in given).items() if times > 1)
    if repeated:
        raise InvalidInput(tuple(Flaw(f"/{escape(name)}", "is given more than once") for name in repeated))


def _check_declared(scope: Scope, limit: int) -> None:
    """Refuses a body by its declared length, before any of it is read."""
    declared = dict(scope["headers"]).get(b"content-length", b"0")
    if declared.isdigit() and int(declared) > limit:
        raise BodyTooLarge(f"The body has {int(declared)} bytes; at most {limit} are taken.")


def _limited(receive: Receive, limit: int) -> Receive:
    """Counts what really arrives: a chunked body declares no length."""
    received = 0

    async def counted() -> Message:
        nonlocal received
        message = await receive()
        received += len(message.get("body", b""))
        if received > limit:
            raise BodyTooLarge(f"The body is larger than {limit} bytes.")
        return message

    return counted


async def pass_on(_: Request, error: Exception) -> Response:
    """Takes the place of the framework's own error handlers, so that every error reaches the gateway."""
    raise error


def started_at(request: Request) -> float:
    """When the request arrived, on the monotonic clock: the moment its budget counts from."""
    started: float = request.state.started
    return started
