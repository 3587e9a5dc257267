"""A master key that a command writes: real commands, and nothing of what they say is repeated."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from audit.master_key import CommandSource, MasterKeyUnavailable
from cli.starting import load
from runtime.errors import SettingsError
from runtime.settings import Settings

KEY = bytes(range(32))


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


@pytest.mark.parametrize("written", [KEY.hex(), KEY.hex().upper(), f"\n {KEY.hex()}\n\n"])
def test_the_key_is_what_the_command_writes(written: str) -> None:
    assert CommandSource(python(f"print({written!r})")).master_key() == KEY


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("print('hunter2' * 9)", "did not write 64 hexadecimal digits"),
        (f"print('{KEY.hex()}' * 2)", "did not write 64 hexadecimal digits"),
        ("pass", "did not write 64 hexadecimal digits"),
        (f"print('{KEY.hex()}'); raise SystemExit(3)", "ended with 3"),
        ("import time; time.sleep(60)", "took over 0.5 seconds"),
    ],
)
def test_anything_else_is_refused_and_not_repeated(code: str, said: str) -> None:
    with pytest.raises(MasterKeyUnavailable, match=said) as refused:
        CommandSource(python(code), patience_seconds=0.5).master_key()
    assert "hunter2" not in str(refused.value)
    assert KEY.hex()[:8] not in str(refused.value)


def test_a_command_that_is_not_there_is_named_by_its_fault_alone() -> None:
    with pytest.raises(MasterKeyUnavailable, match="No such file") as refused:
        CommandSource(["/nowhere/vault-with-hunter2"]).master_key()
    assert "hunter2" not in str(refused.value)


def test_there_is_no_shell(tmp_path: Path) -> None:
    made = tmp_path / "made"
    with pytest.raises(MasterKeyUnavailable):
        CommandSource(["echo", KEY.hex(), ";", "touch", str(made)]).master_key()
    assert not made.exists()


def test_a_process_that_needs_the_key_runs_the_command_once(tmp_path: Path) -> None:
    count = tmp_path / "count"
    code = f"open({str(count)!r}, 'a').write('x'); print('{KEY.hex()}')"
    env = {"OFRECORD_MASTER_KEY_COMMAND": f'{sys.executable} -c "{code}"'}
    settings = load("test", needs=("master_key",), env=env)
    assert settings.master_key == KEY
    assert KEY.hex() not in repr(settings)
    assert load("test", needs=(), env=env).master_key == b""
    assert count.read_text() == "x"


def test_a_failure_is_an_operators_to_mend() -> None:
    with pytest.raises(SettingsError, match=r"OFRECORD_MASTER_KEY_COMMAND.*ended with 1"):
        load("test", needs=("master_key",), env={"OFRECORD_MASTER_KEY_COMMAND": "false"})
    with pytest.raises(SettingsError, match=r"OFRECORD_MASTER_KEY_COMMAND.*quotation mark"):
        Settings.from_env({"OFRECORD_MASTER_KEY_COMMAND": "vault 'x"}, needs=())
    both = {"OFRECORD_MASTER_KEY_COMMAND": "true", "OFRECORD_MASTER_KEY": KEY.hex()}
    with pytest.raises(SettingsError, match="given twice"):
        Settings.from_env(both, needs=())
    with pytest.raises(SettingsError, match=r"OFRECORD_MASTER_KEY\b.*is not set"):
        Settings.from_env({}, needs=("master_key",))
