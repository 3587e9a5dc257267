"""Every command that docs/verifying.md shows is run as it stands there, and ends as the page says."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.oracles.verifier_files import VKEYS, make_files

ROOT = Path(__file__).resolve().parents[3]
PAGE = (ROOT / "docs" / "verifying.md").read_text("utf-8")
COMMANDS = [
    line
    for block in re.findall(r"^```\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    for line in block.splitlines()
]
NAMES = {
    "evidence.json": "evidence",
    "receipt.json": "receipt",
    "old-checkpoint": "old",
    "new-checkpoint": "new",
    "consistency.json": "consistency",
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    made, files = tmp_path_factory.mktemp("examiner"), make_files()
    for name, kind in NAMES.items():
        (made / name).write_bytes(files.by_name[kind])
    (made / "keys").write_text("\n".join(VKEYS))
    files.publish(made / "published")
    shutil.copy(ROOT / "audit" / "verifier" / "ofrecord_verify.py", made)
    return made


def test_the_page_shows_a_command_for_every_kind_of_file():
    assert len(COMMANDS) == 4
    assert all(any(name in line for line in COMMANDS) for name in NAMES)


@pytest.mark.parametrize("line", COMMANDS)
def test_every_command_proves(folder, line):
    program, *arguments = shlex.split(line)
    assert program == "python3"
    command = [sys.executable, "-I", *arguments]
    ran = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60, check=False)
    assert (ran.returncode, ran.stdout.partition("\n")[0], ran.stderr) == (0, "PROVED", "")


def test_the_page_names_every_fact_that_is_printed(folder):
    command = [sys.executable, "-I", "ofrecord_verify.py", "evidence.json", "--key", "keys"]
    ran = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=60, check=True)
    printed = {line[2:17].strip() for line in ran.stdout.splitlines()[1:]}
    explained = set(re.findall(r"`([a-z ]+)`", PAGE))
    assert printed - explained <= {"log", "signed by", "model", "version"}
