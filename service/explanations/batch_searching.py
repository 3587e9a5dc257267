"""The counterfactuals of a batch: the direct search alone, in turns that single requests share."""

from __future__ import annotations

import time

from explain.deadline import Deadline
from service.errors import TooBusy
from service.explanations.asking import Sought
from service.explanations.batch import (
    CHUNK_SECONDS,
    Batch,
    Row,
    answering,
    deadline_of,
    run_step,
    submit_row,
)
from service.explanations.explaining import withholding
from service.explanations.searching import DIRECT, Stand, advance, nothing_sought, recourse_of, settled

SEARCH_MS = 250.0  # what one decision of a batch may be searched, whatever its budget


async def search(batch: Batch, chunk: list[Row]) -> None:
    """Searches for what is sought, in turns that others share; without a thread, all of it is deferred.

    The entries are handed over in the order of the rows: the first of equal decisions is the one on record.
    """
    left = [row for row in chunk if row.became is None]
    while left:
        try:
            done = await batch.services.seek.run(_seek, batch, left)
        except TooBusy:
            await run_step(batch.services.hot, _defer, batch, left)
            return
        left = left[done:]


def submit_unsought(batch: Batch, rows: list[Row]) -> None:
    """Hands over what needs no search."""
    for row in rows:
        if row.became is None:
            with answering(row):
                assert row.finding is not None  # noqa: S101  from the stage before
                submit_row(batch, row, nothing_sought(row.finding), time.monotonic())


def _seek(batch: Batch, rows: list[Row]) -> int:
    """Searches for one row after the other as long as one turn lasts; how many rows that were."""
    ends = time.monotonic() + CHUNK_SECONDS
    for done, row in enumerate(rows, start=1):
        _each(batch, row, asked=True)
        if time.monotonic() >= ends:
            return done
    return len(rows)


def _defer(batch: Batch, rows: list[Row]) -> None:
    for row in rows:
        _each(batch, row, asked=False)


def _each(batch: Batch, row: Row, *, asked: bool) -> None:
    """One row up to its commit; `asked` says whether there is a turn for the search."""
    if row.sought is None:
        submit_unsought(batch, [row])
        return
    with answering(row):
        assert row.finding is not None  # noqa: S101  from the stage before
        started, deadline = time.monotonic(), deadline_of(row.finding)
        stand, searched = Stand(_methods(row.sought)), started
        if asked:
            searching = _at_most(batch.services.reserve.keeping(deadline))
            stand = advance(row.finding, row.sought, stand, searching, lambda _: "stopped")
            searched = stand.ended
        found = stand.concluded or settled(row.finding, row.sought, stand)
        with withholding(row.finding.loaded, row.finding.question, batch.actor):
            recourse = recourse_of(row.sought, found, started, batch.services.clock.now())
        submit_row(batch, row, recourse, searched, deadline)


def _at_most(searching: Deadline) -> Deadline:
    """The deadline of one search; a batch is no place for a long one."""
    left_ms = 1e3 * searching.remaining_seconds()
    return searching.keeping(max(0.0, left_ms - SEARCH_MS))


def _methods(sought: Sought) -> tuple[str, ...]:
    """The direct search, if it is among those that may be asked; the workers ask the others."""
    return (DIRECT,) if DIRECT in sought.methods else sought.methods
