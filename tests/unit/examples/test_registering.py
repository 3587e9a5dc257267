"""The examples' client: registers, approves and explains once; a second run only asks again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import httpx
import pytest

import examples.clinical
from examples import registering
from examples.__main__ import main
from examples.bundle import ExampleBundle
from examples.registering import ExampleRefused, register_and_explain

BUNDLE = ExampleBundle(
    model="m",
    version="1",
    manifest_yaml=b"manifest",
    catalogue_yaml=b"words",
    artifact=b"trees",
    reference_csv=b"a\n1\n",
    declined={"decision_id": "D-1", "features": {"a": 1}},
    auc=0.8,
    held_out_rows=10,
)


class Service:
    """Answers as the HTTP contract says."""

    def __init__(self) -> None:
        self.status: str | None = None
        self.calls: list[str] = []
        self.registration = self.words = b""

    def __call__(self, request: httpx.Request) -> httpx.Response:
        assert request.headers["authorization"] == "Bearer secret"
        call = f"{request.method} {request.url.path}"
        self.calls.append(call)
        if call == "GET /v1/models/m/versions/1":
            found = self.status is not None
            return httpx.Response(200 if found else 404, json={"status": self.status})
        if call == "POST /v1/catalogues":
            assert request.headers["content-type"] == "application/yaml"
            self.words = request.content
            return httpx.Response(201, json={"name": "words"})
        if call == "POST /v1/models":
            self.registration, self.status = request.content, "registered"
            return httpx.Response(201, json={"status": "registered"})
        if call == "POST /v1/models/m/versions/1/approval":
            assert json.loads(request.content)["status"] == "approved"
            self.status = "approved"
            return httpx.Response(200, json={"status": "approved"})
        assert call == "POST /v1/models/m/explanations"
        return httpx.Response(201, json={"explanation_id": "E-1", "asked": json.loads(request.content)})


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Service:
    made = Service()
    real = httpx.Client

    def client(**options: Any) -> httpx.Client:
        return real(transport=httpx.MockTransport(made), **options)

    monkeypatch.setattr(registering.httpx, "Client", client)
    return made


def test_a_first_run_registers_approves_and_explains(service: Service) -> None:
    said: list[str] = []
    answer = register_and_explain("http://here", "secret", BUNDLE, say=said.append)
    assert answer["explanation_id"] == "E-1"
    assert answer["asked"] == BUNDLE.declined
    called = [call.rpartition("/")[2] for call in service.calls]
    assert called == ["1", "catalogues", "models", "approval", "explanations"]
    assert service.words == b"words"
    for part in (b'name="manifest"', b'name="artifact"', b'name="reference"', b"trees", b"text/csv"):
        assert part in service.registration
    assert len(said) == 3


def test_a_second_run_only_asks_again(service: Service) -> None:
    register_and_explain("http://here", "secret", BUNDLE)
    service.calls.clear()
    register_and_explain("http://here", "secret", BUNDLE)
    assert service.calls == ["GET /v1/models/m/versions/1", "POST /v1/models/m/explanations"]


def test_a_refusal_names_its_step(monkeypatch: pytest.MonkeyPatch) -> None:
    real = httpx.Client
    refusing = httpx.MockTransport(lambda _: httpx.Response(401, text="who are you?"))
    monkeypatch.setattr(registering.httpx, "Client", lambda **options: real(transport=refusing, **options))
    with pytest.raises(ExampleRefused, match="looking the model up: 401 who are you") as caught:
        register_and_explain("http://here", "secret", BUNDLE)
    assert caught.value.status == 401


def test_from_the_command_line(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(examples.clinical, "build", lambda: BUNDLE)
    (tmp_path / "token").write_text("secret\n")
    assert main(["clinical", "http://here", str(tmp_path / "token")]) == 0
    printed = capsys.readouterr()
    assert json.loads(printed.out)["explanation_id"] == "E-1"
    assert "registering m 1" in printed.err
    assert service.status == "approved"
    assert main(["clinical", "http://here", str(tmp_path / "none")]) == 1
    assert main(["text", "http://here", str(tmp_path / "token")]) == 2
