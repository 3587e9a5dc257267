"""The log's own addresses: what they say is checked with the log's own verifier."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from audit.checkpoint import verify_checkpoint
from audit.merkle import leaf_hash, verify_consistency, verify_inclusion
from audit.note import Verifier
from schemas.log import ConsistencyProof, InclusionProof, LogEntry, VerifierKeys


@pytest.fixture
def grown(running: Any) -> Any:
    """A service whose tree has a few leaves and two checkpoints."""
    for _ in range(3):
        running.explain(running.request())
    running.integrate()
    running.explain(running.request())
    running.integrate()
    return running


def _checkpoint(running: Any) -> Any:
    response = running.http.get("/v1/log/checkpoint")
    assert response.status_code == 200
    assert response.headers["content-type"].startswith("text/plain")
    checkpoint, signed_by = verify_checkpoint(response.text, [Verifier.parse(vkey) for vkey in running.vkeys])
    assert signed_by
    return checkpoint


def test_keys_are_published(grown: Any) -> None:
    published = VerifierKeys.model_validate(grown.http.get("/v1/log/keys").json())
    assert {key.purpose for key in published.keys} >= {"receipt", "checkpoint"}
    own = {key.vkey for key in published.keys if key.purpose != "witness"}
    assert own == set(grown.vkeys)
    receipt = grown.explain(grown.request()).json()["receipt"]
    assert receipt["key_id"] in [key.key_id for key in published.keys if key.purpose == "receipt"]


def test_every_leaf_proves(grown: Any) -> None:
    checkpoint = _checkpoint(grown)
    for index in (0, 1, checkpoint.tree_size - 1):
        entry = LogEntry.model_validate(grown.http.get(f"/v1/log/entries/{index}").json())
        params = {"index": index, "tree_size": checkpoint.tree_size}
        proof = InclusionProof.model_validate(
            grown.http.get("/v1/log/proofs/inclusion", params=params).json()
        )
        leaf = leaf_hash(base64.b64decode(entry.entry))
        assert leaf.hex() == entry.leaf_hash == proof.leaf_hash
        assert proof.root == checkpoint.root.hex()
        path = [bytes.fromhex(node) for node in proof.hashes]
        assert verify_inclusion(index, checkpoint.tree_size, leaf, path, checkpoint.root)


def test_the_tree_only_grows(grown: Any) -> None:
    new = _checkpoint(grown)
    for old in (1, new.tree_size - 1, new.tree_size):
        params = {"from": old, "to": new.tree_size}
        proof = ConsistencyProof.model_validate(
            grown.http.get("/v1/log/proofs/consistency", params=params).json()
        )
        path = [bytes.fromhex(node) for node in proof.hashes]
        roots = bytes.fromhex(proof.from_root), bytes.fromhex(proof.to_root)
        assert roots[1] == new.root
        assert verify_consistency(old, new.tree_size, *roots, path)


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/v1/log/entries/999999999", 404),
        ("/v1/log/entries/-1", 422),
        ("/v1/log/entries/x", 422),
        ("/v1/log/entries/99999999999999999999", 422),
        ("/v1/log/proofs/inclusion?index=5&tree_size=5", 422),
        ("/v1/log/proofs/inclusion?index=0&tree_size=999999999", 422),
        ("/v1/log/proofs/inclusion?index=999999999", 404),
        ("/v1/log/proofs/inclusion?entry_id=019aa0e2-3f7b-7abc-8def-0123456789ab", 404),
        ("/v1/log/proofs/inclusion?entry_id=x", 422),
        ("/v1/log/proofs/inclusion?tree_size=1", 422),
        ("/v1/log/proofs/inclusion?index=0&entry_id=019aa0e2-3f7b-7abc-8def-0123456789ab", 422),
        ("/v1/log/proofs/consistency?from=0&to=1", 422),
        ("/v1/log/proofs/consistency?from=2&to=1", 422),
        ("/v1/log/proofs/consistency?from=1&to=99999999999999999999", 422),
    ],
)
def test_what_there_is_no_proof_of(grown: Any, path: str, status: int) -> None:
    response = grown.http.get(path)
    assert response.status_code == status, response.text
    assert response.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize(
    ("asked", "pointers"),
    [
        ("inclusion?index=5&tree_size=3", ["/index", "/tree_size"]),
        ("inclusion?index=0&tree_size=999999999", ["/tree_size"]),
        ("consistency?from=60&to=5", ["/from", "/to"]),
        ("consistency?from=0&to=1", ["/from", "/to"]),
        ("consistency?from=1&to=999999999", ["/to"]),
    ],
)
def test_a_proof_that_cannot_be_is_refused_by_its_place(grown: Any, asked: str, pointers: list[str]) -> None:
    refused = grown.http.get(f"/v1/log/proofs/{asked}")
    assert (refused.status_code, refused.json()["type"]) == (422, "/problems/invalid-input")
    assert [error["pointer"] for error in refused.json()["errors"]] == pointers


def test_entries_hold_nothing_personal(grown: Any) -> None:
    size = _checkpoint(grown).tree_size
    entry = LogEntry.model_validate(grown.http.get(f"/v1/log/entries/{size - 1}").json())
    text = base64.b64decode(entry.entry).decode()
    assert "explanation.created" in text
    for personal in ("64.5", '"A-', '"S-', "phi"):
        assert personal not in text


def test_the_verifier_is_served_as_it_was_shipped(grown: Any) -> None:
    response = grown.http.get("/v1/log/verifier")
    assert response.status_code == 200
    assert response.headers["content-type"].startswith("text/x-python")
    assert "ofrecord_verify.py" in response.headers["content-disposition"]
    digest = "sha256:" + sha256(response.content).hexdigest()
    assert response.headers["etag"] == f'"{digest}"'
    published = VerifierKeys.model_validate(grown.http.get("/v1/log/keys").json())
    assert published.verifier_digest == digest


def test_whoever_holds_a_receipt_gets_a_proof_that_the_served_verifier_accepts(
    grown: Any, tmp_path: Path
) -> None:
    answer = grown.explain(grown.request()).json()
    params = {"entry_id": answer["receipt"]["entry_id"]}
    waiting = grown.http.get("/v1/log/proofs/inclusion", params=params)
    assert (waiting.status_code, waiting.json()["integrated"]) == (202, False)
    grown.integrate()
    response = grown.http.get("/v1/log/proofs/inclusion", params=params)
    proof = InclusionProof.model_validate(response.json())
    assert (proof.leaf_hash, proof.tree_size) == (
        answer["receipt"]["leaf_hash"],
        _checkpoint(grown).tree_size,
    )
    older = InclusionProof.model_validate(
        grown.http.get("/v1/log/proofs/inclusion", params={"index": 0, "tree_size": 1}).json()
    )
    assert older.tlog_proof is None

    files = {
        "verifier.py": grown.http.get("/v1/log/verifier").content,
        "answer.json": json.dumps(answer).encode(),
    }
    files |= {"proof.json": response.content, "keys": "\n".join(grown.vkeys).encode()}
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)
    command = [sys.executable, "-I", "verifier.py", "answer.json", "--with", "proof.json", "--key", "keys"]
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert (ran.returncode, ran.stderr) == (0, ""), ran.stdout
    assert f"kept: the leaf is at index {proof.index}" in ran.stdout
