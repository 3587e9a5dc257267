"""The rehearsal before the first decision: every step is taken, nothing is kept."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

import numpy as np
import psycopg
import pytest

from audit.entry import Draft
from explain.counterfactual.constraints.expressions import Expression
from explain.counterfactual.constraints.links import Link
from explain.reference import Reference
from service.context import Pools
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
    pools = Pools(services.pool, services.single_statements, services.keys_pool)
    rehearse_statements(services.log, services.clock, pools)
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


class _Listening:
    """The log itself, and what it was given to prepare."""

    def __init__(self, log: Any) -> None:
        self._log = log
        self.drafts: list[Draft] = []

    def prepare(self, draft: Draft, now: datetime) -> object:
        self.drafts.append(draft)
        return self._log.prepare(draft, now)


@pytest.mark.parametrize("kept_from", [0, 5, None])
def test_rows_that_contradict_a_link_do_not_stop_the_rehearsal(running: Any, kept_from: int | None) -> None:
    """Everybody is declined; the first rows, or all, are not what the link derives."""
    services = running.services
    loaded = services.versions.get("loans")
    link = Link("debt_ratio", Expression.parse("5.2 * loan_amount / income"), 1)
    constraints = replace(loaded.constraints, by_feature={}, links=(link,))
    columns = dict(zip(loaded.space.names, loaded.reference.rows.T, strict=True))
    rows = loaded.reference.rows.copy()
    derived = link.values(columns)
    wrong = np.arange(len(rows)) < (len(rows) if kept_from is None else kept_from)
    rows[:, loaded.space.index("debt_ratio")] = derived + 3.0 * wrong
    linked = replace(
        loaded,
        constraints=constraints,
        search=replace(loaded.search, constraints=constraints),
        reference=Reference.of(loaded.reference.kind, rows, loaded.reference.band),
        rule=replace(loaded.rule, threshold=1e-9),
    )
    log = _Listening(services.log)
    rehearse(log, services.clock, [linked], services.proposer)  # type: ignore[arg-type]
    (draft,) = log.drafts
    assert (draft.body["counterfactual_status"] == "not_requested") == (kept_from is None)
