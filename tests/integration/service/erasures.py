"""Destroying a person's key as an erasure does, for tests."""

from __future__ import annotations

from typing import Any

import psycopg

from runtime.clock import SystemClock


def erase_subject(running: Any, entry_id: str) -> None:
    """Destroy the key of the person that an entry is about; everything under it is gone with it."""
    key_id = running.services.log.read(running.uuid(entry_id)).entry.private.key_id
    with psycopg.connect(running.admin_url.replace("/main_", "/keys_")) as keys:
        destroyed = keys.execute(
            "select keys.destroy_subject_key_v1(subject_key_id, %s) from keys.entry_key where key_id = %s",
            (SystemClock().now(), key_id),
        ).fetchone()
    assert destroyed == (True,)
