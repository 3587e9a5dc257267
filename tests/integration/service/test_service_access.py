"""Who may do what; and that the log never says who was decided about."""

from __future__ import annotations

import logging
import time
from typing import Any
from uuid import UUID

import httpx
import pytest

from records.tokens import revoke_token
from runtime.telemetry import JsonFormatter

CALLS = [
    ("POST", "/v1/models", "register"),
    ("GET", "/v1/models", "read"),
    ("GET", "/v1/models/loans", "read"),
    ("GET", "/v1/models/loans/versions/1", "read"),
    ("POST", "/v1/models/loans/versions/1/approval", "approve"),
    ("POST", "/v1/models/loans/explanations", "explain"),
    ("GET", "/v1/explanations?model=loans&decision_id=x", "read"),
    ("GET", "/v1/explanations/x", "read"),
    ("GET", "/v1/explanations/x/proof", "read"),
    ("GET", "/v1/explanations/x/notice", "read"),
    ("POST", "/v1/explanations/x/notice/sent", "explain"),
    ("POST", "/v1/explanations/x/notice/response", "explain"),
    ("GET", "/v1/notices", "read"),
    ("GET", "/v1/explanations/x/narrative", "read"),
    ("GET", "/v1/requirements", "read"),
    ("POST", "/v1/evaluations", "evaluate"),
    ("GET", "/v1/evaluations/x", "evaluate"),
    ("DELETE", "/v1/evaluations/x", "evaluate"),
    ("POST", "/v1/erasures", "admin"),
    ("GET", "/v1/erasures/x", "audit"),
    ("POST", "/v1/holds", "admin"),
    ("GET", "/v1/holds", "audit"),
    ("GET", "/v1/holds/x", "audit"),
    ("DELETE", "/v1/holds/x", "admin"),
    ("GET", "/v1/reports", "audit"),
    ("GET", "/v1/reports/period-register", "audit"),
    ("GET", "/v1/log/keys", "audit"),
    ("GET", "/v1/log/checkpoint", "audit"),
    ("GET", "/v1/log/entries/0", "audit"),
    ("GET", "/v1/log/stamps/1", "audit"),
    ("GET", "/v1/log/stamps/1/checkpoint", "audit"),
    ("GET", "/v1/log/proofs/inclusion?index=0&tree_size=1", "audit"),
    ("GET", "/v1/log/proofs/consistency?from=1&to=1", "audit"),
]
SCOPES = {scope for _, _, scope in CALLS} - {"admin"}  # which holds them all


def _as(running: Any, token: str | None) -> httpx.Client:
    headers = {} if token is None else {"authorization": f"Bearer {token}"}
    return httpx.Client(base_url=running.http.base_url, headers=headers, trust_env=False, timeout=20)


@pytest.mark.parametrize(("method", "path", "scope"), CALLS, ids=str)
def test_each_address_needs_its_scope(running: Any, method: str, path: str, scope: str) -> None:
    with _as(running, None) as nobody:
        refused = nobody.request(method, path)
        assert refused.status_code == 401
        assert refused.headers["www-authenticate"].startswith("Bearer")
        assert refused.json()["type"] == "/problems/unauthenticated"
    with _as(running, running.token(*(SCOPES - {scope}))[0]) as other:
        refused = other.request(method, path)
        assert (refused.status_code, refused.json()["type"]) == (403, "/problems/forbidden")
    with _as(running, running.token(scope)[0]) as holder:
        assert holder.request(method, path).status_code not in (401, 403)


def test_tokens_that_are_none(running: Any) -> None:
    for header in ("Bearer ofr_wrong", "Bearer", "Basic YTpi", "ofr_wrong", "Bearer " + "x" * 5000):
        response = httpx.get(
            f"{running.http.base_url}/v1/models", headers={"authorization": header}, trust_env=False
        )
        assert response.status_code == 401, header


def test_a_revoked_token_ends_within_seconds(running: Any) -> None:
    secret, token_id = running.token("read")
    services = running.services
    with _as(running, secret) as holder:
        assert holder.get("/v1/models/loans").status_code == 200
        with services.pool.connection() as conn:
            now = services.clock.now()
            assert revoke_token(conn, services.log, UUID(token_id), now, revoked_by="test")
        give_up = time.monotonic() + 5
        while holder.get("/v1/models/loans").status_code == 200:
            assert time.monotonic() < give_up
            time.sleep(0.1)
        assert holder.get("/v1/models/loans").status_code == 401


def test_health_and_readiness_are_open_and_numbers_are_for_this_machine(running: Any) -> None:
    with _as(running, None) as nobody:
        assert nobody.get("/healthz").json() == {"status": "ok"}
        ready = nobody.get("/readyz")
        assert ready.status_code == 200
        assert set(ready.json()["checks"].values()) == {"ok"}
        numbers = nobody.get("/metrics")
        assert numbers.status_code == 200
        assert numbers.headers["content-type"].startswith("text/plain")
        assert 'ofrecord_requests_total{route="/v1/models/{model}",status="' in numbers.text
        # A proxy on this machine says for whom it asks.
        assert nobody.get("/metrics", headers={"x-forwarded-for": "203.0.113.7"}).status_code == 401


def test_the_actor_of_an_entry_is_the_tokens_principal(running: Any) -> None:
    answer = running.explain(running.request()).json()
    entry = running.services.log.read(UUID(answer["explanation_id"])).entry
    assert entry.actor == "tester"
    assert entry.retention_class == "consumer_credit"


def test_neither_log_nor_numbers_nor_clear_entry_say_who_was_decided_about(
    running: Any, caplog: pytest.LogCaptureFixture
) -> None:
    secret_id, secret_subject = "decision-zq81", "subject-zq82"
    income, other_income = 518273645.5, 918273645.5  # more digits than a time or a duration has
    with caplog.at_level(logging.DEBUG):
        features = {**running.features, "income": income}
        request = running.request(decision_id=secret_id, subject_ref=secret_subject, features=features)
        answer = running.explain(request).json()
        running.explain({**request, "features": {**features, "income": other_income}})
        running.explain({**request, "features": {"zq83": 1}})
        running.http.get("/v1/explanations", params={"model": "loans", "decision_id": secret_id})
        running.http.get(f"/v1/explanations/{answer['explanation_id']}")
    told = "\n".join(
        JsonFormatter("api").format(record) for record in caplog.records if record.name != "httpx"
    )
    assert '"route":"/v1/explanations"' in told
    stored = running.services.log.read(UUID(answer["explanation_id"]))
    for text in (told, running.http.get("/metrics").text, stored.canonical.decode()):
        for secret in (secret_id, secret_subject, "518273645", "918273645", "zq83"):
            assert secret not in text
