"""The data folder has one holder; its secrets are made once, together, and only for their owner."""

from __future__ import annotations

import os
import socket
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from audit.cosignature import Cosigner
from audit.note import Signer
from cli.running.credentials import credentials
from cli.running.folder import DataFolder, write_private
from runtime.errors import AlreadyRunning, OperationError

ROOT = Path(__file__).resolve().parents[3]


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_folder_is_private_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        folder = DataFolder.open(tmp_path / "data")
    finally:
        os.umask(before)
    assert {mode(path) for path in (folder.root, *folder.root.iterdir())} == {0o700}


def test_sockets_lie_where_only_we_may_enter(tmp_path: Path) -> None:
    folder = DataFolder.open(tmp_path / "data")
    deep = DataFolder.open(tmp_path / ("d" * 100))
    before = os.umask(0)
    try:
        near, far = folder.socket("propose"), deep.socket("propose")
    finally:
        os.umask(before)
    assert near.parent.parent == folder.root
    assert far.parent != near.parent
    for path in (near, far):
        assert mode(path.parent) == 0o700
        assert len(os.fsencode(path)) <= 107
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(path))
        path.unlink()
    far.parent.rmdir()


def test_second_holder_is_refused_by_name(tmp_path: Path) -> None:
    folder = DataFolder.open(tmp_path)
    refused = pytest.raises(AlreadyRunning, match=rf"process {os.getpid()}.*{tmp_path.name}")
    with folder.held(), refused, folder.held():
        pass
    with folder.held():
        pass


def test_second_run_is_refused_before_anything_starts(tmp_path: Path) -> None:
    folder = DataFolder.open(tmp_path)
    with folder.held():
        done = subprocess.run(
            [sys.executable, "-m", "cli", "run", "--data-dir", str(tmp_path), "--port", "0"],
            cwd=ROOT, capture_output=True, text=True, check=False,
        )  # fmt: skip
    assert done.returncode == 2
    assert f"already runs on {tmp_path}" in done.stderr.replace("\n", " ")
    assert not (tmp_path / "secrets").exists()


def test_secrets_are_made_once_and_only_for_their_owner(tmp_path: Path) -> None:
    folder = DataFolder.open(tmp_path)
    first = credentials(folder)
    kept = {path.name: path.read_text() for path in first.folder.iterdir()}
    assert mode(first.folder) == 0o700
    assert {mode(path) for path in first.folder.iterdir()} == {0o600}
    assert len(set(kept.values())) == len(kept)
    assert len(bytes.fromhex(first.read("master-key"))) == 32
    assert credentials(folder) == first
    assert {path.name: path.read_text() for path in first.folder.iterdir()} == kept
    checkpoint = Signer.parse(first.read("checkpoint-key")).verifier
    receipt = Signer.parse(first.read("receipt-key")).verifier
    assert (checkpoint.name, receipt.name) == (first.log_origin, f"{first.log_origin}/receipt")
    witness = Cosigner.parse(first.read("witness-key")).key
    assert (witness.name, witness.vkey) == (f"{first.log_origin}/witness", first.witness)
    assert folder.verifier_keys.read_text().split() == [checkpoint.vkey, receipt.vkey, witness.vkey]


def test_loose_modes_are_tightened(tmp_path: Path) -> None:
    folder = DataFolder.open(tmp_path)
    made = credentials(folder)
    made.file("master-key").chmod(0o644)
    made.folder.chmod(0o755)
    credentials(folder)
    assert (mode(made.file("master-key")), mode(made.folder)) == (0o600, 0o700)


@pytest.mark.parametrize("name", ["master-key", "checkpoint-key", "ofrecord_worker-password"])
def test_lost_secret_is_named_and_never_made_up(tmp_path: Path, name: str) -> None:
    folder = DataFolder.open(tmp_path)
    made = credentials(folder)
    made.file(name).unlink()
    with pytest.raises(OperationError, match=f"{name} cannot be read"):
        credentials(folder)
    assert not made.file(name).exists()
    made.file(name).write_text("\n")
    with pytest.raises(OperationError, match=f"{name} is empty"):
        credentials(folder)


def test_a_folder_of_an_older_version_gets_what_it_lacks_and_nothing_else(tmp_path: Path) -> None:
    folder = DataFolder.open(tmp_path)
    made = credentials(folder)
    later = {"ofrecord_custodian-password", "witness-key"}
    before = {path.name: path.read_text() for path in made.folder.iterdir()}
    for name in later:
        made.file(name).unlink()
    upgraded = credentials(folder)
    after = {path.name: path.read_text() for path in upgraded.folder.iterdir()}
    assert {name for name in after if after[name] != before[name]} == later
    assert after.keys() == before.keys()
    assert {mode(made.file(name)) for name in later} == {0o600}
    assert {path.name: path.read_text() for path in credentials(folder).folder.iterdir()} == after
    made.file("ofrecord_custodian-password").write_text("")
    with pytest.raises(OperationError, match="custodian-password is empty"):
        credentials(folder)


def test_interrupted_making_starts_over(tmp_path: Path) -> None:
    folder = DataFolder.open(tmp_path)
    (tmp_path / ".secrets.new").mkdir()
    (tmp_path / ".secrets.new" / "master-key").write_text("half")
    assert len(credentials(folder).read("master-key")) == 64


def test_private_file_replaces_whole(tmp_path: Path) -> None:
    path = tmp_path / "token"
    path.write_text("old and readable")
    write_private(path, "new\n")
    assert (path.read_text(), mode(path), list(tmp_path.iterdir())) == ("new\n", 0o600, [path])


def test_log_that_has_grown_starts_anew(tmp_path: Path) -> None:
    folder = DataFolder.open(tmp_path)
    path = folder.log("api")
    with path.open("wb") as log:
        log.truncate((20 << 20) + 1)
    assert not folder.log("api").exists()
    assert (tmp_path / "logs" / "api.log.1").is_file()
