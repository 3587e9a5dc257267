"""Keys that sign are replaced; what the old ones signed can still be proved."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from audit.checkpoint import Checkpoint, checkpoint_keys, sign_checkpoint, verify_checkpoint
from audit.errors import MalformedNote
from audit.note import Signer
from cli.main import app
from cli.running.credentials import credentials, retire
from cli.running.environments import environments
from cli.running.folder import DataFolder
from runtime.settings import INTEGRATOR_NEEDS, Settings
from tests.unit.cli.test_running_environments import ENV, SERVERS, WITNESS_URL

ROOT = Path(__file__).resolve().parents[3]


def rotate(folder: Path, step: str, note: str | None = None) -> tuple[int, str]:
    """One step; `note` is the checkpoint that `finish` is given."""
    given = folder.parent / "given-checkpoint"
    given.write_text(note or "")
    more = [] if note is None else ["--checkpoint", str(given)]
    told = CliRunner().invoke(app, ["rotate", step, "--secrets", str(folder), *more])
    return told.exit_code, told.output


def signed_by(folder: Path, *names: str, size: int = 7) -> str:
    signers = [Signer.parse((folder / name).read_text()) for name in names]
    return sign_checkpoint(Checkpoint(signers[0].verifier.name, size, bytes(32)), signers)


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
    assert rotate(secrets, "finish", before)[0] == 2
    assert rotate(secrets, "begin")[0] == 0
    assert rotate(secrets, "begin")[0] == 2
    new = (secrets / "next-checkpoint-key").read_text()
    between = signed_by(secrets, "checkpoint-key", "next-checkpoint-key")
    for refused in (None, "", "no note", before, signed_by(secrets, "next-checkpoint-key")):
        assert rotate(secrets, "finish", refused)[0] == 2
    stolen = signed_by(secrets, "checkpoint-key", size=8)
    assert rotate(secrets, "finish", between)[0] == 0
    assert (secrets / "checkpoint-key").read_text() == new != old
    assert not (secrets / "next-checkpoint-key").exists()
    keys = (secrets / "verifier-keys").read_text().split()
    (past,) = set(told) - set(keys)
    assert f"{past}@7" in keys
    with pytest.raises(MalformedNote, match="past key alone"):
        verify_checkpoint(stolen, checkpoint_keys(keys))
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
    both = signed_by(made.folder, "checkpoint-key", "next-checkpoint-key")
    assert rotate(made.folder, "finish", both)[0] == 0
    finished = credentials(folder).verifier_keys
    assert {key.removesuffix("@7") for key in finished} == set(again.verifier_keys) != set(finished)


def test_a_rotation_that_broke_off_while_it_finished_goes_on(tmp_path: Path) -> None:
    folder = DataFolder.open(tmp_path)
    made = credentials(folder)
    rotate(made.folder, "begin")
    before = credentials(folder).verifier_keys
    retire(made.folder, "checkpoint-key", 7)
    assert credentials(folder).verifier_keys == before, "the key still signs"
    both = signed_by(made.folder, "checkpoint-key", "next-checkpoint-key", size=9)
    assert rotate(made.folder, "finish", both)[0] == 0
    assert len([key for key in credentials(folder).verifier_keys if "@" in key]) == 2, (
        "the smaller one counts"
    )


def test_compose_signs_with_both_while_the_second_file_is_given() -> None:
    extra = yaml.safe_load((ROOT / "deploy" / "rotation.yml").read_text(encoding="utf-8"))
    (service,) = extra["services"].values()
    (name,) = service["secrets"]
    assert service["environment"] == {"OFRECORD_NEXT_CHECKPOINT_KEY_FILE": f"/run/secrets/{name}"}
    assert extra["secrets"][name]["file"].endswith("/next-checkpoint-key")
