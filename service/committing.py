"""Waiting for an entry to be committed, for as long as the caller's patience lasts."""

from __future__ import annotations

import asyncio
from concurrent.futures import Future

from audit.commit import GroupCommitter
from audit.entry import Appended, Draft
from service.errors import StillCommitting

# A stalled disk may make an answer late; longer than this it is no answer any more.
PATIENCE_SECONDS = 2.0


async def commit(committer: GroupCommitter, draft: Draft, patience_seconds: float) -> Appended:
    """Hands the draft to the committer and waits; `StillCommitting` when it takes too long."""
    return await outcome(committer.submit(draft), patience_seconds)


async def outcome(committed: Future[Appended], patience_seconds: float) -> Appended:
    """Waits for a draft that was handed over; it is never called back, as it may be in a transaction already.

    Whether it was recorded is found out by the retry, through its idempotency key.
    """
    waiting = asyncio.wrap_future(committed)
    await asyncio.wait({waiting}, timeout=patience_seconds)
    if not waiting.done():
        waiting.add_done_callback(_look)
        raise StillCommitting
    return waiting.result()


def _look(waiting: asyncio.Future[Appended]) -> None:
    """Nobody waits any more; an error that nobody looks at would be reported as forgotten."""
    if not waiting.cancelled():
        waiting.exception()
