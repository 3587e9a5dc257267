"""One running service with a real PostgreSQL and a real trained model, shared by the tests of this room."""

from __future__ import annotations

import os
import secrets
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from uuid import UUID

import httpx
import numpy as np
import pandas as pd
import psycopg
import pytest
import uvicorn
import yaml
from fastapi import FastAPI
from psycopg import sql

from audit.integrate import Integrator
from audit.note import Signer
from audit.receipt import receipt_key_name
from cli.connections import BoundedHttp
from records.tokens import issue_token
from runtime.clock import SystemClock
from runtime.migrations import KEY_ROLES, LOGIN_ROLES, restrict_database
from runtime.postgres import open_pool
from runtime.settings import Settings
from service.app import create_app
from service.context import Services

ORIGIN = "log.test/service"
CHECKPOINT_KEY = Signer.generate(ORIGIN)
RECEIPT_KEY = Signer.generate(receipt_key_name(ORIGIN))
MANIFEST = Path(__file__).with_name("manifest.yaml")
PATIENCE_SECONDS = 180.0  # the first registration of a session compiles what examines a model
DECLINED: dict[str, object] = {
    "income": 21.0,
    "debt_ratio": 64.5,
    "loan_amount": 260,
    "dependents": 2,
    "self_employed": True,
    "property_type": "two_to_four",
}


@dataclass(frozen=True, slots=True)
class Upload:
    """The three parts of a registration."""

    manifest: bytes
    artifact: bytes
    reference: bytes

    def files(self) -> dict[str, tuple[str, bytes, str]]:
        return {
            "manifest": ("manifest.yaml", self.manifest, "application/yaml"),
            "artifact": ("model.json", self.artifact, "application/octet-stream"),
            "reference": ("reference.csv", self.reference, "text/csv"),
        }

    def with_manifest(self, **changes: Any) -> Upload:
        return replace(self, manifest=yaml.safe_dump({**yaml.safe_load(self.manifest), **changes}).encode())


def _population(rows: int) -> tuple[pd.DataFrame, np.ndarray]:
    rng = np.random.default_rng(7)
    table = pd.DataFrame(
        {
            "income": np.round(rng.gamma(4, 15, rows), 1),
            "debt_ratio": np.where(rng.random(rows) < 0.1, np.nan, np.round(rng.uniform(5, 80, rows), 1)),
            "loan_amount": np.round(rng.gamma(3, 60, rows)),
            "dependents": rng.integers(0, 5, rows),
            "self_employed": rng.random(rows) < 0.4,
            "property_type": pd.Categorical(rng.choice(["condo", "single", "two_to_four"], rows)),
        }
    )
    pull = 0.03 * table.debt_ratio.fillna(40) + 0.01 * table.loan_amount - 0.05 * table.income
    pull += 0.3 * table.self_employed + 0.4 * (table.property_type == "two_to_four")
    return table, (pull + rng.normal(0, 0.6, rows) > 0.3).to_numpy().astype(int)


@pytest.fixture(scope="session")
def upload() -> Upload:
    """A trained model with its manifest and reference."""
    import xgboost  # noqa: PLC0415 - seconds

    table, declined = _population(2000)
    booster = xgboost.train(
        {"objective": "binary:logistic", "max_depth": 4, "eta": 0.2, "nthread": 1, "seed": 1},
        xgboost.DMatrix(table, label=declined, nthread=1, enable_categorical=True),
        num_boost_round=60,
    )
    reference = table.head(600).to_csv(index=False).replace("True", "true").replace("False", "false")
    return Upload(MANIFEST.read_bytes(), bytes(booster.save_raw(raw_format="json")), reference.encode())


@dataclass(slots=True)
class Running:
    """A service that answers on a socket, and what stands behind it."""

    app: FastAPI
    http: httpx.Client
    admin_url: str
    integrator_url: str
    vkeys: list[str]
    taken: int = 0
    features: dict[str, object] = field(default_factory=lambda: dict(DECLINED))

    @property
    def services(self) -> Services:
        found: Services = self.app.state.services
        return found

    def token(self, *scopes: str) -> tuple[str, str]:
        """A new token with these scopes, and its id."""
        services = self.services
        with services.pool.connection() as conn:
            issued = issue_token(conn, services.log, "tester", scopes, services.clock.now(), issued_by="test")
        return issued.secret, str(issued.token_id)

    def request(self, **changes: object) -> dict[str, Any]:
        """The request of a declined applicant, under a decision id of its own."""
        self.taken += 1
        return {
            "decision_id": f"A-{self.taken}",
            "subject_ref": f"S-{self.taken}",
            "features": dict(self.features),
            "budget_ms": 5000,
            **changes,
        }

    def explain(self, document: object, model: str = "loans") -> httpx.Response:
        return self.http.post(f"/v1/models/{model}/explanations", json=document)

    def entries(self, kind: str = "%") -> int:
        """How many entries of a type the log holds."""
        with psycopg.connect(self.admin_url) as conn:
            row = conn.execute("select count(*) from audit.entry where type like %s", (kind,)).fetchone()
        assert row is not None
        return int(row[0])

    def integrate(self) -> None:
        """What the integrator's own process does each second."""
        pool = open_pool(self.integrator_url)
        try:
            integrator = Integrator(pool, [CHECKPOINT_KEY], ORIGIN)
            integrator.publish_keys(SystemClock().now())
            while integrator.step(SystemClock().now()):
                pass
        finally:
            pool.close()

    @staticmethod
    def uuid(text: str) -> UUID:
        return UUID(text)

    def register(self, upload: Upload) -> httpx.Response:
        return self.http.post("/v1/models", files=upload.files())

    def approve(self, model: str = "loans", version: str = "1") -> httpx.Response:
        body = {"status": "approved", "by": "risk committee"}
        return self.http.post(f"/v1/models/{model}/versions/{version}/approval", json=body)

    def until_ready(self) -> None:
        give_up = time.monotonic() + PATIENCE_SECONDS
        while self.http.get("/readyz").status_code != 200:
            assert time.monotonic() < give_up, self.http.get("/readyz").text
            time.sleep(0.05)


@contextmanager
def _listening(app: FastAPI) -> Iterator[httpx.Client]:
    """Serves the application on a socket of this machine, with its lifespan."""
    listener = socket.create_server(("127.0.0.1", 0))
    config = uvicorn.Config(
        app, http=BoundedHttp, log_config=None, access_log=False, timeout_graceful_shutdown=5
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.005)
    host, port = listener.getsockname()
    with httpx.Client(base_url=f"http://{host}:{port}", trust_env=False, timeout=PATIENCE_SECONDS) as http:
        yield http
    server.should_exit = True
    thread.join()
    listener.close()


Start = Callable[[Any], Any]


@pytest.fixture(scope="session")
def listening() -> Start:
    """Gives `listening(app)`: a context in which an application answers on a socket."""
    return _listening


@pytest.fixture(scope="session")
def start_service(
    tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config, valkey_url: str
) -> Start:
    """Gives `start(database)`: a context in which a service runs on this pair of databases."""
    cache_dir = tmp_path_factory.mktemp("cache")
    # Compiled kernels are kept between sessions, as an installation keeps them; models and tables are not.
    kept = getattr(pytestconfig, "cache", None)
    if kept is not None:
        (cache_dir / "kernels").symlink_to(kept.mkdir("ofrecord-kernels"))

    @contextmanager
    def start(database: Any) -> Iterator[Running]:
        settings = Settings(
            database_url=database.url("service"),
            keys_database_url=database.keys_url("service"),
            broker_url=valkey_url,
            master_key=bytes(range(32)),
            receipt_key=RECEIPT_KEY.private_text(),
            log_origin=ORIGIN,
            cache_dir=cache_dir,
            body_limit_bytes=100_000,
            artifact_limit_bytes=4 << 20,
            allow_unsafe_durability=True,
        )
        app = create_app(settings)
        vkeys = [CHECKPOINT_KEY.verifier.vkey, RECEIPT_KEY.verifier.vkey]
        with _listening(app) as http:
            running = Running(app, http, database.admin_url, database.url("integrator"), vkeys)
            running.until_ready()
            http.headers["authorization"] = f"Bearer {running.token('admin')[0]}"
            yield running

    return start


@pytest.fixture(scope="session")
def copy_databases(postgres_server: Any, template: Any) -> Callable[[str], Any]:
    """Gives `copy(tag)`: a migrated pair of databases that lasts as long as the session."""

    def copy(tag: str) -> Any:
        name = f"{tag}_{os.getpid()}_{secrets.token_hex(4)}"
        made = replace(template, name=f"main_{name}", keys_name=f"keys_{name}")
        pairs = ((template.name, made.name, LOGIN_ROLES), (template.keys_name, made.keys_name, KEY_ROLES))
        with psycopg.connect(postgres_server.url(), autocommit=True) as admin:
            for source, name, roles in pairs:
                copying = sql.SQL("create database {} template {}")
                admin.execute(copying.format(sql.Identifier(name), sql.Identifier(source)))
                with psycopg.connect(postgres_server.url(name), autocommit=True) as connection:
                    restrict_database(connection, roles)
        return made

    return copy


@pytest.fixture(scope="session")
def running(copy_databases: Callable[[str], Any], start_service: Start, upload: Upload) -> Iterator[Running]:
    """The service of this session with the model `loans` version 1 approved."""
    with start_service(copy_databases("service")) as found:
        assert found.register(upload).status_code == 201
        assert found.approve().status_code == 200
        yield found
