"""Nothing is signed before somebody outside was asked, and said nothing against it."""

from __future__ import annotations

import logging
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from audit.cosignature import Cosigner
from audit.entry import Draft
from audit.errors import IntegrityHalt
from audit.log import AuditLog
from audit.note import Signer
from runtime.clock import SystemClock
from runtime.postgres import Pool
from runtime.settings import Settings
from tests.oracles.followers import published
from tests.oracles.forgers import Forger
from tests.oracles.witnesses import free_port, started
from workers import integrating, publishing

Side = tuple[Pool, AuditLog]
Until = Callable[..., Any]
SILENT = Cosigner.generate("silent.example/w")
UNSEEN = "nothing is signed before a witness or the public folder was compared with the database"


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(publishing, "FIRST_LOOK_SECONDS", 0.5)


@contextmanager
def running(settings: Settings) -> Iterator[None]:
    stop = threading.Event()
    with ThreadPoolExecutor(1) as threads:
        future = threads.submit(integrating.run, settings, stop)
        try:
            yield
        finally:
            stop.set()
    future.result()


def append(log: AuditLog, count: int) -> None:
    drafts = [Draft(type="log.tested", actor="test", body={"n": n}) for n in range(count)]
    log.append(drafts, SystemClock().now())


def size(log: AuditLog) -> int:
    newest = log.newest_checkpoint()
    return newest.tree_size if newest else 0


def at(port: int) -> tuple[tuple[str, str], ...]:
    return ((SILENT.key.vkey, f"http://127.0.0.1:{port}"),)


def told(caplog: pytest.LogCaptureFixture, message: str) -> list[logging.LogRecord]:
    return [record for record in caplog.records if record.getMessage() == message]


def test_a_restored_database_signs_nothing_while_its_only_witness_is_silent(  # noqa: PLR0917 - fixtures
    database: Any,
    service: Side,
    integrator_settings: Settings,
    tmp_path: Path,
    until: Until,
    caplog: pytest.LogCaptureFixture,
) -> None:
    log, port = service[1], free_port()
    signer = Signer.parse(integrator_settings.checkpoint_key)
    watched = replace(integrator_settings, witnesses=at(port))
    with started(tmp_path / "w.sqlite", [signer.verifier.vkey], cosigner=SILENT, port=port), running(watched):
        for count in (5, 10):
            append(log, 5)
            until(lambda reached=count: size(log) == reached and SILENT.key.name in _note(log))
    Forger(database.admin_url, signer).cut(5)
    append(log, 3)
    with running(watched):
        record = until(lambda: told(caplog, UNSEEN))[0]
        time.sleep(0.5)
    assert record.levelno == logging.CRITICAL
    assert SILENT.key.key_id in record.__dict__["reason"]
    assert "it does not answer" in record.__dict__["reason"]
    assert size(log) == 5, "nothing was signed, when it was told to stop neither"
    with (
        started(tmp_path / "w.sqlite", [signer.verifier.vkey], cosigner=SILENT, port=port),
        pytest.raises(IntegrityHalt, match="put back"),
    ):
        integrating.run(watched, threading.Event())
    assert size(log) == 5


def _note(log: AuditLog) -> str:
    newest = log.newest_checkpoint()
    return newest.note if newest else ""


def test_a_folder_that_cannot_be_read_is_no_look(
    service: Side,
    integrator_settings: Settings,
    tmp_path: Path,
    until: Until,
    caplog: pytest.LogCaptureFixture,
) -> None:
    log, public = service[1], tmp_path / "public"
    public.write_text("a file where the folder should be")
    append(log, 3)
    with running(replace(integrator_settings, publish_dir=public)):
        until(lambda: told(caplog, UNSEEN))
        assert size(log) == 0
        public.unlink()
        until(lambda: size(log) == 3)
        until(lambda: published(public) == _note(log))


def test_the_operator_may_sign_unseen_when_the_only_witness_is_gone(
    service: Side, integrator_settings: Settings, until: Until, caplog: pytest.LogCaptureFixture
) -> None:
    log = service[1]
    append(log, 3)
    with running(replace(integrator_settings, witnesses=at(free_port()), sign_unseen=True)):
        until(lambda: size(log) == 3)
    (record,) = told(caplog, "not yet compared with what was published")
    assert record.levelno == logging.WARNING
    assert not told(caplog, UNSEEN)


def test_one_that_agreed_is_enough_where_another_is_silent(
    service: Side,
    integrator_settings: Settings,
    tmp_path: Path,
    until: Until,
    caplog: pytest.LogCaptureFixture,
) -> None:
    log = service[1]
    append(log, 3)
    with closing(socket.create_server(("127.0.0.1", 0))) as deaf:
        pairs = at(deaf.getsockname()[1])
        with running(replace(integrator_settings, witnesses=pairs, publish_dir=tmp_path / "public")):
            until(lambda: size(log) == 3)
    assert SILENT.key.key_id in told(caplog, "not yet compared with what was published")[0].__dict__["reason"]


def test_that_nobody_is_asked_is_said_once(
    service: Side, integrator_settings: Settings, until: Until, caplog: pytest.LogCaptureFixture
) -> None:
    append(service[1], 3)
    with running(integrator_settings):
        until(lambda: size(service[1]) == 3)
    nobody = "no witness and no public folder: nobody notices if the database is put back"
    assert len(told(caplog, nobody)) == 1
