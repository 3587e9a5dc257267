"""`ofrecord report`: a file that its entry vouches for, and that anybody can check again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from cli.main import app
from reports.registers.offered import REPORTS
from tests.integration.reports.conftest import CHECKPOINT_KEY, ORIGIN, RECEIPT_KEY


@pytest.fixture
def environment(database: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "OFRECORD_DATABASE_URL": database.url("service"),
        "OFRECORD_KEYS_DATABASE_URL": database.keys_url("service"),
        "OFRECORD_MASTER_KEY": bytes(32).hex(),
        "OFRECORD_RECEIPT_KEY": RECEIPT_KEY.private_text(),
        "OFRECORD_LOG_ORIGIN": ORIGIN,
        "OFRECORD_LOG_VERIFIER_KEYS": CHECKPOINT_KEY.verifier.vkey,
        "OFRECORD_ORGANISATION": "Acme Bank",
        "OFRECORD_CACHE_DIR": str(tmp_path / "cache"),
    }.items():
        monkeypatch.setenv(name, value)


def _run(*words: str) -> Any:
    return CliRunner().invoke(app, ["report", *words])


@pytest.mark.usefixtures("environment")
@pytest.mark.parametrize("form", ["json", "csv"])
def test_a_report_is_written_put_on_record_and_checked(office: Any, tmp_path: Path, form: str) -> None:
    office.decide()
    office.settle()
    out = tmp_path / f"register.{form}"
    told = _run("period-register", "--from", "2026-11-01", "--format", form, "--out", str(out))
    assert told.exit_code == 0, told.output
    office.settle()
    pulled = office.entries()[-1].entry
    assert (pulled.type, pulled.actor, pulled.body["rows"]) == ("report.pulled", "ofrecord report", 1)
    assert pulled.body["filters"] == {"from": "2026-11-01T00:00:00.000000Z", "to": None}
    checked = _run("--check", str(out))
    assert checked.exit_code == 0
    assert "PASS" in checked.output
    assert str(pulled.entry_id) in checked.output
    assert pulled.body["digest"].removeprefix("sha256:") in checked.output
    out.write_bytes(out.read_bytes().replace(b"decline", b"approve"))
    changed = _run("--check", str(out))
    assert changed.exit_code == 1
    assert "FAIL" in changed.output
    assert [path.name for path in tmp_path.glob(".*")] == []


@pytest.mark.usefixtures("environment")
def test_without_a_file_it_is_written_to_standard_output(office: Any) -> None:
    office.decide()
    office.settle()
    told = _run("log-verification")
    assert told.exit_code == 0
    header = json.loads(told.stdout)["header"]
    assert (header["organisation"], header["summary"]) == ("Acme Bank", {"result": "PASS"})


@pytest.mark.usefixtures("environment")
def test_a_failed_verification_is_a_failed_command(office: Any, admin: Any, tmp_path: Path) -> None:
    office.decide()
    office.settle()
    admin.execute("set session_replication_role = replica")
    admin.execute("set event_triggers = off")
    admin.execute("drop trigger append_only on audit.entry")
    admin.execute("update audit.entry set leaf_hash = sha256('x')")
    admin.commit()
    told = _run("log-verification", "--out", str(tmp_path / "certificate.json"))
    assert told.exit_code == 1
    assert "FAIL" in told.output
    assert _run("--check", str(tmp_path / "certificate.json")).exit_code == 0  # the file is what it says


@pytest.mark.usefixtures("environment")
@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("everything",), "there are adverse-action-record"),
        (("period-register", "--from", "soon"), "from: must be a day"),
        (("period-register", "--from", "2026-11-02", "--to", "2026-11-01"), "to: must be after"),
        (("period-register", "--model", "nobodys"), "no model named"),
        (
            ("adverse-action-record", "--explanation-id", "01a00000-0000-7000-8000-000000000001"),
            "no such entry",
        ),
        (("--check", "nowhere.json"), "cannot be read"),
    ],
)
def test_what_cannot_be_is_told_in_one_line(office: Any, words: tuple[str, ...], said: str) -> None:
    told = _run(*words)
    assert told.exit_code == 2
    assert said in told.output
    assert told.output.count("\n") == 1


def test_without_a_name_all_reports_are_named() -> None:
    told = _run()
    assert told.exit_code == 0
    assert all(name in told.output for name in REPORTS)


def test_a_file_that_is_no_report_is_said_to_be_none(tmp_path: Path) -> None:
    file = tmp_path / "x.csv"
    file.write_text("a,b\r\n")
    told = _run("--check", str(file))
    assert told.exit_code == 2
    assert "is not a report" in told.output
