"""What `make run` promises, on the real processes: explained, on record, proved, and safe against kill -9."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest

from audit.verify import Verified, verify_evidence

ROOT = Path(__file__).resolve().parent.parent.parent
OFRECORD = (sys.executable, "-m", "cli")
EXPLANATIONS = "/v1/models/boston-mortgage/explanations"
PATIENCE_SECONDS = 180.0
LOAD = 500
README_XGBOOST = "3.2.0"  # the release whose numbers README.md shows


class Running:
    """`ofrecord run` with its example; a fresh machine compiles its own kernels."""

    def __init__(self, base: Path, *, fresh: bool = True) -> None:
        self.data_dir = base / "made-run"
        self.output = base / "made-run.out"
        env = {
            **os.environ,
            "OFRECORD_STATE_DIR": str(base / "system"),
            "OFRECORD_CACHE_DIR": str(base / "cache"),
        }
        if fresh:
            env.pop("NUMBA_CACHE_DIR", None)
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(
                [*OFRECORD, "run", "--port", "0", "--data-dir", str(self.data_dir)],
                cwd=ROOT, env=env, stdout=output, stderr=subprocess.STDOUT,
            )  # fmt: skip
        deadline = time.monotonic() + PATIENCE_SECONDS
        while "Ctrl-C stops" not in self.told and self.process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.1)
        found = re.search(r"up at (http://\S+)", self.told)
        assert found, self.told
        self.url = found[1]

    @property
    def told(self) -> str:
        return self.output.read_text()

    @property
    def token(self) -> str:
        return (self.data_dir / "admin-token").read_text().strip()

    @property
    def keys(self) -> list[str]:
        return (self.data_dir / "verifier-keys").read_text().split()

    @property
    def request(self) -> dict[str, Any]:
        read: dict[str, Any] = orjson.loads((self.data_dir / "example" / "request.json").read_bytes())
        return read

    def client(self) -> httpx.Client:
        headers = {"Authorization": f"Bearer {self.token}"}
        return httpx.Client(base_url=self.url, headers=headers, timeout=30, trust_env=False)

    def api_process(self) -> int:
        children = Path(f"/proc/{self.process.pid}/task/{self.process.pid}/children").read_text().split()
        return next(int(one) for one in children if b"\0serve\0" in Path(f"/proc/{one}/cmdline").read_bytes())

    def command(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([*OFRECORD, *arguments], cwd=ROOT, capture_output=True, text=True, check=False)

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(60)


@pytest.fixture(scope="module")
def running(servers_folder: Path) -> Iterator[Running]:
    made = Running(servers_folder)
    yield made
    made.stop()


def evidence(client: httpx.Client, explanation_id: str) -> bytes:
    deadline = time.monotonic() + 30
    while True:
        answer = client.get(f"/v1/explanations/{explanation_id}/proof")
        if answer.status_code == 200:
            return answer.content
        assert answer.status_code == 202, answer.text
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_person_reads_decision_reasons_change_and_proof(running: Running) -> None:
    for part in (
        "Application boston-",
        ": decline",
        "  Why\n    1. ",
        "What would change it",
        "then: approve",
        "verified by the model itself",
        "Milliseconds  ",
        "Reconciled    sum ",
        "Receipt       entry ",
        "checked without the service",
        f"{running.url}{EXPLANATIONS}",
    ):
        assert part in running.told, running.told
    reasons = re.findall(r"^    \d\. ", running.told, re.MULTILINE)
    assert 1 <= len(reasons) <= 4


def test_the_answer_is_right_repeats_itself_and_proves(running: Running) -> None:
    with running.client() as client:
        first = client.post(EXPLANATIONS, json=running.request).json()
        again = client.post(EXPLANATIONS, json={**running.request, "budget_ms": 500}).json()
        read = client.get(f"/v1/explanations/{first['explanation_id']}").json()
        proved = verify_evidence(evidence(client, first["explanation_id"]), running.keys)
    sums = first["attribution"]["reconciliation"]
    total = first["attribution"]["base_value"] + sum(row["phi"] for row in first["attribution"]["values"])
    assert total == pytest.approx(sums["expected"], abs=sums["tolerance"])
    assert first["decision"]["outcome"] == "decline"
    for member in ("explanation_id", "decision", "attribution", "reasons", "counterfactuals"):
        assert again[member] == first[member]
        assert read[member] == first[member]
    assert proved.private is not None
    assert proved.private["decision_id"] == running.request["decision_id"]
    assert proved.receipt_checked


def test_the_printed_file_is_verified_offline(running: Running) -> None:
    file, keys = running.data_dir / "example" / "evidence.json", str(running.data_dir / "verifier-keys")
    done = running.command("verify", str(file), "--key", keys)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("PROVED")
    assert running.request["decision_id"] in done.stdout


def test_the_request_in_the_readme_gets_the_answer_in_the_readme(running: Running) -> None:
    request, answer = re.findall(r"```(?:sh|json)\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)[
        -2:
    ]
    asked = orjson.loads(request.partition("<<'REQUEST'\n")[2].partition("\nREQUEST")[0])
    with running.client() as client:
        given = client.post(EXPLANATIONS, json=asked).json()
    told = orjson.loads(answer)
    # Another release of XGBoost trains a slightly different model of the same data: the numbers differ.
    same_model = given["attribution"]["reference"]["digest"] == told["attribution"]["reference"]["digest"]
    assert same_model == (version("xgboost-cpu") == README_XGBOOST)
    assert outline(given) == outline(told)
    assert given["decision"]["outcome"] == told["decision"]["outcome"]
    if same_model:
        for member in ("decision_id", "decision", "attribution", "reasons", "counterfactuals", "warnings"):
            assert given[member] == told[member]


def outline(answer: object) -> object:
    """The members and the kinds of their values; a list stands for its first item."""
    if isinstance(answer, dict):
        return {name: outline(value) for name, value in answer.items() if name not in ("observed", "values")}
    if isinstance(answer, list):
        return [outline(answer[0])] if answer else []
    return "number" if isinstance(answer, int | float) else type(answer).__name__


def test_a_second_domain_is_registered_beside_the_first(running: Running) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "examples", "clinical", running.url, str(running.data_dir / "admin-token")],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    answer = orjson.loads(done.stdout)
    assert (answer["model"], answer["decision"]["favourable"]) == ("breast-mass", False)
    assert {item["verified"] for item in answer["counterfactuals"]["items"]} == {True}
    with running.client() as client:
        listed = client.get("/v1/models").json()["models"]
        proved = verify_evidence(evidence(client, answer["explanation_id"]), running.keys)
    assert {(one["model"], one["approved_version"]) for one in listed} == {
        ("boston-mortgage", "1"),
        ("breast-mass", "1"),
    }
    assert proved.private is not None
    assert proved.private["decision_id"] == answer["decision_id"]


def test_a_cross_check_runs_through_the_worker(running: Running) -> None:
    with running.client() as client:
        explained = client.post(EXPLANATIONS, json=running.request).json()
        body = {"kind": "kernelshap", "model": "boston-mortgage", "version": "1",
                "parameters": {"explanation_id": explained["explanation_id"]}}  # fmt: skip
        asked = client.post("/v1/evaluations", json=body)
        assert asked.status_code == 202, asked.text
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            found = client.get(asked.headers["location"]).json()
            if found["state"] in ("completed", "failed", "cancelled"):
                break
            assert time.monotonic() < deadline, found
            time.sleep(0.2)
    assert found["state"] == "completed", found
    assert found["progress"] == 1.0
    assert found["result"]["agrees"] is True


def test_kill_9_in_the_middle_of_a_load_loses_nothing_that_was_answered(running: Running) -> None:
    answered: dict[str, str] = {}

    def explain(number: int) -> None:
        request = {**running.request, "decision_id": f"load-{number}", "counterfactuals": {"count": 0}}
        for _ in range(60):
            if number == LOAD // 3 and "killed" not in answered:
                answered["killed"] = ""
                os.kill(running.api_process(), signal.SIGKILL)
            try:
                answer = client.post(EXPLANATIONS, json=request)
            except httpx.TransportError:
                time.sleep(0.2)
                continue
            if answer.status_code == 201:
                answered[request["decision_id"]] = answer.json()["explanation_id"]
                return
            assert answer.status_code in (429, 503), answer.text
            time.sleep(0.2)

    with running.client() as client:
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(explain, range(LOAD)))
        del answered["killed"]
        assert len(answered) == LOAD
        assert len(set(answered.values())) == LOAD
        proofs = {decision: prove(client, running, found) for decision, found in answered.items()}
    assert all(
        proof.private and proof.private["decision_id"] == decision for decision, proof in proofs.items()
    )
    assert len({proof.index for proof in proofs.values()}) == LOAD
    assert "api ended (SIGKILL); starting it again" in running.told
    done = running.command("fsck", "--data-dir", str(running.data_dir))
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "PASS"), done.stdout + done.stderr


def prove(client: httpx.Client, running: Running, explanation_id: str) -> Verified:
    return verify_evidence(evidence(client, explanation_id), running.keys)


def test_a_second_run_is_fast_and_keeps_the_data(running: Running, servers_folder: Path) -> None:
    before = running.request
    with running.client() as client:
        first = comparable(client.post(EXPLANATIONS, json=before).json())
    running.stop()
    assert running.process.returncode == 0
    again = Running(servers_folder)
    try:
        assert "training" not in again.told
        assert "nothing new" in again.told
        assert "On record     since" in again.told
        assert "checked without the service" in again.told
        with again.client() as client:
            assert comparable(client.post(EXPLANATIONS, json=before).json()) == first
    finally:
        again.stop()


def comparable(answer: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: answer[name]
        for name in ("explanation_id", "decision", "attribution", "reasons", "counterfactuals")
    }
