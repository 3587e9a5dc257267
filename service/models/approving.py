"""Approving and retiring model versions: the change and its entry in one transaction."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from uuid import UUID

from audit.canonical import canonical
from audit.entry import Draft
from audit.receipt import Receipt
from explain.errors import ExplainError
from records.reaching import transaction
from registry import store
from registry.errors import NotApproved, RegistryError
from runtime.postgres import Connection
from schemas.model_version import ApprovalRequest
from service.context import Services
from service.explanations.recalling import receipt_of
from service.explanations.rehearsing import rehearse

logger = logging.getLogger("service.models.approving")


class _Overtaken(Exception):
    """The model changed between looking and writing: the entry just written is not true and must not stay."""


@dataclass(frozen=True, slots=True)
class Change:
    """A change of status to be made."""

    model: str
    version: str
    wanted: ApprovalRequest
    actor: str


def decide_status(services: Services, change: Change) -> Receipt:
    """Sets the status and returns its entry's receipt; that of the first if it has the status already."""
    with transaction(services.pool) as conn:
        entry_id = _decide(services, conn, change)
    services.versions.forget_approved(change.model)
    _load(services)
    return receipt_of(services, services.log.read(entry_id))


def _load(services: Services) -> None:
    """Load what serves from now on, so that no decision waits for it; what fails here fails there again."""
    try:
        rehearse(services.log, services.clock, services.versions.load_all_approved(), services.proposer)
    except (ExplainError, RegistryError) as error:
        logger.warning("an approved version could not be loaded", exc_info=error)


def _decide(services: Services, conn: Connection, change: Change) -> UUID:
    store.lock_model(conn, change.model)  # one change at a time: each entry says what it really retired
    row = store.get_version(conn, change.model, change.version)
    if row.status == change.wanted.status:
        return store.status_history(conn, change.model, change.version)[-1].entry_id
    now = services.clock.now()
    retires = _serving(conn, change.model) if change.wanted.status == "approved" else ()
    body = {
        "model": change.model,
        "version": change.version,
        "manifest_digest": row.manifest_digest,
        "retires": list(retires),
    }
    draft = Draft(
        type=f"model.{change.wanted.status}",
        actor=change.actor,
        body=body,
        private=canonical({"by": change.wanted.by, "note": change.wanted.note}),  # names and free text
    )
    appended = services.log.append_one(draft, now, conn)
    done = store.set_status(
        conn,
        change.model,
        change.version,
        status=change.wanted.status,
        by=change.wanted.by,
        note=change.wanted.note,
        entry_id=appended.entry_id,
        now=now,
    )
    if not done.changed or done.retired != retires:
        raise _Overtaken
    return appended.entry_id


def _serving(conn: Connection, model: str) -> tuple[str, ...]:
    try:
        return (store.approved_version(conn, model).version,)
    except NotApproved:
        return ()
