"""One PostgreSQL of our own, on a Unix socket nobody else can reach."""

from __future__ import annotations

import logging
import os
import pwd
import secrets
import shutil
import signal
import subprocess
import time
from pathlib import Path
from urllib.parse import quote

from runtime.embedded.binaries import postgres_programs
from runtime.embedded.process import ChildProcess, Launch
from runtime.embedded.state import Account, Place
from runtime.errors import EmbeddedServerError

_LOG = logging.getLogger(__name__)
_SUPERUSER = "postgres"
_CONFIGURATION = """\
# Written at every start; changes belong in postgresql.auto.conf (ALTER SYSTEM).
listen_addresses = ''
unix_socket_directories = '{socket}'
unix_socket_permissions = 0700
max_connections = {connections}
shared_buffers = 128MB
max_wal_size = 512MB
password_encryption = scram-sha-256
timezone = 'UTC'
log_timezone = 'UTC'
lc_messages = 'C'
jit = off
huge_pages = off
fsync = {durable}
full_page_writes = {durable}
synchronous_commit = on
recovery_init_sync_method = syncfs
log_line_prefix = '%m [%p] %q%u@%d '
"""
_START_SECONDS = 60.0
_STOP_SECONDS = 30.0


class PostgresServer:
    """An embedded PostgreSQL: `start`, `stop`, and the address in between.

    `start` makes the cluster the first time (data checksums on), recovers after a crash, removes a stale
    `postmaster.pid`, and first stops a server that was left behind on the same
    data. Callers hold the data folder's lock.
    """

    def __init__(
        self, place: Place, *, password: str, log: Path, durable: bool = True, connections: int = 100
    ) -> None:
        """Say where it lives; nothing is started yet."""
        self._place = place
        self._password = password
        self._durable = durable
        self._connections = connections
        self._socket = place.socket_folder()
        self._data = place.folder("postgres") / "data"
        self.process = ChildProcess("PostgreSQL", log)

    @property
    def data(self) -> Path:
        """The cluster's data folder."""
        return self._data

    def start(self) -> None:
        """Start it and return when it accepts connections."""
        programs = postgres_programs(self._place)
        if not self._data.is_dir():
            self._initialise(programs)
        self._stop_leftover()
        configuration = self._data / "ofrecord.conf"
        configuration.write_text(
            _CONFIGURATION.format(
                socket=self._socket,
                connections=self._connections,
                durable="on" if self._durable else "off",
            )
        )
        self._place.own(configuration)
        command = (str(programs / "postgres"), "-D", str(self._data))
        self.process.spawn(Launch(command, signal.SIGINT, self._place.account))
        self.process.wait_until(lambda: self._status() == "ready", _START_SECONDS)

    def stop(self) -> None:
        """Shut down: roll back what is open, checkpoint, exit."""
        self.process.stop(signal.SIGINT, _STOP_SECONDS, then=signal.SIGQUIT)

    def url(self, database: str = "postgres", user: str = _SUPERUSER, password: str | None = None) -> str:
        """Return the address of a database; without a password, the administrator's own."""
        secret = self._password if password is None and user == _SUPERUSER else password or ""
        host = quote(str(self._socket), safe="")
        return f"postgresql://{quote(user)}:{quote(secret, safe='')}@/{quote(database)}?host={host}"

    def _initialise(self, programs: Path) -> None:
        """Make the cluster beside its final place, so that an interrupted attempt leaves nothing behind.

        `initdb` insists on an account with a name, which the server itself does not need: `nobody` makes the
        files and they are handed over.
        """
        maker = _named_account() if self._place.account else None
        staging = self._place.home / f"initdb-{secrets.token_hex(4)}"
        for old in self._place.home.glob("initdb-*"):
            shutil.rmtree(old)
        staging.mkdir(mode=0o700)
        if maker:
            os.chown(staging, maker.uid, maker.gid)
        _run_initdb(programs, staging / "data", self._password, maker, durable=self._durable)
        with (staging / "data" / "postgresql.conf").open("a") as settings:
            settings.write("\ninclude 'ofrecord.conf'\n")
        (staging / "data" / "pg_hba.conf").write_text("local all all scram-sha-256\n")
        if self._place.account:
            _hand_over(staging, self._place.account)
        (staging / "data").rename(self._data)
        staging.rmdir()

    def _stop_leftover(self) -> None:
        """Stop a server that outlived its supervisor on the same data, and forget a stale number."""
        process_id = self._recorded_process()
        if process_id is None:
            return
        for sig, seconds in ((signal.SIGINT, _STOP_SECONDS), (signal.SIGQUIT, 10.0)):
            if not self._is_ours(process_id):
                break
            _LOG.warning("stopping a PostgreSQL left behind", extra={"process_id": process_id})
            os.kill(process_id, sig)
            deadline = time.monotonic() + seconds
            while self._is_ours(process_id) and time.monotonic() < deadline:
                time.sleep(0.02)
        if self._is_ours(process_id):
            raise EmbeddedServerError(
                f"PostgreSQL process {process_id} still holds {self._data} and does not stop"
            )
        (self._data / "postmaster.pid").unlink(missing_ok=True)

    def _recorded_process(self) -> int | None:
        """Read the process number in `postmaster.pid`."""
        try:
            return int((self._data / "postmaster.pid").read_text().split("\n", 1)[0])
        except (FileNotFoundError, ValueError):
            return None

    def _is_ours(self, process_id: int) -> bool:
        """Tell whether this process is a postmaster of this data folder: it always stands in it."""
        try:
            return Path(f"/proc/{process_id}/cwd").readlink() == self._data.resolve()
        except OSError:
            return False

    def _status(self) -> str:
        """Read the last line of `postmaster.pid`, where the postmaster writes "ready"."""
        try:
            lines = (self._data / "postmaster.pid").read_text().split("\n")
        except FileNotFoundError:
            return ""
        return lines[7].strip() if len(lines) > 7 and lines[0] == str(self.process.process_id) else ""


def _run_initdb(programs: Path, target: Path, password: str, maker: Account | None, *, durable: bool) -> None:
    """Run initdb; it reads the administrator's password from a pipe, so that no file ever holds it."""
    reading, writing = os.pipe()
    if maker:
        os.fchown(reading, maker.uid, maker.gid)
    os.write(writing, password.encode() + b"\n")
    os.close(writing)
    command = [str(programs / "initdb"), "-D", str(target), "-U", _SUPERUSER, f"--pwfile=/dev/fd/{reading}",
               "--data-checksums", "--encoding=UTF8", "--locale-provider=builtin", "--locale=C",
               "--builtin-locale=C.UTF-8", "--auth=scram-sha-256", "--no-instructions"]  # fmt: skip
    # One call for the file system instead of one for each of a thousand files.
    command.append("--sync-method=syncfs" if durable else "--no-sync")
    user, group = (maker.uid, maker.gid) if maker else (None, None)
    try:
        done = subprocess.run(  # noqa: S603 - our own program and arguments
            command, pass_fds=(reading,), env={"LC_ALL": "C", "TZ": "UTC"}, cwd="/", capture_output=True,
            text=True, check=False, user=user, group=group, extra_groups=[] if maker else None,
        )  # fmt: skip
    except OSError as error:
        raise EmbeddedServerError(f"initdb cannot run as another account here ({error})") from error
    finally:
        os.close(reading)
    if done.returncode != 0:
        raise EmbeddedServerError(f"initdb failed: {done.stderr.strip()}")


def _named_account() -> Account:
    """Return the least of the accounts with a name."""
    for name in ("nobody", "daemon"):
        try:
            found = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(found.pw_uid, found.pw_gid)
    raise EmbeddedServerError(
        "PostgreSQL does not run as root, and there is no account called nobody or daemon"
    )


def _hand_over(folder: Path, account: Account) -> None:
    """Give a folder and everything in it to another account."""
    os.chown(folder, account.uid, account.gid)
    for inside, folders, files in os.walk(folder):
        for name in (*folders, *files):
            os.lchown(Path(inside) / name, account.uid, account.gid)
