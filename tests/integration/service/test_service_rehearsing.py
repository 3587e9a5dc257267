"""The rehearsal before the first decision: every step is taken, nothing is kept."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import psycopg

from service.explanations.rehearsing import rehearse, rehearse_statements


def kept(running: Any) -> list[int]:
    """Count what a commit would leave behind: entries, promises to integrate, idempotency keys."""
    tables = ("audit.entry", "audit.pending", "audit.idempotency", "audit.payload")
    with psycopg.connect(running.admin_url) as conn:
        return [conn.execute(f"select count(*) from {table}").fetchone()[0] for table in tables]


def test_a_rehearsal_leaves_nothing_behind(running: Any) -> None:
    services = running.services
    loaded = services.versions.get("loans")
    running.integrate()
    before = kept(running)
    rehearse(services.log, services.clock, [loaded], services.proposer)
    rehearse_statements(services.log, services.clock, services.pool)
    assert kept(running) == before


def test_a_version_whose_first_row_has_no_explanation_still_serves(running: Any) -> None:
    services = running.services
    loaded = services.versions.get("loans")
    silent = replace(
        loaded,
        words=replace(loaded.words, factors={}),
        rule=replace(loaded.rule, threshold=1e-9),  # everybody is declined
    )
    rehearse(services.log, services.clock, [silent], services.proposer)
