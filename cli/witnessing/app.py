"""The witness's HTTP interface (C2SP tlog-witness) as a plain ASGI application.

    POST /add-checkpoint            a log submits a checkpoint and gets the cosignature's line
    GET  /<origin hash>/checkpoint  the latest cosigned checkpoint of a log
    GET  /state                     what was cosigned last, and what was refused (JSON)
    GET  /state?refused=N           the same, the first N refusals (at most 16) with their notes and proofs
    GET  /healthz, /metrics

There is no authentication but the log's signature on what it submits, as the protocol has it; nothing here is
secret.
"""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import Any

import orjson

from audit.errors import MalformedNote, MalformedProof
from audit.refusals import (
    CheckpointConflict,
    InconsistentCheckpoint,
    UnknownLog,
    UnsignedCheckpoint,
    WitnessError,
    WitnessUnavailable,
)
from audit.submission import SUBMISSION_LIMIT_BYTES
from audit.witness import Witness
from cli.witnessing.state import state_of
from runtime.clock import Clock
from runtime.metrics import WITNESS_SUBMISSIONS, exposition

_LOG = logging.getLogger(__name__)

BODY_SECONDS = 10.0
_TEXT = "text/plain; charset=utf-8"
_SIZE = "text/x.tlog.size"
_NOTES = re.compile(rb"refused=([0-9]{1,2})")
_NOTES_LIMIT = 16
_CHECKPOINT = re.compile(r"/([0-9a-f]{64})/checkpoint")
_STATUS: dict[type[Exception], tuple[int, str]] = {
    MalformedNote: (400, "malformed"),
    MalformedProof: (400, "malformed"),
    UnsignedCheckpoint: (403, "unsigned"),
    UnknownLog: (404, "unknown_log"),
    CheckpointConflict: (409, "conflict"),
    InconsistentCheckpoint: (422, "inconsistent"),
    WitnessUnavailable: (503, "unavailable"),
}

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes back."""

    status: int
    body: bytes = b""
    content_type: str = _TEXT


class _Refused(Exception):
    """An answer without words, raised from where it is known."""

    def __init__(self, status: int) -> None:
        super().__init__()
        self.status = status


class WitnessApp:
    """One witness behind HTTP. What touches its memory happens in one thread, one after another."""

    def __init__(self, witness: Witness, clock: Clock) -> None:
        """Take the witness; it must have been opened for use from another thread."""
        self._witness = witness
        self._clock = clock
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="witness")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            return
        try:
            answer = await self._answer(scope, receive)
        except _Refused as refused:
            answer = Answer(refused.status)
        headers = [
            (b"content-type", answer.content_type.encode()),
            (b"content-length", str(len(answer.body)).encode()),
            (b"cache-control", b"no-store"),
        ]
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        await send({"type": "http.response.body", "body": answer.body})

    async def _answer(self, scope: Scope, receive: Receive) -> Answer:
        method, path = scope["method"], scope["path"]
        if path == "/add-checkpoint":
            if method != "POST":
                raise _Refused(405)
            return await self._run(partial(self._add_checkpoint, await _body(receive)))
        if method not in {"GET", "HEAD"}:
            raise _Refused(405)
        if path == "/healthz":
            return Answer(200, b'{"status":"ok"}', "application/json")
        if path == "/metrics":
            return Answer(200, *exposition())
        if path == "/state":
            asked = _NOTES.fullmatch(scope.get("query_string", b""))
            return await self._run(partial(self._state, min(int(asked[1]), _NOTES_LIMIT) if asked else 0))
        if found := _CHECKPOINT.fullmatch(path):
            return await self._run(partial(self._checkpoint, found[1]))
        raise _Refused(404)

    async def _run(self, work: Callable[[], Answer]) -> Answer:
        return await asyncio.get_running_loop().run_in_executor(self._thread, work)

    def _add_checkpoint(self, body: bytes) -> Answer:
        try:
            line = self._witness.add_checkpoint(body, self._clock.now())
        except (WitnessError, MalformedNote, MalformedProof) as error:
            status, outcome = _STATUS[type(error)]
            if isinstance(error, CheckpointConflict) and error.behind:
                outcome = "behind"
            WITNESS_SUBMISSIONS.labels(outcome).inc()
            if isinstance(error, WitnessUnavailable):
                _LOG.exception("the witness's memory failed")
            if isinstance(error, CheckpointConflict):
                return Answer(status, f"{error.tree_size}\n".encode(), _SIZE)
            return Answer(status, f"{error}\n".encode())
        WITNESS_SUBMISSIONS.labels("cosigned").inc()
        return Answer(200, line.encode())

    def _checkpoint(self, origin_digest: str) -> Answer:
        try:
            note = self._witness.checkpoint(origin_digest)
        except WitnessUnavailable:
            return Answer(503)
        return Answer(404) if note is None else Answer(200, note.encode())

    def _state(self, notes: int) -> Answer:
        try:
            return Answer(200, orjson.dumps(state_of(self._witness, notes)), "application/json")
        except WitnessUnavailable:
            return Answer(503)


async def _body(receive: Receive) -> bytes:
    """Return the body, within its limit and its time."""
    taken = bytearray()
    try:
        async with asyncio.timeout(BODY_SECONDS):
            while True:
                message = await receive()
                if message["type"] == "http.disconnect":
                    raise _Refused(400)
                taken += message.get("body", b"")
                if len(taken) > SUBMISSION_LIMIT_BYTES:
                    raise _Refused(413)
                if not message.get("more_body", False):
                    return bytes(taken)
    except TimeoutError as error:
        raise _Refused(408) from error
