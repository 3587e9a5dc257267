"""One evaluation, from its lease to its outcome: claim, work, finish once.

The work may run twice, when a worker dies or a message is delivered again; the outcome is appended once, by
whoever still holds the lease when it is done.
"""

from __future__ import annotations

import logging
import os
import secrets
import socket
from collections.abc import Callable, Mapping
from datetime import datetime
from uuid import UUID

from audit.entry import Draft
from audit.errors import AuditUnavailable
from records.evaluations import Evaluation, about, outcome_body, outcome_idempotency
from records.leases import Outcome, claim_evaluation, finish_evaluation, release_evaluation
from records.reaching import RecordsUnavailable, transaction
from runtime.metrics import EVALUATIONS, INCIDENTS
from workers.averaging import average_importance
from workers.comparing_references import compare_references
from workers.crosschecking import cross_check_explanation
from workers.errors import EvaluationImpossible, EvaluationStopped
from workers.leasing import HeldLease
from workers.measuring_counterfactuals import measure_counterfactuals
from workers.resources import ACTOR, Resources
from workers.stabilizing import stabilize_reasons
from workers.supplementing import supplement

_LOG = logging.getLogger(__name__)

Work = Callable[[Resources, Evaluation, HeldLease], Outcome]
WORK: Mapping[str, Work] = {
    "kernelshap": cross_check_explanation,
    "importance": average_importance,
    "reason_stability": stabilize_reasons,
    "reference_comparison": compare_references,
    "counterfactual": supplement,
    "counterfactual_metrics": measure_counterfactuals,
}


def evaluate(resources: Resources, evaluation_id: UUID) -> None:
    """Do the evaluation of this id, unless another worker has it or it is finished.

    With the database away nothing is lost: an unclaimed row is sent again, a lease runs out.
    """
    try:
        _claim_and_work(resources, evaluation_id)
    except (RecordsUnavailable, AuditUnavailable):
        _LOG.warning("the database is away", extra={"evaluation_id": str(evaluation_id)})
        resources.log.discard_broken_connections()


def _claim_and_work(resources: Resources, evaluation_id: UUID) -> None:
    owner = f"{socket.gethostname()}:{os.getpid()}:{secrets.token_hex(8)}"
    with transaction(resources.pool) as conn:
        evaluation = claim_evaluation(
            conn, evaluation_id, owner, resources.clock.now(), resources.policy.lease
        )
    told = {"evaluation_id": str(evaluation_id)}
    if evaluation is None:
        _LOG.info("nothing to claim", extra=told)
        return
    _LOG.info("claimed", extra={**told, "kind": evaluation.kind, "attempt": evaluation.attempts})
    lease = (evaluation_id, owner)
    try:
        outcome = _outcome(resources, evaluation, lease)
    except EvaluationStopped as stopped:
        _LOG.info("stopped", extra={**told, "reason": stopped.reason})
        if stopped.reason == "stopping":
            _release(resources, lease, stopped.reason, resources.clock.now())
    except Exception as error:  # noqa: BLE001  (whatever it was, it is named in the row and tried again)
        _LOG.warning("stumbled", extra=told, exc_info=error)
        sent_at = resources.clock.now() + resources.policy.pause(evaluation.attempts)
        _release(resources, lease, reason_of(error), sent_at)
    else:
        _finish(resources, evaluation, lease, outcome)


def _outcome(resources: Resources, evaluation: Evaluation, lease: tuple[UUID, str]) -> Outcome:
    """Do the work; a failure that no further attempt can mend is an outcome too."""
    policy = resources.policy
    if evaluation.attempts > policy.max_attempts:
        return failed(evaluation, evaluation.failure or "attempts-exhausted")
    work = WORK.get(evaluation.kind)
    if work is None:
        return failed(evaluation, "kind-unknown")
    try:
        with HeldLease(resources.pool, resources.clock, policy, lease, resources.stopping) as held:
            return work(resources, evaluation, held)
    except EvaluationImpossible as impossible:
        return failed(evaluation, impossible.reason, *impossible.drafts)
    except EvaluationStopped as stopped:
        if stopped.reason == "time-limit":
            return failed(evaluation, stopped.reason)
        raise
    except Exception as error:
        if evaluation.attempts >= policy.max_attempts:
            _LOG.warning("gave up", extra={"evaluation_id": str(lease[0])}, exc_info=error)
            return failed(evaluation, reason_of(error))
        raise


def failed(evaluation: Evaluation, reason: str, *more: Draft) -> Outcome:
    """The outcome of an evaluation that gave no result, by the name of its reason."""
    draft = Draft(
        type="evaluation.failed",
        actor=ACTOR,
        body={**outcome_body(evaluation), "reason": reason},
        about=about(evaluation.parameters),
        idempotency=outcome_idempotency(evaluation.evaluation_id),
    )
    return Outcome("failed", reason, None, (draft, *more))


def reason_of(error: Exception) -> str:
    """The name of what a worker stumbled over: never its message, which may quote what it choked on."""
    if isinstance(error, (AuditUnavailable, RecordsUnavailable)):
        return "database-away"
    return f"error: {type(error).__name__}"


def _finish(resources: Resources, evaluation: Evaluation, lease: tuple[UUID, str], outcome: Outcome) -> None:
    told = {"evaluation_id": str(evaluation.evaluation_id), "kind": evaluation.kind}
    with transaction(resources.pool) as conn:
        entry_id = finish_evaluation(conn, resources.log, lease, outcome, resources.clock.now())
    if entry_id is None:
        _LOG.info("the lease was lost; another outcome stands", extra=told)
        return
    EVALUATIONS.labels(kind=evaluation.kind, state=outcome.state).inc()
    for draft in outcome.drafts[1:]:
        INCIDENTS.labels(kind=str(draft.body["kind"])).inc()
    _LOG.info("finished", extra={**told, "status": outcome.state, "reason": outcome.failure})


def _release(resources: Resources, lease: tuple[UUID, str], reason: str, sent_at: datetime) -> None:
    """Give the lease back; with the database away it simply runs out."""
    try:
        with transaction(resources.pool) as conn:
            release_evaluation(conn, *lease, sent_at, reason)
    except RecordsUnavailable:
        _LOG.warning("could not give the lease back", extra={"evaluation_id": str(lease[0])})
        resources.log.discard_broken_connections()
