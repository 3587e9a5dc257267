"""A desk for notices: a service at a moment that the test moves, its integrator and its scheduler."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx

from audit.integrate import Integrator
from audit.note import Signer
from records.projecting import project_notices
from runtime.clock import FixedClock
from runtime.postgres import open_pool
from schemas.base import format_moment
from schemas.notice import NoticeList, NoticeStep
from service.app import create_app

NOW = datetime(2026, 11, 20, 10, 15, tzinfo=UTC)
ORIGIN = "log.test/service"
SIGNER = Signer.generate(ORIGIN)


@dataclass(slots=True)
class Desk:
    """A service, and the moment that a test's dates are counted from."""

    http: httpx.Client
    clock: Any
    running: Any
    database: Any
    now: datetime

    def decide(self, action: str | None = "denial", model: str = "loans", **changes: Any) -> str:
        """Put a declined application on record, decided a day ago."""
        completed_at = format_moment(self.now - timedelta(days=3))
        application = {"action": action, "completed_at": completed_at}
        if action == "counteroffer":
            application["counteroffer"] = "5,000 USD over 36 months"
        document = {
            **self.running.request(),
            "counterfactuals": {"count": 0},
            "application": application,
            "decided": {"outcome": "decline", "at": format_moment(self.now - timedelta(days=1))},
            **changes,
        }
        made = self.http.post(f"/v1/models/{model}/explanations", json=document)
        assert made.status_code == 201, made.text
        return str(made.json()["explanation_id"])

    def post(self, explanation_id: str, step: str, body: object) -> httpx.Response:
        return self.http.post(f"/v1/explanations/{explanation_id}/notice/{step}", json=body)

    def mail(self, hours_ago: float = 1) -> dict[str, Any]:
        """A letter posted so long before the test's moment."""
        return {"sent_at": format_moment(self.now - timedelta(hours=hours_ago)), "channel": "mail"}

    def sent(self, explanation_id: str, **changes: Any) -> dict[str, Any]:
        answer = self.post(explanation_id, "sent", {**self.mail(), **changes})
        assert answer.status_code == 201, answer.text
        step: dict[str, Any] = answer.json()
        NoticeStep.model_validate(step)
        return step

    def answered(self, explanation_id: str, response: str, at: datetime) -> dict[str, Any]:
        body = {"response": response, "at": format_moment(at)}
        answer = self.post(explanation_id, "response", body)
        assert answer.status_code == 201, answer.text
        step: dict[str, Any] = answer.json()
        NoticeStep.model_validate(step)
        return step

    def integrate(self) -> None:
        """What the integrator does each second."""
        with open_pool(self.database.url("integrator")) as pool:
            integrator = Integrator(pool, [SIGNER], ORIGIN)
            while integrator.step(self.clock.now()):
                pass

    def project(self) -> None:
        """What the scheduler does after it."""
        self.integrate()
        with open_pool(self.database.url("worker")) as pool:
            while True:
                with pool.connection() as conn:
                    stretch = project_notices(conn, 3)
                if stretch is None or not stretch.entries:
                    return

    def listed(self, state: str | None = None, **asked: Any) -> list[dict[str, Any]]:
        page = self.page(state, **asked)
        found: list[dict[str, Any]] = page["notices"]
        return found

    def ids(self, state: str | None = None) -> list[str]:
        return [item["explanation_id"] for item in self.listed(state)]

    def page(self, state: str | None = None, **asked: Any) -> dict[str, Any]:
        params = {**asked, **({} if state is None else {"state": state})}
        answer = self.http.get("/v1/notices", params=params)
        assert answer.status_code == 200, answer.text
        page: dict[str, Any] = answer.json()
        NoticeList.model_validate(page)
        return page


@contextmanager
def open_desk(running: Any, listening: Any, upload: Any, database: Any) -> Iterator[Desk]:
    """A service on fresh databases, at a moment that the test moves."""
    settings = replace(
        running.services.settings,
        database_url=database.url("service"),
        keys_database_url=database.keys_url("service"),
    )
    clock = FixedClock(NOW)
    app = create_app(settings, clock)
    with listening(app) as http:
        second = replace(running, app=app, http=http, admin_url=database.admin_url)
        second.until_ready()
        http.headers["authorization"] = f"Bearer {second.token('admin')[0]}"
        assert second.register(upload).status_code == 201
        assert second.approve().status_code == 200
        yield Desk(http, clock, second, database, NOW)
