"""The single file as a program: what it says, how it ends; no file makes it fail or steers a terminal."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.main import app
from tests.oracles.verifier_files import LATER, VKEYS, Files, make_files

PROGRAM = Path(__file__).resolve().parents[3] / "audit" / "verifier" / "ofrecord_verify.py"


@pytest.fixture(scope="module")
def files() -> Files:
    return make_files()


@pytest.fixture
def folder(files, tmp_path) -> Path:
    for name, data in files.by_name.items():
        (tmp_path / name.replace(" ", "-")).write_bytes(data)
    (tmp_path / "keys").write_text("\n".join(VKEYS))
    files.publish(tmp_path / "log")
    return tmp_path


def run(folder: Path, *arguments: str) -> tuple[int, str]:
    """Run it as an examiner would: isolated, from a folder with the files in it."""
    command = [sys.executable, "-I", str(PROGRAM), *arguments]
    ran = subprocess.run(command, cwd=folder, capture_output=True, timeout=60, check=False)
    assert b"Traceback" not in ran.stderr, ran.stderr
    return ran.returncode, ran.stdout.decode()


def test_it_needs_nothing_but_the_standard_library():
    names = set()
    for node in ast.walk(ast.parse(PROGRAM.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names.add(node.module)
    assert names <= set(sys.stdlib_module_names)


def test_it_tells_the_decision_in_words(folder):
    code, output = run(folder, "evidence", "--key", "keys")
    assert (code, output.splitlines()[0]) == (0, "PROVED")
    for part in (
        *("decision id     A-1", "outcome         decline", "score           0.71 (threshold 0.5)"),
        *("1. R07 Excessive obligations (debt_ratio 61)", "approve, score 0.46: loan_amount 89 -> 74"),
        *("tree size       300", "receipt         valid", "at 2026-11-20T10:15:00Z"),
    ):
        assert part in output


REVIEWED = {
    "kind": "corrected",
    "outcome": "approve",
    "explanation": "00000000-0000-0000-0000-000000000007",
    "supersedes": "00000000-0000-0000-0000-00000000005a",
    "superseded by": "00000000-0000-0000-0000-00000000005b",
}
SAID = ("Jane Doe", "Wage slips seen.", "The income was that of one month.")


def test_both_programs_tell_a_review_and_what_was_said_only_where_it_is_disclosed(folder):
    for name, disclosed in (("review", True), ("review_closed", False)):
        code, single = run(folder, name, "--key", "keys")
        done = CliRunner().invoke(app, ["verify", str(folder / name), "--key", str(folder / "keys")])
        assert (code, done.exit_code) == (0, 0), done.output
        for output in (single, done.output):
            lines = [line.split() for line in output.splitlines()]
            for label, value in REVIEWED.items():
                known = [
                    [*label.split(), value],
                    [*label.replace("explanation", "explanation id").split(), value],
                ]
                assert any(line in lines for line in known), (label, output)
            assert [line in output for line in SAID] == [disclosed] * 3
            assert "None" not in output
        assert ("the encrypted part of the entry" in single) is not disclosed
        assert ("not disclosed" in done.output) is not disclosed


def test_it_tells_what_it_did_not_check(folder):
    log_key = VKEYS[0]
    _, output = run(folder, "closed", "--key", log_key)
    assert "not checked     the encrypted part of the entry" in output
    assert "not checked     whether everybody is shown the same log" in output
    assert "reasons         R07" in output
    _, output = run(folder, "evidence", "--key", log_key)
    assert "receipt         not checked: its key was not given" in output
    code, output = run(folder, "receipt", "--key", "keys")
    assert (code, "not checked     whether the promise was kept" in output) == (0, True)
    assert "not checked     that the leaf is entry 00000000-0000-0000-0000-000000000007" in output
    _, output = run(folder, "receipt", "--with", "proof", "--key", "keys")
    assert "not checked     that the leaf is entry 00000000-0000-0000-0000-000000000007" in output
    _, output = run(folder, "receipt", "--log", "log", "--key", "keys")
    assert "entry id        00000000-0000-0000-0000-000000000007" in output
    assert "that the leaf is entry" not in output


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        ("receipt --log log", 0, "promise"),
        ("answer --with proof", 0, "kept: the leaf is at index 6"),
        ("proof --with receipt", 0, "kept: the leaf is at index 6"),
        ("proof", 2, "does not say of what"),
        ("consistency --with old --with new", 0, "grown from      270"),
        ("consistency --with new", 2, "270 and 300"),
        ("new --log log", 0, "published"),
        ("old --log log", 0, "begins with this tree"),
        ("lost --log log", 1, "BROKEN PROMISE"),
        ("due-later --log log", 2, "a later copy is needed"),
        ("lost --with proof", 1, "does not lead from this leaf"),
        ("lost --log log --now 2026-11-20T11:00:00.000000Z", 2, "nor need it be"),
        ("evidence --require-witness", 0, "witness.example/w1"),
        ("nothing", 2, "nothing"),
        ("evidence --log nowhere", 2, "nowhere"),
        ("evidence --key nonsense", 2, "keys:"),
    ],
)
def test_both_programs_end_alike(folder, monkeypatch, arguments, code, words):
    given = [*arguments.split(), "--key", "keys"]
    if "--now" not in given:
        given += ["--now", LATER]
    found, output = run(folder, *given)
    assert (found, words in output) == (code, True), output
    monkeypatch.chdir(folder)
    ended = CliRunner().invoke(app, ["verify", *given])
    assert (ended.exit_code, ended.exception is None or code > 0) == (code, True), ended.output


def test_without_the_witness_that_is_required_nothing_is_proved(folder, monkeypatch):
    keys = [argument for vkey in VKEYS[:2] for argument in ("--key", vkey)]
    monkeypatch.chdir(folder)
    for arguments in (["evidence", "--require-witness", *keys], ["evidence", *keys]):
        code, output = run(folder, *arguments)
        assert code == ("--require-witness" in arguments)
        assert CliRunner().invoke(app, ["verify", *arguments]).exit_code == code
        assert ("no witness whose key" in output) == bool(code)


HOSTILE = {
    "empty": b"",
    "zeros": bytes(5000),
    "not text": b"\xff\xfe{",
    "a bare brace": b"{",
    "deep": b'{"a":' * 100_000,
    "deep and closed": b'{"format":"ofrecord-evidence/v1","a":' + b"[" * 5000 + b"]" * 5000 + b"}",
    "a name twice": b'{"format":"ofrecord-evidence/v1","entry":"","entry":""}',
    "not a number": b'{"format":"ofrecord-evidence/v1","entry":NaN}',
    "a long number": b'{"to":' + b"9" * 100_000 + b"}",
    "an odd proof": b"c2sp.org/tlog-proof@v1\nindex 99999999999999999999\n\n",
    "escapes": b'{"receipt":{"signature":"","key_id":"\\u001b[31m\\r\\u202e","entry_id":1}}',
    "half a character": b'{"format":"\\ud800"}',
    "half a character, answered": b'{"signature":"","leaf_hash":"\\ud800\\u001b]0;x\\u0007"}',
    "a checkpoint of everything": b"a\n9223372036854775807\n" + b"A" * 43 + b"=\n\n\xe2\x80\x94 a AAAAAAAA\n",
    "too large": b" " * ((16 << 20) + 1),
    "an array": b"[1]",
    "wrong kinds": b'{"to":[],"from":{},"hashes":1,"receipt":{"signature":[]}}',
}


@pytest.mark.parametrize("name", HOSTILE)
def test_no_file_makes_it_fail_or_steers_a_terminal(folder, name):
    (folder / "hostile").write_bytes(HOSTILE[name])
    for arguments in (("hostile",), ("receipt", "--with", "hostile")):
        code, output = run(folder, *arguments, "--key", "keys")
        assert code in ((0, 1, 2) if "receipt" in arguments else (1, 2))
        assert all(line.isprintable() for line in output.split("\n"))
        ended = CliRunner().invoke(
            app, ["verify", *_placed(folder, arguments), "--key", str(folder / "keys")]
        )
        assert ended.exit_code == code
        assert ended.exception is None or isinstance(ended.exception, SystemExit)


def _placed(folder: Path, arguments: tuple[str, ...]) -> list[str]:
    return [one if one.startswith("--") else str(folder / one) for one in arguments]


def test_a_proved_file_does_not_steer_a_terminal_either(folder):
    evidence = json.loads((folder / "evidence").read_bytes())
    (folder / "evidence\x1b[31m").write_text(json.dumps(evidence))
    code, output = run(folder, "evidence\x1b[31m.gone", "--key", "keys")
    assert (code, "\x1b" in output) == (2, False)


def test_a_folder_of_pipes_is_not_waited_for(folder, monkeypatch):
    for name in ("tile/0/001.p/44", "tile/entries/000", "tile/0/000", "checkpoint"):
        path = folder / "log" / name
        path.unlink(missing_ok=True)
        os.mkfifo(path)
        arguments = ["receipt", "--log", "log", "--key", "keys"]
        assert run(folder, *arguments)[0] == 2
        monkeypatch.chdir(folder)
        assert CliRunner().invoke(app, ["verify", *arguments]).exit_code == 2
