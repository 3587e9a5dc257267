"""The application: everything is wired here and nowhere else."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from audit.commit import GroupCommitter
from audit.database import STATEMENT_TIMEOUT_MS
from audit.keys import KeyStore
from audit.log import AuditLog
from audit.note import Signer
from records.reaching import transaction
from records.tokens import Principal, find_token
from registry.catalogue_documents import SIZE_LIMIT as CATALOGUE_LIMIT
from registry.examining import Examiner, Limits
from registry.loading import VersionCache
from registry.proposing import Proposer
from runtime.clock import Clock, SystemClock
from runtime.metrics import EXPLANATIONS, REQUESTS
from runtime.postgres import Pool, open_pool
from runtime.settings import Settings
from service import openapi
from service.archive import REPORT_THREADS, Archive
from service.authentication import Authenticator
from service.context import Pools, Services
from service.lagging import Lag
from service.letters.narrating import Narrators
from service.middleware import Gateway, pass_on
from service.pacing import Pace
from service.renderer import OurRenderer, Renderer
from service.reserving import Reserve
from service.routes import (
    catalogues,
    erasures,
    evaluations,
    explanations,
    health,
    holds,
    log,
    models,
    narratives,
    notices,
    replays,
    reports,
    requirements,
    reviews,
)
from service.starting import start_up
from service.tasks import TaskSender
from service.threads import (
    DESK_THREADS,
    PRESS_THREADS,
    desk_threads,
    gate_threads,
    hot_threads,
    press_threads,
    replay_threads,
    seek_threads,
)
from service.warming import Warming

# How long a thread may keep the interpreter while others want it. A search computes without a pause, and each
# of the many short steps of an attribution or a commit would wait for it that long.
SWITCH_SECONDS = 0.0005
# A batch is mostly small decisions, and its whole body is in memory at once.
BATCH_BODIES = 8
_ROUTERS = (
    *(health, models, catalogues, explanations, notices, narratives),
    *(replays, reviews, requirements, evaluations, erasures, holds, reports, log),
)
_EXPLAIN_ROUTE = "/v1/models/{model}/explanations"
_FORM_OVERHEAD_BYTES = 64 << 20  # manifest and reference beside the artifact


def create_app(
    settings: Settings,
    clock: Clock | None = None,
    renderer: Renderer | None = None,
    when_warm: Callable[[], object] | None = None,
) -> FastAPI:
    """Returns the application; its pools and threads begin with its lifespan, after any fork.

    `when_warm` is called when its start-up work is done, before the first explanation.
    """
    told = clock or SystemClock()
    letters = renderer or OurRenderer()

    @asynccontextmanager
    async def lifespan(application: FastAPI) -> AsyncIterator[None]:
        sys.setswitchinterval(SWITCH_SECONDS)
        services = make_services(settings, told, letters, when_warm)
        application.state.services = services
        services.warming.start()
        try:
            yield
        finally:
            stop(services)

    app = FastAPI(
        title="Ofrecord",
        version="1",
        lifespan=lifespan,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
    )
    for router in _ROUTERS:
        app.include_router(router.router)
    # Errors pass through the framework untouched: the gateway turns every one of them into a problem.
    for kind in (HTTPException, RequestValidationError):
        app.add_exception_handler(kind, pass_on)
    app.add_middleware(
        Gateway,
        clock=told,
        body_limit=partial(_body_limit, settings),
        observe=_observe,
    )
    app.state.narrators = Narrators(settings)
    app.openapi = partial(openapi.describe, app)  # type: ignore[method-assign]
    _build_routes(app)
    return app


def _build_routes(app: FastAPI) -> None:
    """Let the framework build each route now: left alone it does so while the first request waits."""
    nowhere = {"type": "http", "method": "POST", "path": "/-", "root_path": "", "headers": []}
    for route in app.routes:
        route.matches(nowhere)


def make_services(
    settings: Settings, clock: Clock, renderer: Renderer, when_warm: Callable[[], object] | None
) -> Services:
    """Opens pools and threads; a database that is away delays nothing here."""
    pool, single_statements, keys_pool = pools = _pools(settings)
    keystore = KeyStore(keys_pool, settings.master_key)
    audit_log = AuditLog(pool, keystore, origin=settings.log_origin, single_statements=single_statements)
    desk = desk_threads()

    async def find(secret: str) -> Principal | None:
        return await desk.run(_find_token, single_statements, secret, clock)

    versions = _versions(settings, pools)
    signer, proposer = Signer.parse(settings.receipt_key), Proposer(settings.counterfactual_socket)
    tasks = TaskSender(settings)
    start = partial(start_up, settings, clock, pools=pools, log=audit_log, signer=signer, versions=versions)
    return Services(
        settings=settings,
        clock=clock,
        pool=pool,
        single_statements=single_statements,
        keys_pool=keys_pool,
        keystore=keystore,
        log=audit_log,
        lag=Lag(pool, clock),
        committer=GroupCommitter(audit_log, clock),
        versions=versions,
        examiner=_examiner(settings),
        signer=signer,
        hot=hot_threads(settings.threads),
        seek=seek_threads(settings.threads),
        reserve=Reserve(),
        pace=Pace(),
        proposer=proposer,
        desk=desk,
        press=press_threads(),
        archive=Archive(),
        gate=gate_threads(),
        replays=replay_threads(),
        authenticator=Authenticator(find),
        tasks=tasks,
        renderer=renderer,
        warming=Warming(partial(start, proposer=proposer, tasks=tasks), when_warm),
    )


def _versions(settings: Settings, pools: Pools) -> VersionCache:
    return VersionCache(
        pools.pool,
        cache_dir=settings.cache_dir,
        table_bytes=settings.table_memory_bytes,
        single_statements=pools.single_statements,
    )


def _pools(settings: Settings) -> Pools:
    threads = 2 * settings.threads
    return Pools(
        open_pool(
            settings.database_url,
            min_size=2,
            max_size=threads + DESK_THREADS + PRESS_THREADS + 2 * REPORT_THREADS + 4,
            name="ofrecord-api",
        ),
        open_pool(
            settings.database_url,
            min_size=2,
            max_size=settings.threads + DESK_THREADS + 2,
            name="ofrecord-api-single",
            autocommit=True,
            statement_timeout_ms=STATEMENT_TIMEOUT_MS,
        ),
        open_pool(
            settings.keys_database_url,
            min_size=1,
            max_size=threads + 4,
            name="ofrecord-api-keys",
            autocommit=True,
        ),
    )


def _examiner(settings: Settings) -> Examiner:
    return Examiner(
        cache_dir=settings.cache_dir,
        table_bytes=settings.table_memory_bytes,
        limits=Limits(memory_bytes=settings.registration_memory_bytes),
    )


def stop(services: Services) -> None:
    """Finishes what was begun: threads first, then the entries they handed over, then the connections.

    An examination is not waited for: it may take minutes, and nothing of it is stored yet.
    """
    services.warming.stop()
    services.examiner.close()
    services.archive.close()
    for executor in (
        *(services.gate, services.replays, services.press),
        *(services.hot, services.seek, services.desk),
    ):
        executor.close()
    services.committer.close()
    for pool in (services.pool, services.single_statements, services.keys_pool):
        pool.close()


def _find_token(pool: Pool, secret: str, clock: Clock) -> Principal | None:
    with transaction(pool) as conn:
        return find_token(conn, secret, clock.now())


def _body_limit(settings: Settings, path: str) -> int:
    """The bytes that an address takes."""
    if path == "/v1/models":
        return settings.artifact_limit_bytes + _FORM_OVERHEAD_BYTES
    if path == "/v1/catalogues":
        return max(settings.body_limit_bytes, CATALOGUE_LIMIT)
    if path.startswith("/v1/models/") and path.endswith("/explanations/batch"):
        return settings.body_limit_bytes * BATCH_BODIES
    return settings.body_limit_bytes


def _observe(route: str, status: int) -> None:
    REQUESTS.labels(route=route, status=str(status)).inc()
    if route == _EXPLAIN_ROUTE:
        EXPLANATIONS.labels(status=str(status)).inc()
