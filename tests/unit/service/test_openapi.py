"""The published description is the one the code gives, and it says what is really read and answered."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from audit.note import Signer
from audit.receipt import receipt_key_name
from runtime.settings import Settings
from service.app import create_app
from service.openapi import written

PUBLISHED = Path(__file__).resolve().parents[3] / "docs" / "openapi.json"


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    key = Signer.generate(receipt_key_name("log.test")).private_text()
    return create_app(Settings(receipt_key=key, log_origin="log.test")).openapi()


def test_the_published_description_is_current(document: dict[str, Any]) -> None:
    """Run with OFRECORD_WRITE_OPENAPI=1 (`make openapi`) to write it anew."""
    made = written(document)
    if os.environ.get("OFRECORD_WRITE_OPENAPI") == "1":
        PUBLISHED.write_bytes(made)
    assert PUBLISHED.read_bytes() == made


def test_it_is_json_and_loses_nothing(document: dict[str, Any]) -> None:
    assert orjson.loads(written(document)) == orjson.loads(orjson.dumps(document))


def _references(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        for name, member in value.items():
            if name == "$ref":
                yield str(member)
            yield from _references(member)
    elif isinstance(value, list):
        for member in value:
            yield from _references(member)


def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    for reference in _references(document):
        assert reference.removeprefix("#/components/schemas/") in schemas


def test_bodies_answers_and_problems_are_described(document: dict[str, Any]) -> None:
    explain = document["paths"]["/v1/models/{model}/explanations"]["post"]
    asked = explain["requestBody"]["content"]["application/json"]["schema"]["$ref"]
    answered = explain["responses"]["201"]["content"]["application/json"]["schema"]["$ref"]
    assert (asked.rpartition("/")[2], answered.rpartition("/")[2]) == ("ExplanationRequest", "Explanation")
    for path in document["paths"].values():
        for operation in path.values():
            assert "application/problem+json" in operation["responses"]["default"]["content"]
            assert "422" not in operation["responses"]
    register = document["paths"]["/v1/models"]["post"]["requestBody"]["content"]["multipart/form-data"][
        "schema"
    ]
    assert register["required"] == ["manifest", "artifact", "reference"]


def test_everything_but_health_needs_a_token(document: dict[str, Any]) -> None:
    free = {
        path
        for path, methods in document["paths"].items()
        for operation in methods.values()
        if "security" not in operation
    }
    assert free == {"/healthz", "/readyz"}
