"""Keys that sign are replaced; what the old ones signed can still be proved."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from audit.checkpoint import Checkpoint, checkpoint_keys, sign_checkpoint, verify_checkpoint
from audit.note import Signer
from cli.main import app
from cli.running.credentials import credentials
from cli.running.environments import environments
from cli.running.folder import DataFolder
from runtime.settings import INTEGRATOR_NEEDS, Settings
from tests.unit.cli.test_running_environments import ENV, SERVERS, WITNESS_URL

ROOT = Path(__file__).resolve().parents[3]


def rotate(folder: Path, step: str) -> tuple[int, str]:
    told = CliRunner().invoke(app, ["rotate", step, "--secrets", str(folder)])
    return told.exit_code, told.output


def signed_by(folder: Path, *names: str) -> str:
    signers = [Signer.parse((folder / name).read_text()) for name in names]
    return sign_checkpoint(Checkpoint(signers[0].verifier.name, 7, bytes(32)), signers)


@pytest.fixture
def secrets(tmp_path: Path) -> Path:
    out = tmp_path / "secrets"
    made = CliRunner().invoke(app, ["secrets", "--origin", "bank.example/log", "--out", str(out)])
    assert made.exit_code == 0, made.output
    return out


def test_both_keys_sign_in_between_and_the_old_one_is_believed_afterwards(secrets: Path) -> None:
    old = (secrets / "checkpoint-key").read_text()
    before = signed_by(secrets, "checkpoint-key")
    told = (secrets / "verifier-keys").read_text().split()
    assert rotate(secrets, "finish")[0] == 2
    assert rotate(secrets, "begin")[0] == 0
    assert rotate(secrets, "begin")[0] == 2
    new = (secrets / "next-checkpoint-key").read_text()
    between = signed_by(secrets, "checkpoint-key", "next-checkpoint-key")
    assert rotate(secrets, "finish")[0] == 0
    assert (secrets / "checkpoint-key").read_text() == new != old
    assert not (secrets / "next-checkpoint-key").exists()
    keys = (secrets / "verifier-keys").read_text().split()
    assert set(told) < set(keys)
    for note in (before, between, signed_by(secrets, "checkpoint-key")):
        verify_checkpoint(note, checkpoint_keys(keys))
    verify_checkpoint(between, checkpoint_keys(told))  # before anybody heard of the new key
    assert {stat.S_IMODE(path.stat().st_mode) for path in secrets.iterdir()} == {0o444}


def test_a_receipt_key_is_replaced_at_once(secrets: Path) -> None:
    old = Signer.parse((secrets / "receipt-key").read_text()).verifier
    assert rotate(secrets, "receipt")[0] == 0
    new = Signer.parse((secrets / "receipt-key").read_text()).verifier
    assert new.name == old.name
    assert {old.vkey, new.vkey} < set((secrets / "verifier-keys").read_text().split())


def test_an_installation_signs_with_the_next_key_from_its_next_start(tmp_path: Path) -> None:
    folder = DataFolder.open(tmp_path)
    made = credentials(folder)
    assert rotate(made.folder, "begin")[0] == 0
    again = credentials(folder)
    told = environments(folder, again, SERVERS, ENV, WITNESS_URL)
    settings = Settings.from_env(told["integrator"], needs=INTEGRATOR_NEEDS)
    next_key = Signer.parse(settings.next_checkpoint_key).verifier.vkey
    assert next_key in again.verifier_keys
    assert next_key in folder.verifier_keys.read_text().split()
    assert next_key in told["witness"]["OFRECORD_LOG_VERIFIER_KEYS"]
    assert rotate(made.folder, "finish")[0] == 0
    assert set(again.verifier_keys) == set(credentials(folder).verifier_keys)


def test_compose_signs_with_both_while_the_second_file_is_given() -> None:
    extra = yaml.safe_load((ROOT / "deploy" / "rotation.yml").read_text(encoding="utf-8"))
    (service,) = extra["services"].values()
    (name,) = service["secrets"]
    assert service["environment"] == {"OFRECORD_NEXT_CHECKPOINT_KEY_FILE": f"/run/secrets/{name}"}
    assert extra["secrets"][name]["file"].endswith("/next-checkpoint-key")
