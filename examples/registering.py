"""Registers an example over HTTP, words first, approves it and asks for an explanation, as a client would."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote

import httpx

from examples.bundle import ExampleBundle

REGISTRATION_SECONDS = 300.0  # the gate tries the model out before it is accepted
OK, CREATED, NOT_FOUND = 200, 201, 404


class ExampleRefused(Exception):
    """The service did not answer as a client needs it to."""

    def __init__(self, step: str, answer: httpx.Response) -> None:
        self.step, self.status = step, answer.status_code
        super().__init__(f"{step}: {answer.status_code} {answer.text[:500]}")


def register_and_explain(
    base_url: str, token: str, bundle: ExampleBundle, *, say: Callable[[str], None] | None = None
) -> dict[str, Any]:
    """Register and approve the example unless that is done already, then return its explanation.

    A second run finds the version registered and approved and gets the first answer again. `say` is told what
    is being done.
    """
    tell = say or (lambda _: None)
    headers = {"Authorization": f"Bearer {token}"}
    with httpx.Client(base_url=base_url, headers=headers, timeout=60.0, trust_env=False) as client:
        status = _status(client, bundle)
        if status is None:
            tell(f"registering {bundle.model} {bundle.version}: the gate checks it against the real model")
            _register_words(client, bundle)
            _register(client, bundle)
        if status != "approved":
            tell(f"approving {bundle.model} {bundle.version}")
            _approve(client, bundle)
        tell(f"explaining decision {bundle.declined['decision_id']}")
        return explain(client, bundle.model, bundle.declined)


def explain(client: httpx.Client, model: str, request: Mapping[str, object]) -> dict[str, Any]:
    """Ask for one explanation."""
    answer = client.post(f"/v1/models/{quote(model)}/explanations", json=dict(request))
    return _body("explaining", answer)


def _path(bundle: ExampleBundle) -> str:
    return f"/v1/models/{quote(bundle.model)}/versions/{quote(bundle.version)}"


def _status(client: httpx.Client, bundle: ExampleBundle) -> str | None:
    """Return the version's status, None when it is not registered."""
    answer = client.get(_path(bundle))
    if answer.status_code == NOT_FOUND:
        return None
    return str(_body("looking the model up", answer)["status"])


def _register_words(client: httpx.Client, bundle: ExampleBundle) -> None:
    """Register the catalogue that the manifest names; what is registered already stays as it is."""
    headers = {"Content-Type": "application/yaml"}
    answer = client.post("/v1/catalogues", content=bundle.catalogue_yaml, headers=headers)
    _body("registering the words of the reasons", answer)


def _register(client: httpx.Client, bundle: ExampleBundle) -> None:
    parts = {
        "manifest": ("manifest.yaml", bundle.manifest_yaml, "application/yaml"),
        "artifact": ("model.json", bundle.artifact, "application/octet-stream"),
        "reference": ("reference.csv", bundle.reference_csv, "text/csv"),
    }
    _body("registering", client.post("/v1/models", files=parts, timeout=REGISTRATION_SECONDS))


def _approve(client: httpx.Client, bundle: ExampleBundle) -> None:
    decision = {
        "status": "approved",
        "by": "the examples",
        "note": "shipped with the product to be tried out",
    }
    _body("approving", client.post(f"{_path(bundle)}/approval", json=decision))


def _body(step: str, answer: httpx.Response) -> dict[str, Any]:
    if answer.status_code not in {OK, CREATED}:
        raise ExampleRefused(step, answer)
    body: dict[str, Any] = answer.json()
    return body
