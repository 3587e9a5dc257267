"""One request to somebody who may be slow, endless or hostile: bounded in time from outside, and in bytes."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache

import httpx

_CONNECT_SECONDS = 3.0
_SILENCE_SECONDS = 5.0
_PLAIN = "identity"


class NoAnswer(Exception):
    """There is no whole answer, and why."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What one answer may take: seconds from the first moment to the last byte, and bytes of body."""

    seconds: float
    body_bytes: int


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked."""

    method: str
    url: str
    content: bytes | None = None
    headers: Mapping[str, str] = field(default_factory=dict)


def ask(request: Request, limits: Limits) -> tuple[int, bytes]:
    """Return status and body; raise `NoAnswer`.

    Silences are bounded one by one, but headers can come drop by drop and interim answers without end: the
    whole is given up after its time, wherever it is. The bytes are counted as they come; who compresses them
    although nobody asked is refused.
    """
    try:
        return asyncio.run(_ask_in_time(request, limits))
    except TimeoutError as error:
        raise NoAnswer(f"its answer took more than {limits.seconds:g} s") from error
    except httpx.HTTPError as error:
        raise NoAnswer(f"it does not answer ({type(error).__name__})") from error


async def _ask_in_time(request: Request, limits: Limits) -> tuple[int, bytes]:
    async with asyncio.timeout(limits.seconds):
        return await _ask(request, limits.body_bytes)


async def _ask(request: Request, body_bytes: int) -> tuple[int, bytes]:
    timeout = httpx.Timeout(_SILENCE_SECONDS, connect=_CONNECT_SECONDS)
    headers = {**request.headers, "accept-encoding": _PLAIN}
    async with (
        httpx.AsyncClient(timeout=timeout, follow_redirects=False, verify=_certificates()) as http,
        http.stream(request.method, request.url, content=request.content, headers=headers) as response,
    ):
        if response.headers.get("content-encoding", _PLAIN).strip().lower() != _PLAIN:
            raise NoAnswer("its answer is compressed")
        taken = bytearray()
        async for piece in response.aiter_raw():
            taken += piece
            if len(taken) > body_bytes:
                raise NoAnswer("its answer has no end")
        return response.status_code, bytes(taken)


@cache
def _certificates() -> ssl.SSLContext:
    """Whom to believe about names; reading them takes longer than a request."""
    return httpx.create_ssl_context()
