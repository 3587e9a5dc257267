"""The two sides of an evaluation: the service that asks and the workers that answer, on real servers."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast
from uuid import UUID

import numpy as np
import pytest
import xgboost

from audit.entry import Draft
from audit.keys import KeyStore
from audit.log import AuditLog
from audit.note import Signer
from records.evaluations import Evaluation, EvaluationRequest, read_evaluation, request_evaluation
from records.private import PrivatePart, build_private
from registry import store
from runtime.clock import SystemClock
from runtime.ids import uuid7
from runtime.postgres import Pool, open_pool
from runtime.settings import Settings
from tests.oracles.enumerated_versions import FEATURES, Prepared, prepare, private_part

ORIGIN = "test.example/log"
MASTER_KEY = b"k" * 32
Side = tuple[Pool, AuditLog]


@dataclass(frozen=True)
class World:
    """The service's side of a database with two versions of one model: "quick" and "slow" to cross-check."""

    pool: Pool
    log: AuditLog
    versions: dict[str, Prepared]

    def explain(
        self, version: str = "quick", *, shift: float = 0.0, subject: str = "S-1", **changed: Any
    ) -> UUID:
        """Put an explanation on record; `shift` falsifies its first two values, `changed` other members."""
        prepared = self.versions[version]
        falsified = prepared.phi + shift * np.array([1, -1, *[0] * (FEATURES - 2)])
        private = private_part(prepared, falsified)
        body = {
            "model": "m",
            "version": version,
            "model_digest": prepared.content.identity.artifact_digest,
            "reference_digest": prepared.content.reference_digest,
            "method": "interventional_treeshap",
        }
        draft = Draft(
            type="explanation.created",
            actor="token:test",
            body=body,
            private=build_private(cast("PrivatePart", {**private, "subject_ref": subject, **changed})),
            subject=subject,
            retention_class="consumer_credit",
        )
        return self.log.append_one(draft, SystemClock().now()).entry_id

    def request(
        self, explanation_id: UUID, version: str = "quick", kind: str = "kernelshap", **more: str
    ) -> UUID:
        """Ask for a cross-check, or another evaluation of one explanation; the message is not sent."""
        parameters = {"explanation_id": str(explanation_id), **more}
        request = EvaluationRequest(kind, "m", version, parameters, "token:test")
        with self.pool.connection() as conn:
            return request_evaluation(conn, self.log, request, SystemClock().now()).evaluation_id

    def request_importance(self, version: str = "quick") -> UUID:
        """Ask for the importance of factors and features; the message is not sent."""
        request = EvaluationRequest("importance", "m", version, {"over": "reference"}, "token:test")
        with self.pool.connection() as conn:
            return request_evaluation(conn, self.log, request, SystemClock().now()).evaluation_id

    def read(self, evaluation_id: UUID) -> Evaluation:
        """Look at the row."""
        with self.pool.connection() as conn:
            return read_evaluation(conn, evaluation_id)

    def outcomes(self, explanation_id: UUID) -> list[str]:
        """The types of the entries about an explanation, but for the requests."""
        kinds = [stored.entry.type for stored in self.log.about(explanation_id)]
        return sorted(kind for kind in kinds if kind != "evaluation.requested")


@pytest.fixture
def service(database: Any) -> Iterator[Side]:
    """The service's pool and log, with partitions for the present."""
    with open_pool(database.url("service")) as pool, open_pool(database.keys_url("service")) as keys:
        log = AuditLog(pool, KeyStore(keys, MASTER_KEY), origin=ORIGIN)
        log.ensure_partitions(SystemClock().now())
        yield pool, log


@pytest.fixture
def worker(database: Any) -> Iterator[Side]:
    """The worker's pool and log."""
    with open_pool(database.url("worker")) as pool, open_pool(database.keys_url("worker")) as keys:
        yield pool, AuditLog(pool, KeyStore(keys, MASTER_KEY), origin=ORIGIN)


@pytest.fixture
def settings(database: Any, valkey_url: str, table_folder: Path) -> Settings:
    """The worker's own settings."""
    return Settings(
        database_url=database.url("worker"),
        keys_database_url=database.keys_url("worker"),
        broker_url=valkey_url,
        master_key=MASTER_KEY,
        log_origin=ORIGIN,
        cache_dir=table_folder,
    )


@pytest.fixture
def integrator_settings(database: Any) -> Settings:
    """The integrator's own settings."""
    return Settings(
        database_url=database.url("integrator"),
        checkpoint_key=Signer.generate(ORIGIN).private_text(),
        log_origin=ORIGIN,
    )


@pytest.fixture(scope="session")
def table_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where prepared tables are kept, as on one machine."""
    return tmp_path_factory.mktemp("tables")


@pytest.fixture(scope="session")
def versions() -> dict[str, Prepared]:
    """Two versions of a small model of real arithmetic; one has the larger reference."""
    rng = np.random.default_rng(7)
    rows = rng.normal(size=(1200, FEATURES)).round(3)
    signal = rows[:, 0] - rows[:, 1] * rows[:, 2] + 0.5 * rows[:, 3]
    labels = (signal + rng.normal(size=1200) > 0).astype(float)
    names = [f"f{n}" for n in range(FEATURES)]
    options = {"max_depth": 4, "objective": "binary:logistic", "nthread": 1, "seed": 1}
    booster = xgboost.train(options, xgboost.DMatrix(rows, labels, feature_names=names), 30)
    artifact = bytes(booster.save_raw("json"))
    return {
        "quick": prepare("quick", names, artifact, rows[:40]),
        "slow": prepare("slow", names, artifact, rows[:900]),
    }


@pytest.fixture
def world(service: Side, versions: dict[str, Prepared]) -> World:
    """The registered model, ready to be explained."""
    pool, log = service
    now = SystemClock().now()
    with pool.connection() as conn:
        for prepared in versions.values():
            store.insert_version(conn, prepared.content, entry_id=uuid7(now), now=now)
    return World(pool, log, versions)


@pytest.fixture
def until() -> Callable[..., Any]:
    """Wait for a value that is true, and return it."""

    def wait(read: Callable[[], Any], seconds: float = 30.0) -> Any:
        end = time.monotonic() + seconds
        while not (value := read()):
            assert time.monotonic() < end, "waited in vain"
            time.sleep(0.02)
        return value

    return wait
