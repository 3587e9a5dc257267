"""`ofrecord verify` prints what a file proves, and its exit code says whether it does."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from audit.checkpoint import Checkpoint, sign_checkpoint
from audit.merkle import leaf_hash
from audit.note import Signer
from cli.main import app
from cli.verify import plain

ORIGIN = "example.com/log"
SIGNER = Signer("example.com/log", b"\x07" * 32)
VKEY = SIGNER.verifier.vkey


def evidence(body: dict[str, str]) -> dict[str, object]:
    """An evidence file of a log with one entry: the root is the leaf, and the path is empty (RFC 6962)."""
    entry = {
        "about": None, "actor": "admin", "body": body, "ciphertext_digest": None, "commitment": None,
        "entry_id": "01a20415-ba56-7ea1-9a80-03a9bb70b3c0", "key_id": None, "retention_class": "standard",
        "time": "2026-11-20T10:15:00.123456Z", "type": "model.registered", "v": 1,
    }  # fmt: skip
    data = json.dumps(entry, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    note = sign_checkpoint(Checkpoint(ORIGIN, 1, leaf_hash(data)), [SIGNER])
    return {
        "format": "ofrecord-evidence/v1",
        "tlog_proof": f"c2sp.org/tlog-proof@v1\nindex 0\n\n{note}",
        "entry": base64.b64encode(data).decode(),
        "opening": None,
        "receipt": None,
    }


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "evidence.json"
    path.write_text(json.dumps(evidence({"model": "m\u001b[31m", "version": "1"})))
    return path


def run(*arguments: object) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["verify", *map(str, arguments)])
    return done.exit_code, done.output


def test_proved(file: Path, tmp_path: Path) -> None:
    code, output = run(file, "--key", VKEY)
    assert code == 0, output
    assert output.startswith("PROVED")
    for part in (
        "01a20415-ba56-7ea1-9a80-03a9bb70b3c0",
        "model.registered",
        "index        0 in a tree of 1",
        ORIGIN,
    ):
        assert part in output
    keys = tmp_path / "keys"
    keys.write_text(f"{Signer.generate('other').verifier.vkey}\n{VKEY}\n")
    assert run(file, "--key", keys)[0] == 0


def test_a_strangers_file_does_not_steer_the_terminal(file: Path) -> None:
    assert "\x1b" not in run(file, "--key", VKEY)[1]
    assert plain("a\x1b[31m\r\nb\u202e") == "a\ufffd[31m\ufffd\ufffdb\ufffd"


@pytest.mark.parametrize("change", ["entry", "key"])
def test_not_proved(file: Path, change: str) -> None:
    key = VKEY
    if change == "entry":
        read = json.loads(file.read_text())
        tampered = base64.b64decode(read["entry"]).replace(b'"version":"1"', b'"version":"2"')
        file.write_text(json.dumps({**read, "entry": base64.b64encode(tampered).decode()}))
    else:
        key = Signer.generate(ORIGIN).verifier.vkey
    code, output = run(file, "--key", key)
    assert (code, output.startswith("NOT PROVED")) == (1, True)


def test_cannot_be_checked(file: Path) -> None:
    assert run(file, "--key", "nonsense")[0] == 2
    assert run(file.with_name("none"), "--key", VKEY)[0] == 2
    assert run(file)[0] == 2
