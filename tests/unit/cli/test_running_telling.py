"""What a person reads: the decision, its reasons, one change, the proof, lines to try."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest
from rich.console import Console

from cli.running.folder import DataFolder
from cli.running.screen import Screen
from cli.running.telling import tell_commands, tell_explanation

ANSWER = {
    "decision": {
        "outcome": "decline", "favourable": False, "score": 0.71, "margin": 0.896, "threshold": 0.15,
    },
    "attribution": {
        "reference": {"kind": "near_cutoff_approved"},
        "reconciliation": {"expected": 0.896, "sum": 0.8960001},
    },
    "reasons": [
        {"rank": 1, "code": "R02", "text": "Excessive [obligations]", "share": 0.41, "reference_value": 33.2,
         "observed": {"debt_ratio": 61.0, "bankruptcy": True}},
        {"rank": 2, "code": "R08", "text": "Bankruptcy", "share": 0.2, "reference_value": None,
         "observed": {"assets": None}},
    ],
    "counterfactuals": {"status": "found", "items": [
        {"changes": [{"feature": "loan_amount", "from": 89, "to": 74.25, "derived": False},
                     {"feature": "loan_ratio", "from": 95.5, "to": 80.0, "derived": True}],
         "score": 0.1499767, "outcome": "approve", "verified": True}]},
    "timings_ms": {"attribution": 0.41, "total": 44.9},
}  # fmt: skip


def screen() -> tuple[Screen, io.StringIO]:
    out = io.StringIO()
    return Screen(Console(file=out, highlight=False, soft_wrap=True)), out


def test_explanation() -> None:
    shown, out = screen()
    tell_explanation(
        shown, {"decision_id": "A-1"}, ANSWER, {"debt_ratio": "%", "loan_amount": "thousand USD"}
    )
    text = out.getvalue()
    for part in (
        "Application A-1: decline",
        "score 0.710, on the adverse side of the line at 0.15",
        "1. Excessive [obligations] (R02, 41 % of what told against it)",
        "debt_ratio 61 (%); average of those just approved: 33.2",
        "bankruptcy yes",
        "assets missing\n",
        "loan_amount 74.25 instead of 89 (thousand USD)",
        "from which follows: loan_ratio 80 instead of 95.5",
        "then: approve, score 0.149977, verified by the model itself",
        "attribution 0.4 · total 44.9",
    ):
        assert part in text


def test_the_first_answer_again_has_no_timings_of_its_own() -> None:
    shown, out = screen()
    again = {**ANSWER, "timings_ms": None, "created_at": "2026-11-20T10:15:00.123456Z"}
    tell_explanation(shown, {"decision_id": "A-1"}, again, {})
    assert "On record     since 2026-11-20T10:15:00.123456Z" in out.getvalue()
    assert "Milliseconds" not in out.getvalue()


@pytest.mark.parametrize(
    ("status", "words"), [("deferred", "still being searched"), ("no_recourse", "no permitted change would")]
)
def test_no_counterfactual_is_said(status: str, words: str) -> None:
    shown, out = screen()
    answer = {**ANSWER, "counterfactuals": {"status": status, "items": []}}
    tell_explanation(shown, {"decision_id": "A-1"}, answer, {})
    assert f"What would change it: {words}" in out.getvalue()


def test_commands_name_files_not_secrets(tmp_path: Path) -> None:
    shown, out = screen()
    tell_commands(shown, "http://127.0.0.1:8321", DataFolder(tmp_path), "boston-mortgage")
    assert f"$(cat {tmp_path}/admin-token)" in out.getvalue()
    assert "http://127.0.0.1:8321/v1/models/boston-mortgage/explanations" in out.getvalue()
    program = out.getvalue().splitlines()[-1].split()[0]
    assert Path(program).absolute() == Path(sys.executable).with_name("ofrecord")


def test_steps_are_plain_lines_without_a_terminal() -> None:
    shown, out = screen()
    with shown.step("training [a model]") as details:
        details.append("AUC 0.8")
    shown.warn("odd")
    assert out.getvalue().splitlines()[0].startswith("  ✓ training [a model] (AUC 0.8)  0.0 s")
    assert "\x1b" not in out.getvalue()
