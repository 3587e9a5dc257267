"""The lending example over HTTP, as any client would do it: train, register, approve, explain, prove.

Run as `python -m cli.running.example URL DATA_DIR`, in a process of its own: what training imports goes with
it.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx

from audit.verify import verify_evidence
from cli.running.folder import DataFolder, write_private
from cli.running.screen import Screen
from cli.running.telling import tell_commands, tell_explanation, tell_proof

_TRIES = 5
_PROOF_SECONDS = 30.0
_MODEL, _VERSION = "boston-mortgage", "1"

Json = dict[str, Any]


class ExampleFailed(Exception):
    """The example did not come to an end."""


class Client:
    """A client with the administrator's token, which tries again what is safe to repeat: here, everything."""

    def __init__(self, url: str, token: str) -> None:
        """Connect lazily; proxies are not for this machine's own address."""
        headers = {"Authorization": f"Bearer {token}"}
        self._http = httpx.Client(base_url=url, headers=headers, timeout=120.0, trust_env=False)

    def call(self, method: str, path: str, *, accept: tuple[int, ...], **given: Any) -> httpx.Response:
        """Return an answer with one of the accepted status codes."""
        for attempt in range(_TRIES):
            try:
                answer = self._http.request(method, path, **given)
            except httpx.TransportError as error:
                if attempt == _TRIES - 1:
                    raise ExampleFailed(f"{method} {path}: {error}") from error
            else:
                if answer.status_code in accept:
                    return answer
                if answer.status_code != httpx.codes.SERVICE_UNAVAILABLE or attempt == _TRIES - 1:
                    raise ExampleFailed(f"{method} {path}: {answer.status_code} {answer.text[:2000]}")
            time.sleep(0.5 * 2**attempt)
        raise ExampleFailed(f"{method} {path}: no answer")


def main(url: str, data_dir: Path) -> None:
    """Bring the example's model into service and explain one real declined applicant."""
    folder, screen = DataFolder(data_dir), Screen()
    client = Client(url, folder.admin_token.read_text(encoding="utf-8").strip())
    shown = folder.root / "example"
    shown.mkdir(mode=0o700, exist_ok=True)
    request = _bring_into_service(client, shown / "request.json", screen)
    with screen.step("explaining a real declined application"):
        path = f"/v1/models/{_MODEL}/explanations"
        answer = client.call("POST", path, accept=(200, 201), json=request).json()
    with screen.step("waiting for its place in the log, and checking the evidence offline"):
        evidence = _evidence(client, str(answer["explanation_id"]))
        keys = folder.verifier_keys.read_text(encoding="utf-8").split()
        proved = verify_evidence(evidence, keys)
        write_private(shown / "evidence.json", evidence.decode())
    tell_explanation(screen, request, answer, _units(client))
    tell_proof(screen, answer, proved)
    tell_commands(screen, url, folder, _MODEL)


def _bring_into_service(client: Client, kept: Path, screen: Screen) -> Json:
    """Return the request to explain; train and register only when this was not done before."""
    path = f"/v1/models/{_MODEL}/versions/{_VERSION}"
    found = client.call("GET", path, accept=(200, 404))
    status = found.json()["status"] if found.status_code == httpx.codes.OK else None
    if status is None or not kept.is_file():
        request = _train_and_register(client, screen, register=status is None)
        write_private(kept, json.dumps(request, indent=1))
    if status in (None, "registered"):
        with screen.step("approving it"):
            body = {"status": "approved", "by": "ofrecord run", "note": "the shipped example"}
            client.call("POST", f"{path}/approval", accept=(200, 201), json=body)
    loaded: Json = json.loads(kept.read_text(encoding="utf-8"))
    return loaded


def _train_and_register(client: Client, screen: Screen, *, register: bool) -> Mapping[str, object]:
    from examples.lending.building import build  # noqa: PLC0415 - seconds of imports, and only the first time

    with screen.step("training XGBoost on the Boston Fed mortgage applications") as details:
        bundle = build()
        details.append(f"AUC {bundle.auc:.3f} on {bundle.held_out_rows} applications it has not seen")
    if register:
        with screen.step("registering the words of the reasons, model, manifest and reference") as details:
            words = {"content": bundle.catalogue_yaml, "headers": {"Content-Type": "application/yaml"}}
            client.call("POST", "/v1/catalogues", accept=(201,), **words)
            files = {
                "manifest": ("manifest.yaml", bundle.manifest_yaml, "application/yaml"),
                "artifact": ("model.json", bundle.artifact, "application/octet-stream"),
                "reference": ("reference.csv", bundle.reference_csv, "text/csv"),
            }
            made = client.call("POST", "/v1/models", accept=(200, 201), files=files).json()
            version = made.get("version") if isinstance(made.get("version"), dict) else made
            details.append(f"{version.get('model', _MODEL)} version {version.get('version', _VERSION)}")
    return bundle.declined


def _units(client: Client) -> Mapping[str, str]:
    """Return the registered manifest's unit of each feature that has one."""
    found = client.call("GET", f"/v1/models/{_MODEL}/versions/{_VERSION}", accept=(200,)).json()
    return {row["name"]: row["unit"] for row in found["manifest"]["features"] if row.get("unit")}


def _evidence(client: Client, explanation_id: str) -> bytes:
    """Return the evidence file once the entry is in the tree."""
    deadline = time.monotonic() + _PROOF_SECONDS
    while True:
        answer = client.call("GET", f"/v1/explanations/{explanation_id}/proof", accept=(200, 202))
        if answer.status_code == httpx.codes.OK:
            return answer.content
        if time.monotonic() > deadline:
            raise ExampleFailed(
                f"the entry was not integrated within {_PROOF_SECONDS:.0f} s; see the integrator's log"
            )
        time.sleep(0.1)


if __name__ == "__main__":
    try:
        main(sys.argv[1], Path(sys.argv[2]))
    except ExampleFailed as failed:
        Screen().warn(f"the example failed: {failed}")
        sys.exit(1)
