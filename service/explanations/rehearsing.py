"""One explanation made and thrown away, before the first one that counts.

A first request pays for what no later one does: modules that load when first used, pages of fresh memory, the
database's plans of each connection. Paid here, it is in nobody's budget. Nothing is committed.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from contextlib import ExitStack, suppress
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from audit.entry import Draft, Idempotency
from audit.log import AuditLog
from explain.deadline import Deadline
from explain.errors import ExplainError
from records.private import build_private
from records.reaching import reaching
from records.tokens import find_token
from registry import store
from registry.errors import RegistryError
from registry.loading import LoadedVersion
from registry.proposing import Proposer
from runtime.clock import Clock
from runtime.postgres import Connection, Pool
from schemas.counterfactual import CounterfactualRequest
from schemas.explanation import ExplanationRequest
from service.context import Pools
from service.errors import ServiceError
from service.explanations.finding import Finding, Question, find
from service.explanations.owing import notice_of
from service.explanations.record import answer, clear_body, private_part
from service.explanations.searching import (
    Recourse,
    Stand,
    advance,
    nothing_sought,
    recourse_of,
    settled,
)

FloatArray = NDArray[np.float64]

BUDGET_MS = 100
CONNECTIONS = 2  # as many as the pool keeps open
NAME = "rehearsal"


def rehearse(log: AuditLog, clock: Clock, versions: Iterable[LoadedVersion], proposer: Proposer) -> None:
    """Explain a reference row of each version, if it has an explanation, and encrypt that.

    The counterfactual server is told of each, so that its first search need not load the model.
    """
    for loaded in versions:
        proposer.prepare(loaded)
        with suppress(ExplainError, ServiceError):  # for instance a principal factor without a reason
            now = clock.now()
            log.prepare(_draft(loaded, now), now)


def rehearse_statements(log: AuditLog, clock: Clock, pools: Pools) -> None:
    """Let each connection plan what a request asks of it; what would be kept is rolled back."""
    idempotency = Idempotency(key=NAME.encode(), fingerprint=b"")
    with reaching():
        log.find_duplicate(idempotency)
        log.rehearse_keys()
        with ExitStack() as held:
            for connection in _some(pools.single_statements, held):
                find_token(connection, NAME, clock.now())
                with suppress(RegistryError):
                    store.serving_row(connection, NAME, None)
            for connection in _some(pools.pool, held):
                with connection.transaction(force_rollback=True):
                    draft = Draft(type="incident.raised", actor=NAME, body={}, idempotency=idempotency)
                    log.append_one(draft, clock.now(), connection)


def _some(pool: Pool, held: ExitStack) -> list[Connection]:
    return [held.enter_context(pool.connection()) for _ in range(CONNECTIONS)]


def _draft(loaded: LoadedVersion, now: datetime) -> Draft:
    """Take the steps of an explanation up to its draft."""
    row, searched = _row(loaded)
    values = loaded.space.instance(row).values
    request = ExplanationRequest(
        decision_id=NAME,
        features=dict(zip(loaded.space.names, values, strict=True)),
        budget_ms=BUDGET_MS,
        counterfactuals=CounterfactualRequest(count=int(searched)),
    )
    finding = find(loaded, Question(loaded.model_name, request))
    recourse, notice = _recourse(finding, now), notice_of(finding, now)
    part, body = private_part(finding, recourse, notice), clear_body(finding, recourse, notice)
    answer(part, body, NAME)
    return Draft(type="explanation.created", actor=NAME, body=body, private=build_private(part))


def _row(loaded: LoadedVersion) -> tuple[FloatArray, bool]:
    """Return the first reference row that a search may start from; where none is, the first without one."""
    rows = loaded.reference.rows
    admitted = loaded.constraints.admitted(rows)
    return rows[int(np.argmax(admitted))], bool(admitted.any())


def _recourse(finding: Finding, now: datetime) -> Recourse:
    """Search as a request would that no other server is asked for."""
    started, sought = time.monotonic(), finding.sought
    if sought is None:
        return nothing_sought(finding)
    searching = Deadline(BUDGET_MS, started)
    stand = advance(finding, sought, Stand(sought.methods), searching, lambda _: "unavailable")
    return recourse_of(sought, stand.concluded or settled(finding, sought, stand), started, now)
