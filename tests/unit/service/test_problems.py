"""The table error class -> problem: complete, safe, and written as RFC 9457 says."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from types import ModuleType

import orjson
import pytest
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

import audit.errors
import audit.sealing
import explain.components
import explain.errors
import explain.reference
import records.erasures
import records.evaluations
import records.holds
import records.notices
import records.private
import records.reaching
import registry.errors
import reports.letters.errors
import reports.narratives.errors
import reports.registers.errors
import reports.rendering.errors
import reports.requirements.errors
import service.errors
import service.strict_json
from explain.errors import AttributionUnreconciled, FieldError, InvalidFeatures
from schemas.explanation import ExplanationRequest
from schemas.problem import PointedError, Problem
from service.bodies import validated
from service.problems import INTERNAL, TABLE, kind_of, problem_of, render
from service.strict_json import Flaw

PUBLIC = (
    audit.errors,
    audit.sealing,
    explain.components,
    explain.errors,
    explain.reference,
    records.erasures,
    records.evaluations,
    records.holds,
    records.notices,
    records.private,
    records.reaching,
    registry.errors,
    reports.letters.errors,
    reports.narratives.errors,
    reports.registers.errors,
    reports.rendering.errors,
    reports.requirements.errors,
    service.errors,
    service.strict_json,
)


def _public_errors(module: ModuleType) -> Iterator[type[Exception]]:
    for name, value in vars(module).items():
        own = inspect.isclass(value) and value.__module__ == module.__name__
        if own and issubclass(value, Exception) and not name.startswith("_"):
            yield value


@pytest.mark.parametrize("module", PUBLIC, ids=lambda module: module.__name__)
def test_every_public_error_has_a_row_of_its_own(module: ModuleType) -> None:
    found = list(_public_errors(module))
    assert found
    # A base class nobody raises by itself needs none.
    bases = {base for error in found for base in error.__mro__[1:]}
    assert [error.__name__ for error in found if error not in TABLE and error not in bases] == []


def test_names_are_stable_words_and_statuses_are_errors() -> None:
    statuses: dict[str, int] = {}
    for kind in TABLE.values():
        assert kind.name.replace("-", "").isalpha()
        assert kind.name == kind.name.lower()
        assert 400 <= kind.status <= 599
        assert statuses.setdefault(kind.name, kind.status) == kind.status


def test_a_problem_document_is_what_the_schema_publishes() -> None:
    error = InvalidFeatures([FieldError("/income", "is missing")])
    response = render(problem_of(error), "the-request")
    assert response.status_code == 422
    assert response.media_type == "application/problem+json"
    document = Problem.model_validate(orjson.loads(bytes(response.body)))
    assert document.type == "/problems/invalid-input"
    assert document.instance == "the-request"
    assert document.errors == (PointedError(pointer="/features/income", detail="is missing"),)


def test_what_nobody_foresaw_tells_nothing() -> None:
    problem = problem_of(RuntimeError("income 56.0 of Jane Doe"))
    assert problem.kind is INTERNAL
    assert "Jane" not in bytes(render(problem, "r").body).decode()


def test_a_margin_does_not_leave_with_the_refusal() -> None:
    problem = problem_of(AttributionUnreconciled(0.123456, 0.654321, 1e-4))
    assert problem.kind.status == 500
    body = bytes(render(problem, "r").body).decode()
    assert "0.123456" not in body
    assert "0.654321" not in body


def test_drivers_words_do_not_leave() -> None:
    for error in (
        audit.errors.AuditUnavailable("connection to db.internal failed"),
        records.reaching.RecordsUnavailable("host db.internal"),
    ):
        response = render(problem_of(error), "r")
        assert response.status_code == 503
        assert b"db.internal" not in bytes(response.body)
        assert int(response.headers["retry-after"]) > 0


def test_overload_says_when_to_come_back() -> None:
    response = render(problem_of(audit.errors.Overloaded(7)), "r")
    assert (response.status_code, response.headers["retry-after"]) == (503, "7")


def test_a_missing_token_is_asked_for() -> None:
    response = render(problem_of(service.errors.Unauthenticated()), "r")
    assert response.status_code == 401
    assert response.headers["www-authenticate"].startswith("Bearer")


@pytest.mark.parametrize(
    ("status", "name"), [(404, "not-found"), (405, "method-not-allowed"), (400, "invalid-input")]
)
def test_the_frameworks_own_refusals_are_problems_too(status: int, name: str) -> None:
    assert problem_of(HTTPException(status)).kind.name == name


def test_a_subclass_of_a_known_error_takes_its_row() -> None:
    class Narrower(registry.errors.ModelUnknown):
        """A model that is unknown in a special way."""

    assert kind_of(Narrower("m")) is TABLE[registry.errors.ModelUnknown]


def test_a_flood_of_faults_is_cut_short() -> None:
    flaws = tuple(Flaw(f"/{number}", "is wrong") for number in range(5000))
    body = orjson.loads(bytes(render(problem_of(service.errors.InvalidInput(flaws)), "r").body))
    assert len(body["errors"]) == 100
    assert body["detail"] == "5000 faults, of which the first 100 are listed."
    with pytest.raises(service.errors.InvalidInput) as caught:
        validated({"components": [1] * 100_000}, ExplanationRequest)
    assert len(caught.value.flaws) == 1


def test_a_client_that_leaves_is_no_failure_of_ours() -> None:
    assert problem_of(ClientDisconnect()).kind.status == 400
