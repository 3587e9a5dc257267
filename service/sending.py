"""Sending a report: a chunk at a time, for as long as its reader takes it, and closed whatever happens."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from typing import Final

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from reports.registers.forms.writing import MEDIA_TYPES
from service.reporting import Pulled

SILENCE_SECONDS: Final = 60.0


class ReportResponse(Response):
    """A report as it leaves. A reader who takes no byte for a minute, or hangs up, gets no more."""

    def __init__(self, pulled: Pulled, *, silence_seconds: float = SILENCE_SECONDS) -> None:
        """The length is declared, so that a reader knows what was broken off."""
        made = pulled.made
        super().__init__(
            headers={
                "Content-Length": str(pulled.size),
                "Content-Disposition": f'attachment; filename="{made.report.name}.{made.form}"',
                "Ofrecord-Digest": f"sha256:{made.written.sha256}",
            },
            media_type=MEDIA_TYPES[made.form],
        )
        self._pulled = pulled
        self._silence_seconds = silence_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it, and close it in any case."""
        del scope  # a report is the same whatever was asked with it
        gone = asyncio.ensure_future(_hung_up(receive))
        try:
            start = {"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers}
            await send(start)
            chunks = self._chunks()
            while not gone.done() and (chunk := await asyncio.to_thread(next, chunks, None)) is not None:
                async with asyncio.timeout(self._silence_seconds):
                    await send({"type": "http.response.body", "body": chunk, "more_body": True})
            if not gone.done():
                await send({"type": "http.response.body", "body": b""})
        finally:
            self._pulled.kept.close()
            gone.cancel()
            with suppress(asyncio.CancelledError):
                await gone

    def _chunks(self) -> Iterator[bytes]:
        yield self._pulled.opening
        yield from self._pulled.made.chunks()
        if self._pulled.closing:
            yield self._pulled.closing


async def _hung_up(receive: Receive) -> None:
    """Return when the reader is gone; what is left of the request is passed over."""
    while (await receive())["type"] != "http.disconnect":
        pass
