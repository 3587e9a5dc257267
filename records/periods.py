"""How long what is on record about a decision is kept, read out of the clear part of its entries.

Every entry about a decision is kept as long as the decision. The period of credit decisions begins when the
applicant is notified (12 CFR 1002.12(b)(1)): at the last notice that was sent; while one is owed it has not
begun. Where none is owed, nobody says when the applicant learned of it: it begins as late as a notice may.
No period begins before the record itself: whoever may say when a notice was sent could end it otherwise.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from uuid import UUID

from audit.custody import Partition
from audit.entry import Entry, parse_entry
from audit.errors import MalformedEntry
from audit.retention import LONGEST_NOTICE, RULES, add_months
from records.lifecycle import CREATED, STEPS, read_history
from records.queries import queries
from runtime.postgres import Connection

# The reason of a hold lies under its subject's key. It forbids an erasure while it stands, and not after.
_PASSED_OVER = ("hold.placed", "hold.released")
_ROWS = 2000
_LOG = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Retained:
    """Something must be kept: until then, or with no end yet because its period has not begun.

    `classes` are the retention classes of what must be kept.
    """

    until: datetime | None
    classes: tuple[str, ...]


def period_end(entry: Entry, about: Iterable[Entry] = ()) -> datetime | None:
    """The end of the period of a decision, or of an entry about none; None where it has not begun.

    `about` are the entries about its notice. What is of a class without a rule is kept for good.
    """
    rule = RULES.get(entry.retention_class)
    if rule is None:
        return None
    if rule.starts == "entry":
        return rule.ends_at(entry.time)
    notice = read_history([entry, *about]) if entry.type == CREATED else None
    if notice is None:
        return rule.ends_at(entry.time + LONGEST_NOTICE)
    if notice.running:
        return None
    begins = [entry.time, *(sending.sent_at for sending in notice.sendings)]
    if notice.overridden is not None and notice.unanswered:  # of what holds now nobody says when it was told
        begins.append(notice.overridden.since + LONGEST_NOTICE)
    return rule.ends_at(max(begins))


def retained_beyond(conn: Connection, key_ids: Sequence[UUID], at: datetime) -> Retained | None:
    """What must be kept beyond this moment of the entries under these keys; None where nothing must.

    The latest end of all, or none where one of them has none yet.
    """
    values = {"key_ids": list(key_ids), "passed_over": list(_PASSED_OVER), "types": list(STEPS)}
    rows = conn.execute(queries("custody")["decisions_of_keys"], values).fetchall()
    kept = [(name, end) for name, end in _ends(rows) if end is None or end > at]
    if not kept:
        return None
    ends = [end for _, end in kept if end is not None]
    classes = tuple(sorted({name for name, _ in kept if name is not None}))
    return Retained(max(ends) if len(ends) == len(kept) else None, classes)


def could_be_over(partition: Partition, now: datetime) -> bool:
    """Whether so much time has passed that every entry of a partition could have reached its end."""
    rule = RULES.get(partition.retention_class)
    begin = datetime(partition.month.year, partition.month.month, 1, tzinfo=UTC)
    return rule is not None and rule.ends_at(add_months(begin, 1)) <= now


def is_over(conn: Connection, partition: Partition, now: datetime) -> bool:
    """Whether every entry with a private part in a partition has reached its end."""
    if not could_be_over(partition, now):
        return False
    values = {
        "retention_class": partition.retention_class,
        "month": partition.month,
        "types": list(STEPS),
    }
    with conn.cursor("periods", binary=True) as cursor:
        cursor.itersize = _ROWS
        cursor.execute(queries("custody")["decisions_of_month"], values)
        return all(end is not None and end <= now for _, end in _ends(cursor))


def _ends(rows: Iterable[tuple[UUID, bytes]]) -> Iterator[tuple[str | None, datetime | None]]:
    """Class and end of each decision, from rows of its entries that stand together."""
    for anchor, group in groupby(rows, key=lambda row: row[0]):
        yield _end(anchor, [bytes(canonical) for _, canonical in group])


def _end(anchor: UUID, canonicals: Sequence[bytes]) -> tuple[str | None, datetime | None]:
    """Class and end of one decision; no end where an entry cannot be read, for who knows what it says."""
    name = None
    try:
        entries = [parse_entry(canonical) for canonical in canonicals]
        decision = next(entry for entry in entries if entry.entry_id == anchor)
        name = decision.retention_class
        return name, period_end(decision, [entry for entry in entries if entry is not decision])
    except (MalformedEntry, LookupError, TypeError, ValueError, StopIteration) as error:
        _LOG.warning(
            "a period cannot be read", extra={"entry_id": str(anchor), "reason": type(error).__name__}
        )
        return name, None
