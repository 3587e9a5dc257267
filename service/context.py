"""What every request may use, made once in `service.app` and kept on the application."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple
from uuid import UUID

from fastapi import Request

from audit.commit import GroupCommitter
from audit.entry import Appended
from audit.keys import KeyStore
from audit.log import AuditLog
from audit.note import Signer
from audit.receipt import Receipt, issue_receipt
from registry.examining import Examiner
from registry.loading import VersionCache
from registry.proposing import Proposer
from runtime.clock import Clock
from runtime.postgres import Pool
from runtime.settings import Settings
from service.archive import Archive
from service.authentication import Authenticator
from service.executor import BoundedExecutor
from service.lagging import Lag
from service.pacing import Pace
from service.renderer import Renderer
from service.reserving import Reserve
from service.tasks import TaskSender
from service.warming import Warming


class Pools(NamedTuple):
    """The connections: to the log's database with and without transactions, and to that of the keys."""

    pool: Pool
    single_statements: Pool
    keys_pool: Pool


@dataclass(frozen=True, slots=True, kw_only=True)
class Services:
    """The rooms behind the wire, wired.

    `hot` is for explanations alone, up to their reasons; `seek` for the search of what would change them;
    `desk` for reads, tokens and other short database work; `press` for letters; `archive` for reports, which
    may take a minute; `gate` for registrations and `replays` for replays, which take seconds and must hold up
    nobody. What is one statement takes its connection from `single_statements`: without a transaction around
    it, it is one round trip.
    """

    settings: Settings
    clock: Clock
    pool: Pool
    single_statements: Pool
    keys_pool: Pool
    keystore: KeyStore
    log: AuditLog
    lag: Lag
    committer: GroupCommitter
    versions: VersionCache
    examiner: Examiner
    signer: Signer
    hot: BoundedExecutor
    seek: BoundedExecutor
    reserve: Reserve
    pace: Pace
    proposer: Proposer
    desk: BoundedExecutor
    press: BoundedExecutor
    archive: Archive
    gate: BoundedExecutor
    replays: BoundedExecutor
    authenticator: Authenticator
    tasks: TaskSender
    renderer: Renderer
    warming: Warming

    def receipt(self, appended: Appended, index: int | None = None) -> Receipt:
        """The log's promise about a committed entry; the same entry always gets the same receipt."""
        receipt = issue_receipt(self.signer, self.settings.log_origin, appended)
        return receipt if index is None else receipt.with_index(index)


def services_of(request: Request) -> Services:
    """The services of the application that took this request."""
    services: Services = request.app.state.services
    return services


def id_of(text: str) -> UUID | None:
    """The id in an address, or None if it is not written as this service writes ids."""
    try:
        found = UUID(text)
    except ValueError:
        return None
    return found if str(found) == text else None
