"""Report 9: erasures, legal holds, expiries of a period; which holds stand; what is kept until when."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import date, datetime
from typing import Final
from uuid import UUID

from audit.canonical import JsonValue
from audit.entry import Entry, parse_time
from audit.retention import LONGEST_NOTICE, RULES
from records.decisions import Kept, kept_by_month
from records.holds import PLACED, standing_holds
from reports.registers.listing import ENTRY_COLUMNS, EXPLANATION, SAID, listed, text_of
from reports.registers.period import period_of
from reports.registers.report import PERIOD, Asked, Column, Reading, Report, Row, Source
from reports.requirements.citing import cite

TYPES: Final = (
    *("erasure.requested", "erasure.refused", "erasure.held", "erasure.completed"),
    *("hold.placed", "hold.released", "retention.expired"),
)


def _read(source: Source, asked: Asked) -> Reading:
    counts: Counter[str] = Counter()
    events: Counter[str] = Counter()

    def rows() -> Iterator[Row]:
        for found, row in listed(source, asked, TYPES):
            events[found.entry.type] += 1
            yield {**row, **_event(found.entry)}
        for row in _held(source, asked):
            counts["held"] += 1
            yield row
        for row in _kept(source):
            counts["months"] += 1
            counts["months_due"] += row["due"] is True
            counts["months_expired"] += row["expired_at"] is not None
            counts.update({f"decisions_{name}": _number(row[name]) for name in ("entries", "waiting")})
            yield row

    def summary() -> Mapping[str, JsonValue]:
        return {
            "events": dict(sorted(events.items())),
            "holds_standing": counts["held"],
            "months": counts["months"],
            "months_due": counts["months_due"],
            "months_expired": counts["months_expired"],
            "decisions": counts["decisions_entries"],
            "decisions_waiting": counts["decisions_waiting"],
        }

    return Reading(rows=rows, summary=summary)


def _event(entry: Entry) -> Row:
    """What an entry says, in columns of their own."""
    body = entry.body
    scope = body.get("scope")
    ends = text_of(body.get("retained_until"))
    return {
        "section": "event",
        "explanation_id": _id(scope.get("explanation_id")) if isinstance(scope, dict) else None,
        "hold_id": _id(body.get("hold_id")),
        "erasure_id": _id(body.get("erasure_id")),
        "scope": scope,
        "retention_class": text_of(body.get("retention_class")),
        "month": text_of(body.get("month")),
        "entries": body.get("entries"),
        "retained_until": None if ends is None else parse_time(ends),
        "refusal_ground": text_of(body.get("ground")),
        "basis": text_of(body.get("basis")),
    }


def _held(source: Source, asked: Asked) -> Iterator[Row]:
    """Every hold that stands when the period ends, whenever it was placed."""
    _, end = period_of(asked, source.now)
    for index, hold in standing_holds(source.conn, at=end, before=source.before):
        yield {
            "section": "held",
            "index": index,
            "recorded_at": hold.placed_at,
            "entry_id": hold.placed_entry_id,
            "type": PLACED,
            "actor": hold.placed_by,
            "explanation_id": hold.explanation_id,
            "hold_id": hold.hold_id,
            "scope": hold.scope.clear(),
        }


def _kept(source: Source) -> Iterator[Row]:
    """What is due when: decisions by class and month, whatever the period that is asked for."""
    for kept in kept_by_month(source.conn, source.before, LONGEST_NOTICE):
        known, waiting = _known_end(kept), _waiting(kept)
        until = None if waiting else known
        yield {
            "section": "kept",
            "retention_class": kept.retention_class,
            "month": kept.month,
            "entries": kept.decisions,
            "waiting": waiting,
            "retained_until": until,
            "latest_known_end": known,
            "expired_at": kept.expired_at,
            "due": kept.expired_at is None and until is not None and until <= source.now,
            "may_be_held": kept.may_be_held,
            "rule": _rule(kept.retention_class, source.now.date()),
        }


def _known_end(kept: Kept) -> datetime | None:
    """When the last of the periods that have begun is over."""
    rule = RULES.get(kept.retention_class)
    if rule is None:
        return None
    begins = kept.newest if rule.starts == "entry" else kept.newest_notified
    return None if begins is None else rule.ends_at(begins)


def _waiting(kept: Kept) -> int:
    """How many periods have not begun; one that begins with the entry waits for no notice."""
    rule = RULES.get(kept.retention_class)
    return 0 if rule is not None and rule.starts == "entry" else kept.waiting


def _rule(retention_class: str, on: date) -> str | None:
    """What the period rests on, each rule with where it stood on that day."""
    rule = RULES.get(retention_class)
    return None if rule is None else "; ".join(cite(one, on, "en").printed for one in rule.requirements)


def _id(value: object) -> UUID | None:
    try:
        return UUID(value) if isinstance(value, str) else None
    except ValueError:
        return None


def _number(value: object) -> int:
    return value if isinstance(value, int) else 0


_SECTION: Final = (
    "`event`: an entry of the period; `held`: a hold that stands at its end, whenever placed, with the entry "
    "that placed it; `kept`: what is kept until when, as known when the report was made"
)
_UNTIL: Final = (
    "of a month: when the last of its periods is over, without any hold; null while any decision in it "
    "waits. Of an erasure that was refused or waits: until when entries must be kept"
)
_DUE: Final = (
    "whether that is past and the month has not expired; a hold is not looked at, `may_be_held` tells of it"
)
_MAY_BE_HELD: Final = (
    "whether a hold stands that may cover one of these decisions: on everything, on its model, on itself, or "
    "on a person, of whom the log alone cannot tell which decisions are theirs"
)

RETENTION: Final = Report(
    name="retention",
    number=9,
    title="Retention, erasures and legal holds",
    takes=PERIOD,
    columns=(
        Column("section", "text", _SECTION),
        *ENTRY_COLUMNS,
        EXPLANATION,
        Column("hold_id", "id", "the hold"),
        Column("erasure_id", "id", "the erasure"),
        Column("scope", "json", "what the hold covers; a person by the id of a key alone"),
        Column("retention_class", "text", "the class that says how long entries are kept"),
        Column("month", "text", "the month in which they were made"),
        Column("entries", "integer", "how many entries, or decisions, it is about"),
        Column("waiting", "integer", "decisions whose period has not begun: a notice is still owed"),
        Column("retained_until", "time", _UNTIL),
        Column("latest_known_end", "time", "when the last of the periods that have begun is over"),
        Column("expired_at", "time", "when the month expired: from then on nothing in it can be opened"),
        Column("due", "boolean", _DUE),
        Column("may_be_held", "boolean", _MAY_BE_HELD),
        Column("refusal_ground", "text", "why an erasure was refused or waits: `retention` or `hold`"),
        Column("basis", "text", "on what an erasure was asked for, as the caller said"),
        Column("rule", "text", "what the period of the class rests on, with its status on that day"),
        SAID,
    ),
    rules=("reg-b-12-b", "45-cfr-164-316-b-2-i", "gdpr-17", "ai-act-19", "ai-act-26"),
    read=_read,
)
