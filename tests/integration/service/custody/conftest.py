"""A service with its custodian, under one clock that a test moves."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from audit.custody import KeyCustody
from audit.integrate import Integrator
from audit.note import Signer
from runtime.clock import FixedClock
from runtime.postgres import open_pool
from runtime.telemetry import JsonFormatter
from schemas.erasure import Erasure
from service.app import create_app
from workers.custody import Custodian, Pace

NOW = datetime(2026, 11, 20, 10, 15, tzinfo=UTC)
HALF_A_YEAR = 190 * 86_400
ORIGIN = "log.test/service"
SIGNER = Signer.generate(ORIGIN)


@dataclass(slots=True)
class Office:
    """A service and its custodian under one clock."""

    http: httpx.Client
    clock: FixedClock
    running: Any
    custodian: Custodian
    integrator: Integrator
    lines: list[str] = field(default_factory=list)

    def decide(self, subject: str | None = "S-1", model: str = "plain", **changes: Any) -> dict[str, Any]:
        document = {
            **self.running.request(),
            "subject_ref": subject,
            "counterfactuals": {"count": 0},
            **changes,
        }
        if subject is None:
            del document["subject_ref"]
        made = self.running.explain(document, model)
        assert made.status_code == 201, made.text
        found: dict[str, Any] = made.json()
        return found

    def erase(self, status: int = 202, **body: Any) -> dict[str, Any]:
        answer = self.http.post("/v1/erasures", json=body or {"subject_ref": "S-1"})
        assert answer.status_code == status, answer.text
        told: dict[str, Any] = answer.json()
        if status == 202:
            Erasure.model_validate(told)
            assert answer.headers["location"] == f"/v1/erasures/{told['erasure_id']}"
        return told

    def look(self, told: dict[str, Any]) -> dict[str, Any]:
        answer = self.http.get(f"/v1/erasures/{told['erasure_id']}")
        assert answer.status_code == 200, answer.text
        Erasure.model_validate(answer.json())
        found: dict[str, Any] = answer.json()
        return found

    def hold(self, status: int = 201, reason: str = "litigation 17", **scope: Any) -> dict[str, Any]:
        answer = self.http.post("/v1/holds", json={"scope": scope, "reason": reason})
        assert answer.status_code == status, answer.text
        told: dict[str, Any] = answer.json()
        return told

    def pass_time(self, seconds: float) -> None:
        self.clock.advance(seconds)
        self.running.services.log.ensure_partitions(self.clock.now())

    def turn(self) -> None:
        for _ in range(2):
            self.pass_time(61)
            self.custodian.step()
        while self.integrator.step(self.clock.now()):
            pass


@pytest.fixture(scope="session")
def whole_office(running: Any, listening: Any, upload: Any, copy_databases: Any) -> Iterator[Office]:
    """One service for all: tests take people of their own, and time only moves on."""
    with ExitStack() as stack:
        database = copy_databases("custody")
        settings = replace(
            running.services.settings,
            database_url=database.url("service"),
            keys_database_url=database.keys_url("service"),
        )
        clock = FixedClock(NOW)
        app = create_app(settings, clock)
        http = stack.enter_context(listening(app))
        second = replace(running, app=app, http=http, admin_url=database.admin_url)
        second.until_ready()
        http.headers["authorization"] = f"Bearer {second.token('admin')[0]}"
        plain = upload.with_manifest(model="plain", profile="general", retention={"kind": "general"})
        for model in (upload, plain):
            assert second.register(model).status_code == 201
        assert second.approve().status_code == second.approve("plain").status_code == 200
        custody, keys, integrating = (
            stack.enter_context(open_pool(url))
            for url in (
                database.url("custodian"),
                database.keys_url("custodian"),
                database.url("integrator"),
            )
        )
        custodian = Custodian(custody, KeyCustody(keys), 35, Pace(), clock)
        yield Office(http, clock, second, custodian, Integrator(integrating, [SIGNER], ORIGIN))


@pytest.fixture
def office(whole_office: Office) -> Iterator[Office]:
    """The same, with what it logs."""
    whole_office.lines.clear()
    handler = logging.Handler()
    formatter = JsonFormatter("test")
    handler.emit = lambda record: whole_office.lines.append(formatter.format(record))  # type: ignore[method-assign]
    logging.getLogger().addHandler(handler)
    yield whole_office
    logging.getLogger().removeHandler(handler)
