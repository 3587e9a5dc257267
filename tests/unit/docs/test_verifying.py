"""Every command that docs/verifying.md shows is run as it stands there, and ends as the page says."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from audit.checkpoint import Checkpoint, sign_checkpoint
from audit.merkle import consistency_path, leaf_hash, root
from audit.submission import Submission
from audit.timestamp import timestamp_request
from tests.oracles.authorities import make_authority
from tests.oracles.verifier_files import (
    OLD,
    ORIGIN,
    SIGNER,
    SIZE,
    VKEYS,
    WITNESS,
    entry_of,
    make_files,
)
from tests.oracles.witnesses import started

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs" / "verifying.md").read_text("utf-8")
COMMANDS = [
    line
    for block in re.findall(r"^```\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    for line in block.splitlines()
]
ADDRESS = "https://w1.audit.example.org"  # as the page writes it
STAMPED = SIZE + 20
NAMES = {
    "evidence.json": "evidence",
    "receipt.json": "receipt",
    "old-checkpoint": "old",
    "new-checkpoint": "new",
    "consistency.json": "consistency",
    "witness-checkpoint": "old",
}


def _stamp(made, files):
    """What belongs to a time stamp of a tree that has grown since the evidence: real ones, by OpenSSL."""
    authority = make_authority(made / "authority")
    leaves = [*files.leaves(), *(leaf_hash(entry_of(n)[1]) for n in range(SIZE, STAMPED))]
    checkpoint = Checkpoint(ORIGIN, STAMPED, root(leaves))
    proof = consistency_path(SIZE, STAMPED, lambda level, at: root(leaves[at << level : (at + 1) << level]))
    note = sign_checkpoint(checkpoint, [SIGNER]).encode()
    (made / "stamped-checkpoint").write_bytes(note)
    (made / "stamp.tsr").write_bytes(authority.answer(timestamp_request(note).body))
    hashes = [node.hex() for node in proof]
    (made / "to-stamped.json").write_text(json.dumps({"from": SIZE, "to": STAMPED, "hashes": hashes}))
    shutil.copy(authority.certificates, made / "authority.pem")


@pytest.fixture(scope="module")
def files():
    return make_files()


@pytest.fixture(scope="module")
def witness(tmp_path_factory, files):
    """A witness that has cosigned the older tree."""
    database = tmp_path_factory.mktemp("witness") / "seen.sqlite"
    note = sign_checkpoint(Checkpoint(ORIGIN, OLD, root(files.leaves()[:OLD])), [SIGNER])
    with started(database, [SIGNER.verifier.vkey], cosigner=WITNESS) as running:
        assert running.submit(Submission(0, (), note).to_text().encode()).status_code == 200
        yield running


@pytest.fixture(scope="module")
def folder(tmp_path_factory, files):
    made = tmp_path_factory.mktemp("examiner")
    _stamp(made, files)
    for name, kind in NAMES.items():
        (made / name).write_bytes(files.by_name[kind])
    (made / "keys").write_text("\n".join(VKEYS))
    files.publish(made / "published")
    shutil.copy(ROOT / "audit" / "verifier" / "ofrecord_verify.py", made)
    return made


def test_the_page_shows_a_command_for_every_kind_of_file():
    assert len(COMMANDS) == 10
    assert all(any(name in line for line in COMMANDS) for name in NAMES)


@pytest.mark.parametrize("line", [line for line in COMMANDS if line.startswith("openssl")])
def test_every_command_about_a_stamp_says_so(folder, line):
    command = shlex.split(line)
    ran = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60, check=True)
    assert "Verification: OK" in ran.stdout + ran.stderr or "Time stamp:" in ran.stdout


def test_a_stamp_is_of_no_other_bytes(folder):
    line = next(line for line in COMMANDS if line.startswith("openssl ts -verify"))
    command = shlex.split(line.replace("stamped-checkpoint", "new-checkpoint"))
    assert subprocess.run(command, cwd=folder, capture_output=True, timeout=60, check=False).returncode != 0


def test_the_witness_is_asked_without_anybody_in_between(folder, witness):
    (line,) = (line for line in COMMANDS if line.startswith("curl"))
    assert ADDRESS in line
    script = line.replace(ADDRESS, witness.url)
    subprocess.run(["sh", "-c", script], cwd=folder, check=True, timeout=60, env={"PATH": os.environ["PATH"]})
    shown = (folder / "witness-checkpoint").read_text()
    assert shown.splitlines()[1] == str(OLD)
    assert f"— {WITNESS.key.name} " in shown
    strange = script.replace(ORIGIN, "another.example/log")
    assert subprocess.run(["sh", "-c", strange], cwd=folder, timeout=60, check=False).returncode == 22


def test_another_history_than_the_witness_saw_comes_to_light(folder, files, tmp_path):
    """The log shows a rewritten tree, rightly signed and of the witness's size; then one that is cut back."""
    copied = shutil.copytree(folder, tmp_path / "examiner")
    compare, prove = (line for line in COMMANDS if " witness-checkpoint" in line and "python3" in line)
    leaves = files.leaves()
    forged = sign_checkpoint(Checkpoint(ORIGIN, OLD, root([bytes(32), *leaves[1:OLD]])), [SIGNER])
    (copied / "new-checkpoint").write_text(forged)
    assert _says(copied, prove).startswith("NOT PROVED  FORK")
    shutil.rmtree(copied / "published")
    files.publish(copied / "published", OLD - 1)
    assert _says(copied, compare).startswith("CANNOT CHECK  what is published is shorter")


def _says(folder, line):
    _, *arguments = shlex.split(line)
    command = [sys.executable, "-I", *arguments]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60, check=False).stdout


@pytest.mark.parametrize("line", [line for line in COMMANDS if line.startswith("python3")])
def test_every_command_proves(folder, line):
    _, *arguments = shlex.split(line)
    command = [sys.executable, "-I", *arguments]
    ran = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60, check=False)
    assert (ran.returncode, ran.stdout.partition("\n")[0], ran.stderr) == (0, "PROVED", "")


def test_the_page_names_every_fact_that_is_printed(folder):
    command = [sys.executable, "-I", "ofrecord_verify.py", "evidence.json", "--key", "keys"]
    ran = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60, check=True)
    printed = {line[2:17].strip() for line in ran.stdout.splitlines()[1:]}
    explained = set(re.findall(r"`([a-z ]+)`", PAGE))
    assert printed - explained <= {"log", "signed by", "model", "version"}
