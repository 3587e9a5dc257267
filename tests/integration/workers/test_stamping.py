"""Time stamps of checkpoints by a real authority on this machine, and what is not taken for one."""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from audit.entry import Draft
from audit.integrate import Integrator
from audit.log import AuditLog
from audit.note import Signer
from audit.timestamp import (
    TimestampRefused,
    read_certificates,
    timestamp_request,
    verify_timestamp,
)
from runtime.clock import FixedClock, SystemClock
from runtime.errors import SettingsError
from runtime.postgres import Pool, open_pool
from runtime.settings import Settings
from tests.oracles.authorities import Authority, make_authority, serving
from workers import integrating
from workers.stamping import Stamping

Side = tuple[Pool, AuditLog]
Until = Callable[..., Any]
NOTE = b"any bytes will do\n"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return make_authority(tmp_path_factory.mktemp("authority") / "a")


@pytest.fixture
def authority(made: Authority) -> Iterator[Authority]:
    made.spoiled, made.status = None, 200
    made.asked.clear()
    with serving(made) as serves:
        yield serves


def _append(log: AuditLog) -> None:
    log.append_one(Draft(type="log.tested", actor="test", body={}), SystemClock().now())


def _stamps(database: Any) -> list[tuple[int, bytes, str]]:
    both = "audit.timestamp join audit.checkpoint using (tree_size)"
    query = f"select tree_size, response, note from {both} order by 1"
    with psycopg.connect(database.url("auditor")) as connection:
        return connection.execute(query).fetchall()


def test_the_integrator_has_its_newest_checkpoint_stamped(
    database: Any,
    service: Side,
    integrator_settings: Settings,
    authority: Authority,
    until: Callable[..., Any],
) -> None:
    stamped = replace(
        integrator_settings, timestamp_url=authority.url, timestamp_certificates=authority.certificates
    )
    stop = threading.Event()
    with ThreadPoolExecutor(1) as threads:
        future = threads.submit(integrating.run, stamped, stop)
        _append(service[1])
        until(lambda: _stamps(database))
        _append(service[1])
        time.sleep(1.2)
        stop.set()
        future.result(10)
    ((size, response, note),) = _stamps(database)
    assert size == 1, "one an hour is enough"
    at = verify_timestamp(response, note.encode(), read_certificates(authority.certificates))
    assert abs((SystemClock().now() - at).total_seconds()) < 120
    assert authority.verify(response, note.encode()), "and OpenSSL thinks so too"
    assert not authority.verify(response, note.encode() + b"x")
    assert note.encode() not in authority.asked[0]
    assert hashlib.sha256(note.encode()).digest() in authority.asked[0], "only the digest leaves"


def test_the_next_one_comes_an_hour_later_and_only_for_a_new_tree(
    database: Any, service: Side, integrator_settings: Settings, authority: Authority
) -> None:
    clock = FixedClock(SystemClock().now())
    signer = Signer.parse(integrator_settings.checkpoint_key)
    with open_pool(database.url("integrator")) as pool:
        integrator = Integrator(pool, [signer], integrator_settings.log_origin)
        stamping = Stamping(pool, authority.url, authority.certificates, clock)
        assert not stamping.step(), "an empty tree has no checkpoint"
        for seconds, stamped in ((0, True), (3000, False), (700, True)):
            _append(service[1])
            integrator.step(clock.now())
            clock.advance(seconds)
            assert stamping.step() is stamped
            assert not stamping.step()
        clock.advance(timedelta(hours=2).total_seconds())
        assert not stamping.step(), "nothing new to stamp"
    assert [size for size, _, _ in _stamps(database)] == [1, 3]
    with (
        psycopg.connect(database.admin_url) as connection,
        pytest.raises(psycopg.errors.InsufficientPrivilege, match="append-only"),
    ):
        connection.execute("delete from audit.timestamp")


def _stamp(authority: Authority, message: bytes = NOTE) -> tuple[bytes, int | None]:
    request = timestamp_request(message)
    return authority.answer(request.body), request.nonce


def test_what_is_no_stamp_of_these_bytes_is_refused(authority: Authority, tmp_path: Path) -> None:
    roots = read_certificates(authority.certificates)
    response, nonce = _stamp(authority)
    assert verify_timestamp(response, NOTE, roots, nonce)
    assert verify_timestamp(response, NOTE, roots), "later, without the number of the request"
    other = make_authority(tmp_path / "other")
    for answer, message, trusted, number in (
        (response, NOTE + b"x", roots, None),
        (response, NOTE, read_certificates(other.certificates), None),
        (response, NOTE, roots, 12345),
        (_stamp(other)[0], NOTE, roots, None),
        (b"", NOTE, roots, None),
        (b"nonsense", NOTE, roots, None),
        (response[:-1], NOTE, roots, None),
    ):
        with pytest.raises(TimestampRefused):
            verify_timestamp(answer, message, trusted, number)


def test_a_changed_stamp_is_refused(authority: Authority) -> None:
    roots = read_certificates(authority.certificates)
    response, _ = _stamp(authority)
    for at in range(9, len(response), 23):
        changed = response[:at] + bytes([response[at] ^ 1]) + response[at + 1 :]
        try:
            verify_timestamp(changed, NOTE, roots)
        except TimestampRefused:
            continue
        assert not authority.verify(changed, NOTE) or _same_stamp(changed, response, roots), at


def _same_stamp(changed: bytes, response: bytes, roots: Any) -> bool:
    """What is not signed (an unused certificate in the answer, a status text) may differ and says nothing."""
    return verify_timestamp(changed, NOTE, roots) == verify_timestamp(response, NOTE, roots)


@pytest.mark.parametrize(
    ("spoiled", "status"), [(b"nonsense", 200), (b"", 500), (b"x" * 70_000, 200), (None, 302)]
)
def test_an_authority_that_answers_otherwise_is_not_believed(
    database: Any, service: Side, authority: Authority, spoiled: bytes | None, status: int
) -> None:
    signer = Signer.generate("test.example/log")
    authority.spoiled, authority.status = spoiled, status
    with open_pool(database.url("integrator")) as pool:
        _append(service[1])
        Integrator(pool, [signer], "test.example/log").step(SystemClock().now())
        stamping = Stamping(pool, authority.url, authority.certificates, SystemClock())
        with pytest.raises(TimestampRefused):
            stamping.step()
    assert _stamps(database) == []


def test_settings_of_time_stamps_are_checked(integrator_settings: Settings, tmp_path: Path) -> None:
    url = "http://127.0.0.1:9/stamp"
    (tmp_path / "empty.pem").write_text("")
    for certificates in (None, tmp_path / "missing.pem", tmp_path / "empty.pem"):
        wrong = replace(integrator_settings, timestamp_url=url, timestamp_certificates=certificates)
        with pytest.raises(SettingsError, match="TIMESTAMP_CERTIFICATES"):
            integrating.run(wrong, threading.Event())
