"""The outermost layer: request ids, body limits, and errors that become problems whatever happens."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from datetime import UTC, datetime

import httpx
import pytest
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from runtime.clock import FixedClock
from runtime.telemetry import JsonFormatter
from service.bodies import answered, read_object
from service.errors import NotFound
from service.middleware import Gateway, pass_on

LIMIT = 1000


def _app(seen: list[tuple[str, int]]) -> FastAPI:
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None)

    @app.post("/echo/{name}")
    async def echo(name: str, request: Request) -> Response:
        return answered({"size": len(await read_object(request))})

    @app.get("/broken")
    async def broken() -> Response:
        raise ValueError("decision A-1 of Jane Doe")

    @app.get("/absent")
    async def absent() -> Response:
        raise NotFound("Nothing here.")

    @app.get("/number")
    async def number(n: int) -> Response:
        return answered({"n": n})

    for kind in (HTTPException, RequestValidationError):
        app.add_exception_handler(kind, pass_on)
    app.add_middleware(
        Gateway,
        clock=FixedClock(datetime(2026, 11, 20, tzinfo=UTC)),
        body_limit=lambda path: 10 * LIMIT if path == "/echo/large" else LIMIT,
        observe=lambda route, status: seen.append((route, status)),
    )
    return app


@pytest.fixture
def seen() -> list[tuple[str, int]]:
    return []


@pytest.fixture
def client(seen: list[tuple[str, int]], serve: Callable[[FastAPI], httpx.Client]) -> httpx.Client:
    return serve(_app(seen))


def _problem(response: httpx.Response) -> dict[str, object]:
    assert response.headers["content-type"] == "application/problem+json"
    document: dict[str, object] = response.json()
    assert document["status"] == response.status_code
    assert document["instance"] == response.headers["x-request-id"]
    return document


def _json_of(size: int) -> bytes:
    return b'{"a":"' + b"x" * (size - 8) + b'"}'


def test_a_body_up_to_the_limit_is_taken(client: httpx.Client) -> None:
    response = client.post("/echo/x", content=_json_of(LIMIT), headers={"content-type": "application/json"})
    assert response.status_code == 200


def test_a_declared_body_beyond_the_limit_is_refused_unread(client: httpx.Client) -> None:
    problem = _problem(client.post("/echo/x", content=_json_of(LIMIT + 1)))
    assert (problem["type"], problem["status"]) == ("/problems/body-too-large", 413)


def test_a_chunked_body_beyond_the_limit_is_refused_while_it_arrives(client: httpx.Client) -> None:
    def endless() -> Iterator[bytes]:
        for _ in range(10_000):
            yield b" " * 500

    headers = {"content-type": "application/json"}
    try:
        response = client.post("/echo/x", content=endless(), headers=headers)
    except httpx.WriteError:
        return  # the server had closed the connection before all was sent: refused as well
    assert _problem(response)["type"] == "/problems/body-too-large"


def test_one_address_may_take_more(client: httpx.Client) -> None:
    headers = {"content-type": "application/json"}
    assert client.post("/echo/large", content=_json_of(LIMIT + 1), headers=headers).status_code == 200


def test_the_content_type_is_checked(client: httpx.Client) -> None:
    for headers in (
        {},
        {"content-type": "text/plain"},
        {"content-type": "application/x-www-form-urlencoded"},
    ):
        problem = _problem(client.post("/echo/x", content=b"{}", headers=headers))
        assert (problem["type"], problem["status"]) == ("/problems/unsupported-media-type", 415)
    charset = {"content-type": "Application/JSON; charset=utf-8"}
    assert client.post("/echo/x", content=b"{}", headers=charset).status_code == 200


def test_a_document_that_is_no_object_is_refused(client: httpx.Client) -> None:
    headers = {"content-type": "application/json"}
    problem = _problem(client.post("/echo/x", content=b"[]", headers=headers))
    assert problem["errors"] == [{"pointer": "", "detail": "must be an object"}]


def test_an_unforeseen_error_leaks_nothing_into_answer_or_log(
    client: httpx.Client, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        response = client.get("/broken")
    assert _problem(response)["type"] == "/problems/internal-error"
    assert "Jane" not in response.text
    formatted = "".join(JsonFormatter("api").format(record) for record in caplog.records)
    assert "request failed" in formatted
    assert "ValueError" in formatted
    assert "Jane" not in formatted


def test_every_refusal_is_a_problem(client: httpx.Client) -> None:
    cases = {
        ("GET", "/absent"): "not-found",
        ("GET", "/no-such-address"): "not-found",
        ("GET", "/echo/x"): "method-not-allowed",
        ("GET", "/number?n=many"): "invalid-input",
    }
    for (method, path), name in cases.items():
        assert _problem(client.request(method, path))["type"] == f"/problems/{name}"
    assert client.get("/echo/x").headers["allow"] == "POST"
    assert _problem(client.get("/number?n=many"))["errors"][0]["pointer"] == "/n"  # type: ignore[index]


def test_a_callers_request_id_is_kept_only_where_it_says_nothing(client: httpx.Client) -> None:
    harmless = "0123456789abcdef0123456789abcdef"
    assert client.get("/number?n=1", headers={"x-request-id": harmless}).headers["x-request-id"] == harmless
    for telling in ("A-2026-000123", "Jane Doe", "x" * 500):
        made = client.get("/number?n=1", headers={"x-request-id": telling}).headers["x-request-id"]
        assert made != telling
        assert len(made) == 36


def test_requests_are_counted_by_route_and_never_by_path(
    client: httpx.Client, seen: list[tuple[str, int]], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO):
        client.post("/echo/jane-doe?decision_id=A-1", content=b"{}")
        client.get("/jane-doe")
    assert seen == [("/echo/{name}", 415), ("unmatched", 404)]
    told = " ".join(str(record.__dict__) for record in caplog.records if record.name.startswith("service"))
    assert "jane" not in told
    assert "A-1" not in told


def test_answers_are_not_to_be_stored_by_anybody_between(client: httpx.Client) -> None:
    assert client.get("/number?n=1").headers["cache-control"] == "no-store"


def test_a_parameter_given_twice_has_no_meaning(client: httpx.Client) -> None:
    for query in ("n=1&n=2", "n=1&m=&n=1", "n=1&%6e=2"):
        assert _problem(client.get(f"/number?{query}"))["errors"][0]["pointer"] == "/n"  # type: ignore[index]
    assert client.get("/number?n=1&m=1").status_code == 200


def test_an_address_with_a_zero_character_is_not_found(client: httpx.Client) -> None:
    assert _problem(client.get("/number%00?n=1"))["type"] == "/problems/not-found"
