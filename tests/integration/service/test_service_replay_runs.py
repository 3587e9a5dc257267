"""`ofrecord replay`: a drawn sample of a period, replayed by another process and put on record."""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
import sys
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from audit.entry import format_time
from cli.main import app
from records.reaching import transaction
from records.replays import Period, SampledRow, digest_of_rows, replays_told, runs_told, sample_explanations
from tests.integration.service.erasures import erase_subject
from tests.integration.service.replays import Answer, recorded_otherwise

ROOT = Path(__file__).resolve().parents[3]
HOW_MANY = 24


@pytest.fixture
def environment(running: Any) -> dict[str, str]:
    """What the API itself was told."""
    settings = running.services.settings
    return {
        "OFRECORD_DATABASE_URL": settings.database_url,
        "OFRECORD_KEYS_DATABASE_URL": settings.keys_database_url,
        "OFRECORD_MASTER_KEY": settings.master_key.hex(),
        "OFRECORD_LOG_ORIGIN": settings.log_origin,
        "OFRECORD_CACHE_DIR": str(settings.cache_dir),
        "OFRECORD_LOG_LEVEL": "ERROR",
    }


@pytest.fixture(scope="module")
def decided(running: Any, upload: Any) -> list[Answer]:
    """Decisions of a model of their own."""
    assert running.register(upload.with_manifest(model="sampled")).status_code == 201
    assert running.approve("sampled").status_code == 200
    rows = [
        running.request(features=running.features | {"income": 10.0 + 4.0 * at, "loan_amount": 200 + at})
        for at in range(HOW_MANY)
    ]
    sent = running.http.post("/v1/models/sampled/explanations/batch", json={"decisions": rows})
    return [row["explanation"] for row in sent.json()["answers"]]


def _period(running: Any) -> tuple[str, str]:
    now = running.services.clock.now()
    return format_time(now - timedelta(days=1)), format_time(now + timedelta(minutes=1))


def _run(running: Any, environment: dict[str, str], *more: str) -> Any:
    begin, end = _period(running)
    arguments = ["replay", "--from", begin, "--to", end, "--model", "sampled", *more]
    return CliRunner().invoke(app, arguments, env=environment)


def test_a_run_says_what_it_found_and_puts_it_on_record(
    running: Any, environment: dict[str, str], decided: list[Answer]
) -> None:
    before = running.entries("explanation.replayed"), running.entries("replay.completed")
    told = _run(running, environment, "--sample", "10", "--seed", "7", "--format", "json")
    assert told.exit_code == 0, told.output
    found = json.loads(told.stdout)
    assert (found["population"], found["sample"], found["seed"]) == (HOW_MANY, 10, 7)
    assert found["verdicts"]["identical"] == 10
    assert {row["explanation_id"] for row in found["rows"]} < {one["explanation_id"] for one in decided}
    after = running.entries("explanation.replayed"), running.entries("replay.completed")
    assert after == (before[0] + 10, before[1] + 1)
    now = running.services.clock.now()
    today = Period(now - timedelta(hours=1), now + timedelta(hours=1), "sampled")
    with transaction(running.services.pool) as conn:
        rows = [row for row in replays_told(conn, today) if str(row.run_id) == found["run_id"]]
        run = next(run for run in runs_told(conn, today) if str(run.run_id) == found["run_id"])
    assert [str(row.explanation_id) for row in rows] == [row["explanation_id"] for row in found["rows"]]
    assert (run.population, run.sample, run.seed, run.verdicts["identical"]) == (HOW_MANY, 10, 7, 10)
    # Whoever holds the entries can count the digest again.
    again = [
        SampledRow(
            row.explanation_id, row.model, row.version, row.verdict, row.first_difference, None, row.entry_id
        )
        for row in rows
    ]
    assert run.rows_digest == digest_of_rows(again)
    running.integrate()
    reported = running.http.get("/v1/reports/replay?model=sampled").json()["rows"]
    ours = [row for row in reported if row["run_id"] == found["run_id"]]
    assert [(row["type"], row["counts"]) for row in ours if row["counts"]] == [
        ("replay.completed", found["verdicts"])
    ]
    assert [row["not_compared"] for row in ours] == [[]] * 10 + [0]


def test_the_same_seed_draws_the_same_and_another_another(running: Any, decided: list[Answer]) -> None:
    assert decided
    now = running.services.clock.now()
    period = Period(now - timedelta(days=1), now + timedelta(minutes=1), "sampled")
    with transaction(running.services.pool) as conn:
        first, again, other, whole = (
            sample_explanations(conn, period, size, seed) for size, seed in ((8, 1), (8, 1), (8, 2), (99, 1))
        )
    assert first == again == whole[:8]
    assert set(first) != set(other)
    assert sorted(map(str, whole)) == sorted(one["explanation_id"] for one in decided)


def test_a_process_that_hashes_otherwise_finds_the_same(
    running: Any, environment: dict[str, str], decided: list[Answer]
) -> None:
    assert decided
    begin, end = _period(running)
    command = [sys.executable, "-m", "cli", "replay", "--from", begin, "--to", end, "--model", "sampled"]
    for hashing, threads in (("1", "1"), ("4242", "2")):
        surroundings = {**os.environ, **environment, "PYTHONHASHSEED": hashing, "OMP_NUM_THREADS": threads}
        told = subprocess.run(
            [*command, "--format", "csv"], cwd=ROOT, env=surroundings, capture_output=True, check=True
        )
        rows = list(csv.DictReader(io.StringIO(told.stdout.decode())))
        assert len(rows) == HOW_MANY
        assert {row["verdict"] for row in rows} == {"identical"}


def test_what_differs_fails_the_run_and_what_is_erased_does_not(
    running: Any, environment: dict[str, str], decided: list[Answer]
) -> None:
    def changed(part: Any) -> None:
        part["reasons"][0]["code"] = "R99"

    adverse = [one for one in decided if one["reasons"]]
    running_out = adverse[0]["explanation_id"]
    other = recorded_otherwise(running, adverse[1]["explanation_id"], changed)
    failed = _run(running, environment, "--seed", "0")
    assert failed.exit_code == 1, failed.output
    assert f"{other}  sampled 1  different  /reasons/0/code" in failed.stdout
    assert failed.stdout.splitlines()[-1] == "FAIL"
    assert _run(running, environment, "--seed", "1").exit_code == 1  # finds it again, which adds none
    (raised,) = running.services.log.about(running.uuid(other), "incident.raised")
    assert raised.entry.actor == "ofrecord replay"
    told = raised.entry.body["kind"], raised.entry.body["first_difference"]
    assert told == ("replay-differs", "/reasons/0/code")
    erase_subject(running, other)  # the same person's first record goes with it
    erase_subject(running, running_out)
    passed = _run(running, environment, "--seed", "0")
    assert passed.exit_code == 0, passed.output
    assert "erased                  3" in passed.stdout
    assert passed.stdout.splitlines()[-1] == "PASS"


def test_an_entry_that_cannot_be_opened_fails_by_name(running: Any, environment: dict[str, str]) -> None:
    """A log of another master key opens nothing."""
    told = _run(running, environment | {"OFRECORD_MASTER_KEY": "11" * 32}, "--sample", "2")
    assert told.exit_code == 1, told.output
    assert "key-missing" in told.stdout


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--from", "2026-11-02", "--to", "2026-11-01"), "--from must be before --to"),
        (("--from", "yesterday", "--to", "2026-11-01"), "--from must be a day or a time"),
        (("--from", "2026-11-01", "--to", "2026-11-02", "--seed", str(2**53)), "--seed must be at most"),
    ],
)
def test_what_makes_no_sense_is_refused(arguments: tuple[str, ...], says: str) -> None:
    told = CliRunner().invoke(app, ["replay", *arguments])
    assert told.exit_code == 2
    assert says in told.stderr


def test_a_period_without_explanations_is_an_empty_run(running: Any, environment: dict[str, str]) -> None:
    arguments = ["replay", "--from", "2001-01-01", "--to", "2001-02-01"]
    told = CliRunner().invoke(app, arguments, env=environment)
    assert told.exit_code == 0, told.output
    assert "0 of 0 explanations" in told.stdout
    assert running.entries("replay.completed") >= 1
