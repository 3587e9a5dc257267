"""Embedded servers start, stop, recover, and never leave anything running behind."""

from __future__ import annotations

import multiprocessing
import os
import pwd
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import kombu
import psycopg
import pytest

from runtime.embedded import binaries
from runtime.embedded.postgres import PostgresServer
from runtime.embedded.state import Place, abandoned, locate
from runtime.embedded.valkey import ValkeyServer
from runtime.errors import EmbeddedServerError

ROOT = Path(__file__).resolve().parent.parent.parent
_SOMEBODY = pwd.getpwnam("nobody").pw_uid
PASSWORD = "p@ss w/ord:%1"


@pytest.fixture
def base() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="ofr-e-"))
    folder.chmod(0o711)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def place(base: Path, servers_folder: Path) -> Place:
    """A state folder of this test alone, beside binaries that are copied once per session."""
    return locate(base / "data", system_root=servers_folder / "system")


@pytest.fixture
def server(base: Path, place: Place) -> Iterator[PostgresServer]:
    made = PostgresServer(place, password=PASSWORD, log=base / "postgresql.log", durable=False)
    made.start()
    yield made
    made.stop()


def alive(process_id: int | None) -> bool:
    try:
        os.kill(process_id or 0, 0)
    except ProcessLookupError:
        return False
    return True


def wait_gone(process_id: int, seconds: float = 10.0) -> bool:
    deadline = time.monotonic() + seconds
    while alive(process_id) and time.monotonic() < deadline:
        time.sleep(0.02)
    return not alive(process_id)


def test_durable_checked_and_private(place: Place, base: Path) -> None:
    server = PostgresServer(place, password=PASSWORD, log=base / "postgresql.log")
    server.start()
    with psycopg.connect(server.url()) as connection:
        for setting, value in {
            "data_checksums": "on",
            "fsync": "on",
            "full_page_writes": "on",
            "synchronous_commit": "on",
            "listen_addresses": "",
            "password_encryption": "scram-sha-256",
            "TimeZone": "UTC",
        }.items():
            assert connection.execute("select current_setting(%s)", (setting,)).fetchone() == (value,), (
                setting
            )
    assert stat.S_IMODE(server.data.stat().st_mode) == 0o700
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(server.url(password="wrong"))
    server.stop()


def test_runs_as_ourselves_or_for_root_as_an_account_of_its_own(server: PostgresServer, place: Place) -> None:
    assert (place.account is None) == (os.getuid() != 0)
    if place.account is None:
        assert server.data.stat().st_uid == os.getuid()
        return
    status = Path(f"/proc/{server.process.process_id}/status").read_text()
    assert f"Uid:\t{place.account.uid}\t{place.account.uid}\t{place.account.uid}" in status
    groups = next(line for line in status.splitlines() if line.startswith("Groups:"))
    assert groups.split()[1:] in ([], [str(place.account.gid)])
    assert server.data.stat().st_uid == place.account.uid
    assert place.binaries.stat().st_uid == 0


def test_stop_start_keeps_data_and_second_start_is_fast(
    server: PostgresServer, place: Place, base: Path
) -> None:
    with psycopg.connect(server.url(), autocommit=True) as connection:
        connection.execute("create table kept (id int)")
    server.stop()
    assert not server.process.running
    begun = time.monotonic()
    server.start()
    valkey = ValkeyServer(place, password=PASSWORD, log=base / "valkey.log")
    valkey.start()
    taken = time.monotonic() - begun
    valkey.stop()
    assert taken < 3.0
    with psycopg.connect(server.url()) as connection:
        assert connection.execute("select count(*) from kept").fetchone() == (0,)


def test_recovers_after_kill_9(server: PostgresServer) -> None:
    with psycopg.connect(server.url(), autocommit=True) as connection:
        connection.execute("create table kept as select generate_series(1, 100) as id")
    server.process.ask(signal.SIGKILL)
    assert server.process.process_id is not None
    wait_gone_or_reaped(server)
    assert (server.data / "postmaster.pid").is_file()
    server.start()
    with psycopg.connect(server.url()) as connection:
        assert connection.execute("select count(*) from kept").fetchone() == (100,)


def wait_gone_or_reaped(server: PostgresServer) -> None:
    deadline = time.monotonic() + 10.0
    while server.process.running and time.monotonic() < deadline:
        time.sleep(0.02)
    assert not server.process.running


def test_stale_process_number_of_somebody_else(server: PostgresServer) -> None:
    record = server.data / "postmaster.pid"
    kept = record.read_text()
    server.stop()
    record.write_text("\n".join([str(os.getpid()), *kept.split("\n")[1:]]))
    server.start()
    assert server.process.running


def test_server_left_behind_is_stopped_first(server: PostgresServer, place: Place, base: Path) -> None:
    first = server.process.process_id
    second = PostgresServer(place, password=PASSWORD, log=base / "second.log")
    second.start()
    try:
        assert second.process.process_id != first
        assert not server.process.running
        psycopg.connect(second.url()).close()
    finally:
        second.stop()


def test_interrupted_first_start_is_done_again(base: Path, place: Place) -> None:
    (place.home / "initdb-dead" / "data").mkdir(parents=True)
    (place.home / "initdb-dead" / "data" / "PG_VERSION").write_text("18\n")
    server = PostgresServer(place, password=PASSWORD, log=base / "postgresql.log", durable=False)
    server.start()
    server.stop()
    assert not list(place.home.glob("initdb-*"))


def test_failure_to_start_tells_the_log(base: Path, place: Place) -> None:
    server = PostgresServer(place, password=PASSWORD, log=base / "postgresql.log", durable=False)
    server.start()
    server.stop()
    (server.data / "postgresql.auto.conf").write_text("shared_buffers = 'nonsense'\n")
    with pytest.raises(EmbeddedServerError, match=r"(?s)PostgreSQL stopped while starting.*shared_buffers"):
        server.start()


_SUPERVISE = """
import sys, time
from pathlib import Path
from runtime.embedded import binaries
from runtime.embedded.postgres import PostgresServer
from runtime.embedded.state import locate
from runtime.embedded.valkey import ValkeyServer
base = Path(sys.argv[1])
place = locate(base / "data", system_root=Path(sys.argv[2]))
servers = [
    PostgresServer(place, password="x", log=base / "p.log", durable=False),
    ValkeyServer(place, password="x", log=base / "v.log"),
]
for server in servers:
    server.start()
print(*(server.process.process_id for server in servers), place.account is None, flush=True)
time.sleep(60)
"""


def test_nothing_outlives_a_killed_supervisor(base: Path, place: Place) -> None:
    system = place.home.parent
    with subprocess.Popen(
        [sys.executable, "-c", _SUPERVISE, str(base), str(system)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    ) as supervisor:
        assert supervisor.stdout
        postgres, valkey, _ = supervisor.stdout.readline().split()
        supervisor.kill()
        supervisor.wait()
        assert wait_gone(int(postgres))
        assert wait_gone(int(valkey))


def test_ordinary_user_keeps_everything_in_the_data_folder(
    base: Path, place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As root, a fork becomes somebody else: another interpreter could lie where nobody else may read."""
    home = base / "home"
    home.mkdir(mode=0o700)
    if place.account:
        reachable = binaries.postgres_programs(place).parents[1]
        monkeypatch.setattr(binaries, "wheel_folder", lambda *_: reachable)
        os.chown(home, _SOMEBODY, _SOMEBODY)
    child = multiprocessing.get_context("fork").Process(
        target=_run_as_somebody, args=(home, bool(place.account))
    )
    child.start()
    child.join()
    assert child.exitcode == 0
    assert (home / "data" / "servers" / "postgres" / "data" / "PG_VERSION").is_file()
    assert (home / "data" / "servers").stat().st_uid == home.stat().st_uid
    assert [path.name for path in home.iterdir()] == ["data"]


def _run_as_somebody(home: Path, become: bool) -> None:
    if become:
        os.setgroups([])
        os.setgid(_SOMEBODY)
        os.setuid(_SOMEBODY)
    place = locate(home / "data", system_root=home / "system")
    assert place.account is None
    server = PostgresServer(place, password="x", log=home / "data" / "p.log", durable=False)
    server.start()
    psycopg.connect(server.url()).close()
    server.stop()


def test_state_folder_is_found_again_and_named_when_abandoned(base: Path, place: Place) -> None:
    system = place.home.parent
    assert locate(base / "data", system_root=system).home == place.home
    moved = (base / "data").rename(base / "moved")
    if place.account:
        assert place.home in abandoned(system)
    found = locate(moved, system_root=system).home
    assert found == place.home or found.parent == moved
    assert place.home not in abandoned(system)


def test_long_paths_get_a_short_private_socket_folder(base: Path) -> None:
    place = Place(base / ("x" * 100), None)
    place.home.mkdir()
    folder = place.socket_folder()
    try:
        assert len(str(folder)) < 60
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        folder.chmod(0o755)
        with pytest.raises(EmbeddedServerError, match="not private"):
            place.socket_folder()
    finally:
        folder.rmdir()


def test_valkey_wants_its_password(valkey_url: str) -> None:
    with kombu.Connection(valkey_url) as connection:
        connection.ensure_connection(max_retries=1)
        assert connection.default_channel.client.ping()
    wrong = valkey_url.replace("://:", "://:not-")
    with (
        kombu.Connection(wrong) as connection,
        pytest.raises(Exception, match=r"(?i)invalid username-password|auth"),
    ):
        connection.ensure_connection(max_retries=1)
