"""An entry removed before it had a place: the tree cannot miss it, but its receipt convicts the log."""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from audit.entry import Draft, format_time
from audit.publish import Publisher
from audit.receipt import INTEGRATE_WITHIN, issue_receipt
from cli.main import app

PROGRAM = Path(__file__).resolve().parents[3] / "audit" / "verifier" / "ofrecord_verify.py"
DRAFT = Draft("explanation.created", "svc", {"outcome": "decline"}, private=b"{}", subject="S-1")


def publish(rig, folder: Path) -> Path:
    """Publish what the database holds, as the integrator does."""
    publisher = Publisher(rig.integrator_pool, folder, rig.origin, [rig.signer.verifier])
    while publisher.step():
        pass
    return folder


@pytest.fixture
def promised(rig, tmp_path):
    """A log that promised two entries; and how both verifiers judge a receipt a moment after its time."""
    rig.log.append([Draft("a.b", "x", {})] * 300, rig.now)
    rig.integrator.step(rig.now)
    kept, removed = (rig.log.append_one(DRAFT, rig.now) for _ in range(2))
    (tmp_path / "keys").write_text("\n".join(rig.vkeys))

    def judged(appended, now) -> tuple[int, str]:
        receipt = issue_receipt(rig.receipt_signer, rig.origin, appended)
        (tmp_path / "receipt.json").write_text(json.dumps(receipt.to_json()))
        given = [str(tmp_path / "receipt.json"), "--key", str(tmp_path / "keys")]
        given += ["--log", str(tmp_path / "log"), "--now", format_time(now)]
        command = [sys.executable, "-I", str(PROGRAM), *given]
        ran = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        ours = CliRunner().invoke(app, ["verify", *given])
        assert (ran.stderr, ran.returncode) == ("", ours.exit_code), ours.output
        assert ("BROKEN PROMISE" in ran.stdout) == ("BROKEN PROMISE" in ours.output)
        return ran.returncode, ran.stdout

    return rig, kept, removed, judged


def remove(rig, entry_id) -> None:
    """Do as a superuser who switches the triggers off: nothing of the entry is left anywhere."""
    rig.tamper(
        "; ".join(f"delete from audit.{t} where entry_id = '{entry_id}'" for t in ("pending", "payload"))
    )
    rig.tamper(f"delete from audit.entry where entry_id = '{entry_id}'")


def test_a_removed_entry_breaks_the_promise_that_nobody_can_take_back(promised, tmp_path):
    rig, kept, removed, judged = promised
    due = rig.now + INTEGRATE_WITHIN
    remove(rig, removed.entry_id)
    rig.integrator.step(rig.now)
    rig.log.append_one(Draft("a.b", "x", {}), due + timedelta(hours=1))
    rig.integrator.step(due + timedelta(hours=1))
    assert rig.fsck().passed  # alone it cannot see what never was in the tree
    publish(rig, tmp_path / "log")

    code, told = judged(removed, due + timedelta(hours=2))
    assert (code, "BROKEN PROMISE" in told, "a late enough copy" in told) == (1, True, True)
    code, told = judged(kept, due + timedelta(hours=2))
    assert (code, "kept: the leaf is at index" in told) == (0, True)


def test_before_its_time_a_promise_is_neither_kept_nor_broken(promised, tmp_path):
    rig, _, waiting, judged = promised
    publish(rig, tmp_path / "log")
    code, told = judged(waiting, rig.now + timedelta(hours=1))
    assert (code, "nor need it be before" in told) == (2, True)
    code, told = judged(waiting, rig.now + INTEGRATE_WITHIN + timedelta(seconds=1))
    assert (code, "a later copy is needed" in told) == (2, True), "this copy is from before its time"


def test_a_log_that_was_signed_again_without_an_entry_breaks_its_promise_too(promised, tmp_path):
    """Whoever holds the checkpoint key can sign any tree; the receipt was signed and is held elsewhere."""
    rig, kept, _, judged = promised
    rig.integrator.step(rig.now)
    tables = ("leaf", "tile", "checkpoint")
    rig.tamper("; ".join(f"delete from audit.{table}" for table in tables))
    remove(rig, kept.entry_id)
    rig.tamper("insert into audit.pending (entry_id) select entry_id from audit.entry")
    later = rig.now + INTEGRATE_WITHIN + timedelta(hours=1)
    rig.log.append_one(Draft("a.b", "x", {}), later)
    rig.another_integrator().step(later)
    assert rig.fsck().passed
    publish(rig, tmp_path / "log")
    code, told = judged(kept, rig.now + INTEGRATE_WITHIN + timedelta(days=1))
    assert (code, "BROKEN PROMISE" in told) == (1, True)
