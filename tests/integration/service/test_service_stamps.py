"""Time stamps are given out as they came: OpenSSL checks them, the served verifier joins them to evidence."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import psycopg
import pytest

from audit.timestamp import read_timestamp, timestamp_request
from tests.oracles.authorities import Authority, make_authority

URL = "https://time.example/tsa"


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return make_authority(tmp_path_factory.mktemp("authority") / "a")


def _grow(running: Any) -> dict[str, Any]:
    answer = running.explain(running.request()).json()
    running.integrate()
    return answer


def _size(note: str) -> int:
    return int(note.splitlines()[1])


def _stamp(running: Any, authority: Authority) -> int:
    """Have the newest checkpoint stamped, as the integrator would."""
    with psycopg.connect(running.integrator_url) as connection:
        query = "select tree_size, note from audit.checkpoint order by tree_size desc limit 1"
        size, note = connection.execute(query).fetchone()
        response = authority.answer(timestamp_request(note.encode()).body)
        row = (size, URL, read_timestamp(response).time, response)
        connection.execute("insert into audit.timestamp values (%s, %s, %s, %s)", row)
    return size


def test_the_first_stamp_at_or_after_a_proofs_tree_is_given(
    running: Any, authority: Authority, tmp_path: Path
) -> None:
    answer = _grow(running)
    evidence = running.http.get(f"/v1/explanations/{answer['explanation_id']}/proof")
    assert evidence.status_code == 200
    size = _size(evidence.json()["tlog_proof"].partition("\n\n")[2])
    for path in (f"/v1/log/stamps/{size}", f"/v1/log/stamps/{size}/checkpoint"):
        missing = running.http.get(path)
        assert (missing.status_code, missing.json()["type"]) == (404, "/problems/not-found")
    _grow(running)
    stamped = _stamp(running, authority)
    _grow(running)
    later = _stamp(running, authority)
    assert size < stamped < later
    response = running.http.get(f"/v1/log/stamps/{size}")
    checkpoint = running.http.get(f"/v1/log/stamps/{size}/checkpoint")
    assert response.headers["content-type"] == "application/timestamp-reply"
    assert f'filename="checkpoint-{stamped}.tsr"' in response.headers["content-disposition"]
    assert (_size(checkpoint.text), checkpoint.headers["content-type"]) == (
        stamped,
        "text/plain; charset=utf-8",
    )
    assert authority.verify(response.content, checkpoint.content)
    for asked, given in ((stamped, stamped), (stamped + 1, later), (later, later)):
        assert _size(running.http.get(f"/v1/log/stamps/{asked}/checkpoint").text) == given
    assert running.http.get(f"/v1/log/stamps/{later + 1}").status_code == 404
    params = {"from": size, "to": stamped}
    files = {
        "verifier.py": running.http.get("/v1/log/verifier").content,
        "evidence.json": evidence.content,
        "stamped": checkpoint.content,
        "proof.json": running.http.get("/v1/log/proofs/consistency", params=params).content,
        "keys": "\n".join(running.vkeys).encode(),
    }
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    given = ["proof.json", "--with", "evidence.json", "--with", "stamped", "--key", "keys"]
    command = [sys.executable, "-I", "verifier.py", *given]
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert (ran.returncode, ran.stderr) == (0, ""), ran.stdout
    assert f"grown from      {size}" in ran.stdout


@pytest.mark.parametrize("size", ["-1", "x", "9" * 20])
def test_what_is_no_size_is_refused(running: Any, size: str) -> None:
    assert running.http.get(f"/v1/log/stamps/{size}").status_code == 422
