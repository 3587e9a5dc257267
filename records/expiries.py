"""What the key custodian does for a month of a class whose periods are over; each step can be repeated.

    begin       every entry is past its end and none is held; from here on nothing stops it
    destroy     the keys of its entries, a batch at a time, and what other tables keep about them
    declare     `retention.expired`: how many entries, which (by a digest), how many keys
    drop        once that entry is in the tree: the payloads

A month waits for the last of its entries: nothing in it is destroyed while one of them is live or held.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from psycopg.rows import class_row

from audit.canonical import JsonValue
from audit.custody import (
    KeyCustody,
    Partition,
    append_clear,
    drop_expired_partition,
    entries_of_keys,
    is_integrated,
    keys_of_partition,
    private_entries,
)
from audit.entry import Draft
from records.custody import forget_decisions, take_turn
from records.executions import ACTOR
from records.holds import holds_over_month, holds_since
from records.queries import queries
from runtime.postgres import Connection

EXPIRED = "retention.expired"


@dataclass(frozen=True, slots=True, kw_only=True)
class Expiry:
    """How far the expiry of one month of one class has come."""

    retention_class: str
    month: date
    started_at: datetime
    entries: int | None
    keys: int | None
    manifest_entry_id: UUID | None
    expired_at: datetime | None
    dropped_at: datetime | None


def read_expiry(conn: Connection, partition: Partition) -> Expiry | None:
    """How far the expiry of a partition has come; None where it has not begun."""
    with conn.cursor(row_factory=class_row(Expiry)) as cursor:
        return cursor.execute(queries("expiries")["read"], _values(partition)).fetchone()


def list_expiries(conn: Connection, *, since: datetime, until: datetime) -> list[Expiry]:
    """Expiries that began before `until` and were not over before `since`."""
    with conn.cursor(row_factory=class_row(Expiry)) as cursor:
        return cursor.execute(queries("expiries")["between"], {"since": since, "until": until}).fetchall()


def begin(conn: Connection, keys: KeyCustody, partition: Partition, now: datetime) -> Expiry | None:
    """Start the expiry of a partition whose periods are over; None while a hold covers one of its entries."""
    take_turn(conn)
    begun = read_expiry(conn, partition)
    if begun is not None:
        return begun
    if holds_over_month(conn, keys, partition):
        return None
    conn.execute(queries("expiries")["start"], {**_values(partition), "at": now})
    return read_expiry(conn, partition)


def destroy(conn: Connection, keys: KeyCustody, partition: Partition, now: datetime) -> int:
    """Destroy the keys of every entry of a partition, and forget the decisions; return how many are gone."""
    gone = 0
    for key_ids in keys_of_partition(conn, partition):
        gone += keys.destroy_entries(key_ids, now)
        forget_decisions(conn, entries_of_keys(conn, key_ids), now)
    return gone


def declare(conn: Connection, partition: Partition, destroyed: int, now: datetime) -> Expiry | None:
    """Append `retention.expired`, in the caller's transaction; once."""
    take_turn(conn)
    expiry = read_expiry(conn, partition)
    if expiry is None or expiry.expired_at is not None:
        return expiry
    found = private_entries(conn, partition)
    body: dict[str, JsonValue] = {
        "retention_class": partition.retention_class,
        "month": partition.name,
        "entries": found.count,
        "entries_digest": found.digest,
        "keys": destroyed,
    }
    entry_id = append_clear(conn, Draft(type=EXPIRED, actor=ACTOR, body=body), now).entry_id
    values = {
        **_values(partition),
        "at": now,
        "entries": found.count,
        "keys": destroyed,
        "entry_id": entry_id,
    }
    conn.execute(queries("expiries")["manifest"], values)
    return read_expiry(conn, partition)


def drop(conn: Connection, partition: Partition, expiry: Expiry, now: datetime) -> bool:
    """Drop the payloads once their manifest is in the tree; False while it is not, or a hold came between."""
    manifest = expiry.manifest_entry_id
    if manifest is None or not is_integrated(conn, manifest):
        return False
    if holds_since(conn, partition, expiry.expired_at):
        return False
    drop_expired_partition(conn, partition, manifest)
    conn.execute(queries("expiries")["drop"], {**_values(partition), "at": now})
    return True


def waits_for_the_tree(conn: Connection, expiry: Expiry) -> bool:
    """Whether the manifest has no place in the tree yet."""
    return expiry.manifest_entry_id is not None and not is_integrated(conn, expiry.manifest_entry_id)


def destroy_again(conn: Connection, keys: KeyCustody, since: datetime, now: datetime) -> None:
    """Destroy the keys of what expired since that moment once more: an old copy brings them back."""
    for name, month in conn.execute(queries("expiries")["expired_since"], {"since": since}).fetchall():
        destroy(conn, keys, Partition(month, name), now)


def _values(partition: Partition) -> dict[str, object]:
    return {"retention_class": partition.retention_class, "month": partition.month}
