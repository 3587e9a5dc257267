"""What the key custodian does for one erasure, step by step; after a crash each step can be done again.

    begin      holds and periods are looked at once more
    settle     what was being written about the person is in the log by then
    destroy    all is looked at a last time, with the subject's key locked; then that is destroyed
    forget     index rows, evaluations: what would still point at the person
    complete   the entry keys let go of the subject's; `erasure.completed`

Until the key is destroyed it may have to wait: for a hold, or for what was decided meanwhile.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from audit.canonical import JsonValue
from audit.custody import KeyCustody, append_clear, entries_of_keys, forget_indexes
from audit.entry import Draft, format_time
from records.custody import forget_decisions, take_turn
from records.erasures import Erasure, Obstacle, obstacle, read_erasure, told
from records.queries import queries
from runtime.postgres import Connection

HELD = "erasure.held"
COMPLETED = "erasure.completed"
ACTOR = "custodian"
REPEATABLE = timedelta(days=1)
"""How long after its end an erasure is found by the same request again."""


def due_erasures(conn: Connection, now: datetime, *, held_too: bool) -> list[UUID]:
    """The erasures whose time has come, with or without those that were found waiting."""
    values = {"now": now, "held_too": held_too}
    return [row[0] for row in conn.execute(queries("erasures")["due"], values).fetchall()]


def begin(conn: Connection, keys: KeyCustody, erasure_id: UUID, now: datetime) -> Erasure:
    """Let an erasure that is due settle, or find that it has to wait; the first time, that goes on record."""
    take_turn(conn)
    erasure = read_erasure(conn, erasure_id)
    if erasure.started_at is not None:
        return erasure
    key_ids = keys.keys_of_subject(erasure.subject_key_id)
    found = obstacle(conn, erasure.subject_key_id, key_ids, now)
    if found is None:
        _settle(conn, erasure, _unwritten(conn, key_ids), now)
    else:
        _wait(conn, erasure, found, now)
    return read_erasure(conn, erasure_id)


def destroy(conn: Connection, keys: KeyCustody, erasure: Erasure, now: datetime) -> Erasure:
    """Destroy the key of the subject, and note that it is gone, once it has settled.

    While the subject's key is locked nothing is added under it, so that what is looked at is all there is:
    what was written meanwhile may have to be kept, and what is still being written is waited for again.
    """
    take_turn(conn)
    erasure = read_erasure(conn, erasure.erasure_id)
    if erasure.destroyed_at is not None or erasure.started_at is None:
        return erasure
    with keys.locked(erasure.subject_key_id) as locked:
        key_ids = locked.key_ids()
        if locked.there:  # else it was destroyed before, and only the note of it is missing
            found = obstacle(conn, erasure.subject_key_id, key_ids, now)
            unwritten = _unwritten(conn, key_ids)
            if found is not None:
                _wait(conn, erasure, found, now)
                return read_erasure(conn, erasure.erasure_id)
            if not set(unwritten) <= set(erasure.unwritten):
                _settle(conn, erasure, unwritten, now)
                return read_erasure(conn, erasure.erasure_id)
            locked.destroy(now)
    conn.execute(queries("erasures")["destroyed"], {"erasure_id": erasure.erasure_id, "at": now})
    return read_erasure(conn, erasure.erasure_id)


def forget(conn: Connection, keys: KeyCustody, erasure: Erasure, now: datetime) -> Erasure:
    """Take away what would still point at the person, in the caller's transaction with the counts."""
    take_turn(conn)
    erasure = read_erasure(conn, erasure.erasure_id)
    if erasure.forgotten_at is not None:
        return erasure
    key_ids = keys.keys_of_subject(erasure.subject_key_id)
    entry_ids = entries_of_keys(conn, key_ids)
    values = {
        "erasure_id": erasure.erasure_id,
        "at": now,
        "entries": len(entry_ids),
        "indexes": forget_indexes(conn, erasure.requested_entry_id, key_ids),
        "evaluations": forget_decisions(conn, entry_ids, now),
    }
    conn.execute(queries("erasures")["forgotten"], values)
    return read_erasure(conn, erasure.erasure_id)


def complete(
    conn: Connection, keys: KeyCustody, erasure: Erasure, backup_days: int, now: datetime
) -> Erasure:
    """Let go of what hung on the key, and append `erasure.completed`; once, however often it is tried."""
    keys.unlink_subject(erasure.subject_key_id, now)
    take_turn(conn)
    erasure = read_erasure(conn, erasure.erasure_id)
    if erasure.completed_at is not None:
        return erasure
    body: dict[str, JsonValue] = {
        "erasure_id": str(erasure.erasure_id),
        "subject_key_id": str(erasure.subject_key_id),
        "entries": erasure.entries,
        "indexes": erasure.indexes,
        "evaluations": erasure.evaluations,
        "backups_gone_by": format_time(backups_gone_by(now, backup_days)),
    }
    draft = Draft(type=COMPLETED, actor=ACTOR, body=body, about=erasure.requested_entry_id)
    entry_id = append_clear(conn, draft, now).entry_id
    values = {"erasure_id": erasure.erasure_id, "at": now, "entry_id": entry_id}
    conn.execute(queries("erasures")["complete"], values)
    return read_erasure(conn, erasure.erasure_id)


def backups_gone_by(completed_at: datetime, backup_days: int) -> datetime:
    """When the last backup that still has the key is too old to exist, by the age that was declared."""
    return completed_at + timedelta(days=backup_days)


def forget_requests(conn: Connection, now: datetime) -> None:
    """Let go of the HMACs by which repeated requests were known."""
    conn.execute(queries("erasures")["forget_requests"], {"before": now - REPEATABLE})


def destroy_again(conn: Connection, keys: KeyCustody, since: datetime, now: datetime) -> list[UUID]:
    """Destroy what was destroyed since that moment once more; return the keys that had come back.

    That is what an old copy of the keys database does.
    """
    rows = conn.execute(queries("erasures")["destroyed_since"], {"since": since}).fetchall()
    back = keys.destroy_subjects([row[0] for row in rows], now)
    for subject_key_id in (row[0] for row in rows if row[1]):
        keys.unlink_subject(subject_key_id, now)
    return back


def _unwritten(conn: Connection, key_ids: list[UUID]) -> list[UUID]:
    """The keys of entries that are not in the log: never will be, or not yet."""
    return [row[0] for row in conn.execute(queries("erasures")["unwritten"], {"key_ids": key_ids}).fetchall()]


def _settle(conn: Connection, erasure: Erasure, unwritten: list[UUID], now: datetime) -> None:
    values = {"erasure_id": erasure.erasure_id, "at": now, "unwritten": unwritten}
    conn.execute(queries("erasures")["settle"], values)


def _wait(conn: Connection, erasure: Erasure, found: Obstacle, now: datetime) -> None:
    """Note what it waits for; the first time that is an entry, and not again until it has begun."""
    if erasure.held_at is None:
        body: dict[str, JsonValue] = {
            "erasure_id": str(erasure.erasure_id),
            "subject_key_id": str(erasure.subject_key_id),
            **told(found),
        }
        draft = Draft(type=HELD, actor=ACTOR, body=body, about=erasure.requested_entry_id)
        append_clear(conn, draft, now)
    values = {
        "erasure_id": erasure.erasure_id,
        "at": erasure.held_at or now,
        "ground": found.ground,
        "retained_until": found.retained_until,
        "hold_ids": found.hold_ids,
    }
    conn.execute(queries("erasures")["hold_up"], values)
