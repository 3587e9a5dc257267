"""Beside the integrator: witnesses and the public folder get what is committed, and can halt it."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import pytest

from audit.cosignature import Cosigner, read_cosignatures
from audit.entry import Draft
from audit.errors import IntegrityHalt
from audit.log import AuditLog
from audit.note import Signer, parse_note
from audit.verify import verify_evidence
from runtime.clock import SystemClock
from runtime.errors import SettingsError
from runtime.postgres import Pool
from runtime.settings import Settings
from tests.oracles.followers import Follower, published
from tests.oracles.forgers import Forger
from tests.oracles.witnesses import Running, free_port, started
from workers import integrating, publishing

ORIGIN = "test.example/log"
ROOT = Path(__file__).resolve().parents[3]
Side = tuple[Pool, AuditLog]
Until = Callable[..., Any]


@contextmanager
def running(*settings: Settings) -> Iterator[list[Future[None]]]:
    """Integrators until the block ends; what they raised is raised then."""
    stop = threading.Event()
    with ThreadPoolExecutor(len(settings)) as threads:
        futures = [threads.submit(integrating.run, each, stop) for each in settings]
        try:
            yield futures
        finally:
            stop.set()
    for future in futures:
        future.result()


def append(log: AuditLog, count: int) -> None:
    now = SystemClock().now()
    log.append([Draft(type="log.tested", actor="test", body={"n": n}) for n in range(count)], now)


def lines(log: AuditLog) -> int:
    """How many signatures the newest checkpoint has: the log's own and the witnesses'."""
    newest = log.newest_checkpoint()
    return len(parse_note(newest.note).signatures) if newest else 0


def size(log: AuditLog) -> int:
    newest = log.newest_checkpoint()
    return newest.tree_size if newest else 0


@pytest.fixture
def vkey(integrator_settings: Settings) -> str:
    return Signer.parse(integrator_settings.checkpoint_key).verifier.vkey


@pytest.fixture
def witness(tmp_path: Path, vkey: str) -> Iterator[Running]:
    with started(tmp_path / "witness.sqlite", [vkey]) as one:
        yield one


@pytest.fixture
def watched(integrator_settings: Settings, witness: Running, tmp_path: Path) -> Settings:
    """An integrator with a witness and a public folder."""
    pairs = ((witness.key.vkey, witness.url),)
    return replace(integrator_settings, witnesses=pairs, publish_dir=tmp_path / "public")


def test_every_new_checkpoint_is_cosigned_and_published(
    service: Side, watched: Settings, witness: Running, tmp_path: Path, until: Until
) -> None:
    log = service[1]
    vkey = Signer.parse(watched.checkpoint_key).verifier.vkey
    second = Cosigner.generate("other.example/w2")
    with started(tmp_path / "second.sqlite", [vkey], cosigner=second) as other:
        both = replace(watched, witnesses=(*watched.witnesses, (second.key.vkey, other.url)))
        follower = Follower(tmp_path / "public", vkey)
        with running(both):
            for count in (1, 300, 5):
                before = size(log)
                append(log, count)
                until(lambda reached=before + count: size(log) == reached and lines(log) == 3)
            note = log.newest_checkpoint().note
            until(lambda: published(tmp_path / "public") == note)
    assert follower.read()[0] == 306
    found = read_cosignatures(note, [witness.key, second.key])
    assert {one.key.name for one in found} == {witness.key.name, second.key.name}
    known = {(key.role, key.vkey) for key in log.verifier_keys()}
    assert known == {("checkpoint", vkey), ("witness", witness.key.vkey), ("witness", second.key.vkey)}


def test_evidence_prefers_a_checkpoint_that_a_witness_has_seen(
    service: Side, watched: Settings, witness: Running, vkey: str, until: Until
) -> None:
    log = service[1]
    with running(watched):
        append(log, 5)
        until(lambda: lines(log) == 2)
    with running(replace(watched, witnesses=())):
        append(log, 5)
        until(lambda: size(log) == 10)
    old, new = (log.evidence(log.entry_at(index).entry.entry_id) for index in (2, 7))
    assert (verify_evidence(old.to_bytes(), [vkey]).tree_size, "witness.example" in old.tlog_proof) == (
        5,
        True,
    )
    assert (verify_evidence(new.to_bytes(), [vkey]).tree_size, "witness.example" in new.tlog_proof) == (
        10,
        False,
    )


def test_a_witness_or_disk_that_hangs_stalls_nobody_else(
    service: Side, watched: Settings, tmp_path: Path, until: Until, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = service[1]
    monkeypatch.setattr(publishing, "FIRST_LOOK_SECONDS", 0.3)
    (tmp_path / "no-folder").write_text("a file where the folder should be")
    silent = Cosigner.generate("silent.example/w")
    with closing(socket.create_server(("127.0.0.1", 0))) as deaf:
        pairs = (*watched.witnesses, (silent.key.vkey, f"http://127.0.0.1:{deaf.getsockname()[1]}"))
        hindered = replace(watched, witnesses=pairs, publish_dir=tmp_path / "no-folder")
        with running(hindered):
            append(log, 5)
            until(lambda: size(log) == 5, 5)
            until(lambda: lines(log) == 2, 5)
            told = time.monotonic()
    assert time.monotonic() - told < 3


def test_a_witness_that_comes_later_gets_what_it_missed(
    service: Side, integrator_settings: Settings, vkey: str, tmp_path: Path, until: Until
) -> None:
    log, port = service[1], free_port()
    cosigner = Cosigner.generate("late.example/w")
    pairs = ((cosigner.key.vkey, f"http://127.0.0.1:{port}"),)
    with running(replace(integrator_settings, witnesses=pairs, sign_unseen=True)):
        append(log, 5)
        until(lambda: size(log) == 5)
        for _ in range(2):
            with started(tmp_path / "late.sqlite", [vkey], cosigner=cosigner, port=port):
                append(log, 5)
                reached = size(log)
                until(lambda: lines(log) == 2, 60)
    assert reached in {5, 10, 15}


def test_two_integrators_with_one_witness_and_one_folder(
    service: Side, watched: Settings, vkey: str, tmp_path: Path, until: Until
) -> None:
    log = service[1]
    with running(watched, watched):
        for _ in range(20):
            append(log, 15)
            time.sleep(0.05)
        until(lambda: size(log) == 300 and lines(log) == 2)
        until(lambda: published(tmp_path / "public") == log.newest_checkpoint().note)
    assert Follower(tmp_path / "public", vkey).read()[0] == 300


def test_an_older_database_halts_the_integrator_before_it_signs(
    database: Any, service: Side, watched: Settings, witness: Running, until: Until
) -> None:
    log = service[1]
    with running(watched):
        append(log, 5)
        until(lambda: lines(log) == 2)
        append(log, 5)
        until(lambda: size(log) == 10 and lines(log) == 2)
        until(lambda: published(watched.publish_dir) == log.newest_checkpoint().note)
    Forger(database.admin_url, Signer.parse(watched.checkpoint_key)).cut(5)  # as a restored backup would be
    append(log, 20)
    for only in (replace(watched, publish_dir=None), replace(watched, witnesses=())):
        ended = _integrate(only)
        assert ended.returncode == integrating.HALTED, ended.stderr
        assert "put back" in ended.stderr
        assert '"level":"critical"' in ended.stderr
        assert (witness.key.key_id in ended.stderr) == bool(only.witnesses)
        assert size(log) == 5, "nothing was signed"
        assert "PRIVATE" not in ended.stderr


def test_a_contradiction_while_it_runs_halts_it(
    database: Any, service: Side, watched: Settings, until: Until
) -> None:
    log = service[1]
    halted = pytest.raises(IntegrityHalt)
    with halted, running(watched) as (future,):
        append(log, 10)
        until(lambda: size(log) == 10 and lines(log) == 2)
        Forger(database.admin_url, Signer.parse(watched.checkpoint_key)).rewrite(3, b'"test"', b'"none"')
        append(log, 1)
        until(future.done)


def _integrate(settings: Settings) -> subprocess.CompletedProcess[str]:
    env = {
        **os.environ,
        "OFRECORD_DATABASE_URL": settings.database_url,
        "OFRECORD_CHECKPOINT_KEY": settings.checkpoint_key,
        "OFRECORD_LOG_ORIGIN": ORIGIN,
        "OFRECORD_WITNESSES": ", ".join(f"{key} {url}" for key, url in settings.witnesses),
        "OFRECORD_PUBLISH_DIR": str(settings.publish_dir or ""),
        "OFRECORD_ALLOW_UNSAFE_DURABILITY": "1",
    }
    command = [sys.executable, "-m", "cli", "integrate"]
    return subprocess.run(command, cwd=ROOT, env=env, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (
            {"checkpoint_key": Signer.generate("other.example/log").private_text()},
            "CHECKPOINT_KEY: is a key of",
        ),
        ({"next_checkpoint_key": "PRIVATE+KEY+nonsense"}, "NEXT_CHECKPOINT_KEY: "),
        ({"witnesses": (("a+b+c", "http://127.0.0.1:1"),)}, "WITNESSES: "),
        ({"log_verifier_keys": ("nonsense",)}, "LOG_VERIFIER_KEYS: "),
    ],
)
def test_a_wrong_key_is_named(integrator_settings: Settings, changed: dict[str, Any], said: str) -> None:
    with pytest.raises(SettingsError, match=said) as caught:
        integrating.run(replace(integrator_settings, **changed), threading.Event())
    assert "PRIVATE" not in str(caught.value)


def test_only_the_integrator_keeps_what_witnesses_say(database: Any) -> None:
    for role in ("service", "worker", "auditor"):
        with psycopg.connect(database.url(role)) as connection:
            assert connection.execute("select count(*) from audit.cosignature").fetchone() == (0,)
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute("insert into audit.cosignature values (1, 'k', 'l', '2026-11-20Z')")
    with psycopg.connect(database.url("integrator")) as connection:
        connection.execute("select audit.publish_verifier_key_v1('witness', 'v', '2026-11-20Z')")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("select audit.publish_verifier_key_v1('receipt', 'v', '2026-11-20Z')")
