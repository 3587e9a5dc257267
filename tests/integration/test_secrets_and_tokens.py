"""`ofrecord secrets` and `ofrecord token`: what an installation without `ofrecord run` starts with."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any

import psycopg
import pytest
from typer.testing import CliRunner

from cli.main import app
from records.tokens import find_token
from runtime.clock import SystemClock
from runtime.settings import INTEGRATOR_NEEDS, Settings

ORIGIN = "bank.example/ofrecord"


@pytest.fixture
def made(tmp_path: Path) -> Path:
    out = tmp_path / "secrets"
    told = CliRunner().invoke(app, ["secrets", "--origin", ORIGIN, "--out", str(out)])
    assert told.exit_code == 0, told.output
    assert f"OFRECORD_LOG_ORIGIN={ORIGIN}" in told.output
    witness = (out / "verifier-keys").read_text().split()[-1]
    assert f"OFRECORD_WITNESSES={witness} http://witness:8322" in told.output
    return out


@pytest.fixture
def environment(made: Path, database: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "OFRECORD_DATABASE_URL": database.url("service"),
        "OFRECORD_KEYS_DATABASE_URL": database.keys_url("service"),
        "OFRECORD_MASTER_KEY_FILE": str(made / "master-key"),
        "OFRECORD_RECEIPT_KEY_FILE": str(made / "receipt-key"),
        "OFRECORD_LOG_ORIGIN": ORIGIN,
    }.items():
        monkeypatch.setenv(name, value)


def test_secrets_have_their_form_and_are_made_only_once(made: Path) -> None:
    assert stat.S_IMODE(made.stat().st_mode) == 0o700
    settings = Settings.from_env(
        {
            "OFRECORD_DATABASE_URL": "postgresql://ofrecord_integrator@main/ofrecord",
            "OFRECORD_DATABASE_PASSWORD_FILE": str(made / "ofrecord_integrator-password"),
            "OFRECORD_CHECKPOINT_KEY_FILE": str(made / "checkpoint-key"),
            "OFRECORD_LOG_VERIFIER_KEYS_FILE": str(made / "verifier-keys"),
            "OFRECORD_LOG_ORIGIN": ORIGIN,
        },
        needs=INTEGRATOR_NEEDS,
    )
    assert settings.checkpoint_key.startswith(f"PRIVATE+KEY+{ORIGIN}+")
    names = [key.partition("+")[0] for key in settings.log_verifier_keys]
    assert names == [ORIGIN, f"{ORIGIN}/receipt", f"{ORIGIN}/witness"]
    before = (made / "master-key").read_text()
    again = CliRunner().invoke(app, ["secrets", "--origin", ORIGIN, "--out", str(made)])
    assert again.exit_code == 2
    assert (made / "master-key").read_text() == before


def test_what_a_later_version_brought_is_added_to_an_older_folder(made: Path) -> None:
    before = {path.name: path.read_text() for path in made.iterdir()}
    (made / "ofrecord_custodian-password").unlink()
    add = ["secrets", "--add", "--out", str(made), "--origin"]
    wrong = CliRunner().invoke(app, [*add, "other.example/log"])
    assert (wrong.exit_code, len(list(made.iterdir()))) == (2, len(before) - 1)
    told = CliRunner().invoke(app, [*add, ORIGIN])
    assert told.exit_code == 0, told.output
    assert f"added to {made}: ofrecord_custodian-password" in told.output.replace("\n", "")
    after = {path.name: path.read_text() for path in made.iterdir()}
    assert after.keys() == before.keys()
    assert [name for name in after if after[name] != before[name]] == ["ofrecord_custodian-password"]
    assert {stat.S_IMODE(path.stat().st_mode) for path in made.iterdir()} == {0o444}
    assert "nothing" in CliRunner().invoke(app, [*add, ORIGIN]).output


def test_a_name_no_key_can_bear_is_refused(tmp_path: Path) -> None:
    told = CliRunner().invoke(app, ["secrets", "--origin", "two words", "--out", str(tmp_path / "x")])
    assert told.exit_code == 2
    assert not (tmp_path / "x").exists()


@pytest.mark.usefixtures("environment")
def test_a_token_is_good_until_it_is_revoked(database: Any) -> None:
    told = CliRunner().invoke(app, ["token", "issue", "core-banking", "--scope", "explain", "--days", "30"])
    assert told.exit_code == 0, told.output
    secret = told.stdout.strip()
    token_id = told.stderr.split("token id ")[1].split()[0]
    with psycopg.connect(database.url("service")) as connection:
        found = find_token(connection, secret, SystemClock().now())
        assert found is not None
        assert (found.name, found.scopes) == ("core-banking", frozenset({"explain"}))
    with psycopg.connect(database.url("auditor")) as connection:
        on_record = connection.execute(
            "select count(*) from audit.entry where type = 'token.issued'"
        ).fetchone()
        assert on_record == (1,)
    assert CliRunner().invoke(app, ["token", "revoke", token_id]).exit_code == 0
    assert CliRunner().invoke(app, ["token", "revoke", token_id]).exit_code == 2
    with psycopg.connect(database.url("service")) as connection:
        assert find_token(connection, secret, SystemClock().now()) is None
    with psycopg.connect(database.url("auditor")) as connection:
        revoked = connection.execute(
            "select convert_from(canonical, 'utf8')::jsonb from audit.entry where type = 'token.revoked'"
        ).fetchall()
    assert [(row[0]["actor"], row[0]["body"]) for row in revoked] == [
        ("ofrecord token", {"token_id": token_id, "principal": "core-banking"})
    ]


@pytest.mark.usefixtures("environment")
def test_an_unknown_scope_is_refused_by_name() -> None:
    told = CliRunner().invoke(app, ["token", "issue", "core-banking", "--scope", "everything"])
    assert told.exit_code == 2
    assert "everything" in told.output
