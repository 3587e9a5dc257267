"""The witness as a process: its protocol over HTTP, two at once, and kill -9."""

from __future__ import annotations

import hashlib
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from audit.cosignature import Cosigner, read_cosignatures
from audit.note import Signer
from audit.submission import SUBMISSION_LIMIT_BYTES
from tests.oracles.histories import History
from tests.oracles.witnesses import Running, environment, started

SIGNER = Signer("log.example/ofrecord", bytes(range(32)))
TEN = History.of(SIGNER, 10)
ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def witness(tmp_path: Path) -> Iterator[Running]:
    with started(tmp_path / "witness.sqlite", [SIGNER.verifier.vkey]) as running:
        yield running


def test_the_protocol(witness: Running) -> None:
    first = witness.submit(TEN.cut(4).submission(0))
    assert (first.status_code, first.headers["content-type"]) == (200, "text/plain; charset=utf-8")
    (found,) = read_cosignatures(TEN.cut(4).note() + first.text, [witness.key])
    assert abs(found.time.timestamp() - time.time()) < 60
    conflict = witness.submit(TEN.submission(0))
    assert (conflict.status_code, conflict.text) == (409, "4\n")
    assert conflict.headers["content-type"] == "text/x.tlog.size"
    assert witness.submit(TEN.submission(4)).status_code == 200
    assert witness.submit(TEN.rewritten(1).submission(10)).status_code == 422
    assert witness.submit(TEN.cut(4).submission(5, [])).status_code == 400
    assert witness.submit(b"nonsense").status_code == 400
    stranger = Signer("elsewhere.example/log", bytes(32))
    assert witness.submit(History.of(stranger, 3).submission(0)).status_code == 404
    forger = Signer("log.example/ofrecord", bytes(32))
    assert witness.submit(History.of(forger, 11).submission(10, [])).status_code == 403


def test_what_it_saw_can_be_read(witness: Running) -> None:
    digest = hashlib.sha256(TEN.origin.encode()).hexdigest()
    assert witness.get(f"/{digest}/checkpoint").status_code == 404
    line = witness.submit(TEN.submission(0)).text
    assert witness.get(f"/{digest}/checkpoint").text == TEN.note() + line
    witness.submit(TEN.rewritten(1).submission(10))
    (listed,) = witness.get("/state").json()["refused"]
    assert (listed["kind"], "note" in listed, "against" in listed) == ("fork", False, False)
    state = witness.get("/state?refused=1").json()
    assert (state["logs"][0]["origin"], state["logs"][0]["tree_size"]) == (TEN.origin, 10)
    (refused,) = state["refused"]
    assert (refused["kind"], refused["note"], refused["against"]) == (
        "fork",
        TEN.rewritten(1).note(),
        TEN.note() + line,
    )
    assert witness.get("/healthz").json() == {"status": "ok"}
    metrics = witness.get("/metrics").text
    assert 'ofrecord_witness_submissions_total{outcome="cosigned"} 1.0' in metrics
    assert 'ofrecord_witness_submissions_total{outcome="inconsistent"} 1.0' in metrics
    critical = [line for line in witness.log().splitlines() if '"level":"critical"' in line]
    assert len(critical) == 1
    assert (json.loads(critical[0])["kind"], json.loads(critical[0])["tree_size"]) == ("fork", 10)


def test_other_requests_are_refused(witness: Running) -> None:
    assert witness.get("/add-checkpoint").status_code == 405
    assert witness.get("/nothing").status_code == 404
    assert httpx.delete(f"{witness.url}/state", trust_env=False).status_code == 405
    assert witness.submit(b"x" * (SUBMISSION_LIMIT_BYTES + 1)).status_code == 413
    assert witness.submit(TEN.submission(0)).status_code == 200, "and it is still there"


def test_the_report_tells_what_contradicts(witness: Running) -> None:
    witness.submit(TEN.submission(0))
    said = _report(witness)
    assert (said.returncode, "tree of 10" in said.stdout) == (0, True)
    witness.submit(TEN.rewritten(1).submission(10))
    said = _report(witness)
    assert said.returncode == 1
    assert f"FORK  {TEN.origin}  tree of 10" in said.stdout


def _report(witness: Running) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "cli", "witness", "report"]
    env = environment(witness.database, [])
    return subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=30, check=False)


def test_two_witnesses_on_one_file_cannot_be_made_to_fork(tmp_path: Path) -> None:
    keys = [SIGNER.verifier.vkey]
    file = tmp_path / "witness.sqlite"
    with started(file, keys) as one, started(file, keys) as two, ThreadPoolExecutor(8) as threads:
        histories = {"a": History.of(SIGNER, 0), "b": History.of(SIGNER, 0)}
        size, side = 0, "a"
        for turn in range(12):
            histories = {tag: histories[side].grown(2, f"{tag}{turn}") for tag in histories}
            bodies = [
                (running, tag, histories[tag].submission(size)) for running in (one, two) for tag in "ab"
            ]
            statuses = list(threads.map(lambda asked: asked[0].submit(asked[2]).status_code, bodies))
            cosigned = [tag for (_, tag, _), status in zip(bodies, statuses, strict=True) if status == 200]
            assert len(cosigned) == 1, statuses
            side, size = cosigned[0], size + 2
        assert one.get("/state").json()["logs"][0]["tree_size"] == size


def test_a_killed_witness_remembers_all_it_has_signed(tmp_path: Path) -> None:
    history = History.of(SIGNER, 0)
    signed = 0
    for patience in (0.05, 0.12, 0.2, 0.27, 0.33, 0.4):
        with started(tmp_path / "witness.sqlite", [SIGNER.verifier.vkey]) as running:
            answer = running.submit(TEN.cut(0).submission(0))
            asked = int(answer.text) if answer.status_code == 409 else 0
            assert asked in {signed, len(history.entries)}, "it saw at least what it signed"
            history, signed = history.cut(asked), asked
            killer = threading.Timer(patience, running.kill)
            killer.start()
            with suppress(httpx.TransportError):
                while True:
                    old, history = len(history.entries), history.grown(1, f"e{len(history.entries)}")
                    assert running.submit(history.submission(old)).status_code == 200
                    signed = len(history.entries)
            killer.join()
    assert signed > 0


def test_a_body_that_never_comes_costs_one_connection_and_ends(witness: Running) -> None:
    head = b"POST /add-checkpoint HTTP/1.1\r\nhost: w\r\ncontent-length: 100\r\n\r\nold 0"
    with socket.create_connection(("127.0.0.1", witness.port), timeout=20) as silent:
        silent.sendall(head)
        assert witness.submit(TEN.submission(0)).status_code == 200, "others are served meanwhile"
        began = time.monotonic()
        assert silent.recv(100).startswith(b"HTTP/1.1 408")
        assert time.monotonic() - began < 15


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"OFRECORD_WITNESS_KEY": SIGNER.private_text()}, "OFRECORD_WITNESS_KEY: "),
        ({"OFRECORD_LOG_VERIFIER_KEYS": "nonsense"}, "OFRECORD_LOG_VERIFIER_KEYS: "),
        ({"OFRECORD_WITNESS_DATABASE": "/nonexistent/folder/file"}, "OFRECORD_WITNESS_DATABASE: "),
        ({"OFRECORD_WITNESS_KEY": ""}, "OFRECORD_WITNESS_KEY: is not set"),
    ],
)
def test_a_wrong_setting_is_named(tmp_path: Path, changed: dict[str, str], said: str) -> None:
    env = environment(tmp_path / "witness.sqlite", [SIGNER.verifier.vkey]) | changed
    command = [sys.executable, "-m", "cli", "witness"]
    ended = subprocess.run(
        command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=30, check=False
    )
    assert ended.returncode == 2
    assert said in ended.stderr
    assert "PRIVATE" not in ended.stderr.replace("(PRIVATE+KEY+…)", "")


def test_a_key_is_made_once(tmp_path: Path) -> None:
    out = tmp_path / "witness-key"
    command = [sys.executable, "-m", "cli", "witness", "key", "audit.example.org/w1", "--out", str(out)]
    env = {**os.environ}
    made = subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=30, check=True)
    assert Cosigner.parse(out.read_text()).key.vkey == made.stdout.strip()
    assert out.stat().st_mode & 0o777 == 0o600
    again = subprocess.run(
        command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=30, check=False
    )
    assert (again.returncode, "exists" in again.stderr) == (2, True)
