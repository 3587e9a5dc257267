"""The real processes, supervised: up, killed one by one, restarted, and gone without a trace."""

from __future__ import annotations

import os
import re
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx
import pytest

from audit.trust import Trust
from runtime.embedded.postgres import PostgresServer

ROOT = Path(__file__).resolve().parent.parent.parent
OFRECORD = (sys.executable, "-m", "cli")
PATIENCE_SECONDS = 180.0  # all kernels are compiled meanwhile, once


class Installation:
    """`ofrecord run --no-example` on a data folder of a test."""

    def __init__(self, data_dir: Path, env: dict[str, str]) -> None:
        self.data_dir = data_dir
        self.output = data_dir.parent / f"{data_dir.name}.out"
        base = data_dir.parent  # installations of one session share what is compiled
        shared = {"OFRECORD_STATE_DIR": str(base / "system"), "OFRECORD_CACHE_DIR": str(base / "cache")}
        env = {**os.environ, **shared, **env}
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(
                [*OFRECORD, "run", "--no-example", "--port", "0", "--data-dir", str(data_dir)],
                cwd=ROOT, env=env, stdout=output, stderr=subprocess.STDOUT,
            )  # fmt: skip

    @property
    def told(self) -> str:
        return self.output.read_text()

    def wait_up(self) -> str:
        wait(lambda: "Ctrl-C stops" in self.told or self.process.poll() is not None)
        found = re.search(r"up at (http://\S+)", self.told)
        assert found, self.told
        return found[1]

    def descendants(self) -> dict[int, str]:
        """Every process below ours, with its command line."""
        parents = {}
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    parents[int(entry.name)] = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
                except (FileNotFoundError, ProcessLookupError):
                    continue
        found, layer = {}, {self.process.pid}
        while layer:
            layer = {child for child, parent in parents.items() if parent in layer}
            found |= {child: command_of(child) for child in layer}
        return found

    def one(self, part: str) -> int:
        return next(number for number, command in sorted(self.descendants().items()) if part in command)

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(PATIENCE_SECONDS)


def command_of(process_id: int) -> str:
    try:
        return Path(f"/proc/{process_id}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    except (FileNotFoundError, ProcessLookupError):
        return ""


def wait(until: Callable[[], object], seconds: float = PATIENCE_SECONDS) -> None:
    deadline = time.monotonic() + seconds
    while not until():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.05)


def gone(processes: dict[int, str]) -> bool:
    """Whether none of these is still the process it was."""
    return all(command_of(number) != command or not command for number, command in processes.items())


def accepting(path: Path) -> bool:
    """Whether somebody takes connections at this socket, as the health check of the image asks it."""
    script = ROOT / "deploy" / "accepting.py"
    return subprocess.run([sys.executable, "-S", "-E", str(script), str(path)], check=False).returncode == 0


def status(url: str, token: str | None = None) -> int:
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return httpx.get(url, headers=headers, timeout=10, trust_env=False).status_code


@pytest.fixture(scope="module")
def data_dir(servers_folder: Path) -> Path:
    return servers_folder / "supervised"


@pytest.fixture(scope="module")
def running(data_dir: Path) -> Iterator[Installation]:
    made = Installation(data_dir, {})
    made.wait_up()
    yield made
    made.stop()


def test_comes_up_with_a_token_that_opens_it_and_nothing_else_does(
    running: Installation, data_dir: Path
) -> None:
    url = running.wait_up()
    token = data_dir / "admin-token"
    assert stat.S_IMODE(token.stat().st_mode) == 0o600
    assert status(f"{url}/readyz") == 200
    assert status(f"{url}/v1/models") == 401
    assert status(f"{url}/v1/models", token.read_text().strip()) == 200
    assert status(f"{url}/v1/models", "ofr_wrong") == 401


def test_each_killed_process_comes_back(running: Installation) -> None:
    url = running.wait_up()
    for part in (
        "cli serve",
        "cli integrate",
        "cli schedule",
        "cli work",
        "cli custody",
        "cli witness",
        "cli propose",
        "valkey-server",
        "bin/postgres -D",
    ):
        before = running.one(part)
        os.kill(before, signal.SIGKILL)
        wait(lambda part=part, before=before: any(
            part in command and number != before for number, command in running.descendants().items()
        ))  # fmt: skip
    wait(lambda: status(f"{url}/readyz") == 200)
    assert "api ended (SIGKILL); starting it again" in running.told
    assert "PostgreSQL ended; starting it again" in running.told


def test_the_counterfactual_server_listens_where_only_we_may_enter(
    running: Installation, data_dir: Path
) -> None:
    path = data_dir / "run" / "propose.sock"
    wait(lambda: accepting(path))
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    for process in ("api", "worker"):
        told = (data_dir / "environments" / f"{process}.env").read_text()
        assert f"OFRECORD_COUNTERFACTUAL_SOCKET={path}" in told


def test_the_log_is_published_with_the_witness_beside_it(running: Installation, data_dir: Path) -> None:
    running.wait_up()
    keys = (data_dir / "verifier-keys").read_text().split()
    published = data_dir / "public" / "checkpoint"
    wait(lambda: published.is_file() and published.read_text().count("\n\N{EM DASH} ") == 2, 60.0)
    seen = Trust.parse(keys, require_witness=True).checkpoint(published.read_text())
    assert [one.key.name for one in seen.cosignatures] == [f"{seen.checkpoint.origin}/witness"]


def test_second_run_on_the_same_data_is_refused_by_name(running: Installation, data_dir: Path) -> None:
    second = Installation(data_dir, {})
    assert second.process.wait(30) == 2
    assert f"another Ofrecord (process {running.process.pid}) already runs on" in second.told


def test_no_process_is_told_more_than_it_needs(running: Installation) -> None:
    for number, command in running.descendants().items():
        if "-m cli" not in command or "run" in command.split():
            continue
        told = Path(f"/proc/{number}/environ").read_bytes().decode()
        ours = command.split()[3]
        assert ("CHECKPOINT_KEY" in told) == (ours == "integrate")
        assert ("WITNESS_KEY" in told) == (ours == "witness")
        assert ("MASTER_KEY" in told) == (ours in {"serve", "work"})
        assert "postgres:" not in told
        if ours in {"propose", "witness"}:
            assert "DATABASE_URL" not in told
        if ours == "propose":
            assert not re.search(r"OFRECORD_\w+_FILE", told)


def test_fsck_and_tokens_find_the_running_installation(running: Installation, data_dir: Path) -> None:
    done = subprocess.run(
        [*OFRECORD, "fsck", "--data-dir", str(data_dir)],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "PASS"), done.stdout + done.stderr


def test_stops_everything_and_starts_again_with_the_same_token(running: Installation, data_dir: Path) -> None:
    token = (data_dir / "admin-token").read_text().strip()
    processes = running.descendants()
    assert len(processes) > 9
    running.stop()
    assert running.process.returncode == 0
    assert gone(processes)
    again = Installation(data_dir, {})
    try:
        assert status(f"{again.wait_up()}/v1/models", token) == 200
        assert "nothing new" in again.told
        processes = again.descendants()
        again.process.kill()
        again.process.wait()
        wait(lambda: gone(processes), 15.0)
    finally:
        again.stop()


def test_taken_port_is_named_at_once(servers_folder: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = subprocess.run(
            [*OFRECORD, "run", "--port", str(port), "--data-dir", str(servers_folder / "taken")],
            cwd=ROOT, capture_output=True, text=True, check=False,
        )  # fmt: skip
    assert done.returncode == 2
    assert f"cannot listen on 127.0.0.1:{port} (Address already in use)" in done.stderr


def test_servers_that_are_named_are_used(
    servers_folder: Path, other_server: PostgresServer, valkey_url: str
) -> None:
    env = {
        "OFRECORD_DATABASE_URL": other_server.url("brought_along"),
        "OFRECORD_BROKER_URL": valkey_url,
        "OFRECORD_ALLOW_UNSAFE_DURABILITY": "1",
    }
    made = Installation(servers_folder / "external", env)
    try:
        assert status(f"{made.wait_up()}/readyz") == 200
        assert not any("bin/postgres" in command for command in made.descendants().values())
        assert not (servers_folder / "external" / "servers").exists()
        assert not (servers_folder / "external" / "state").exists()
    finally:
        made.stop()


def test_unsafe_durability_is_refused(
    servers_folder: Path, other_server: PostgresServer, valkey_url: str
) -> None:
    env = {"OFRECORD_DATABASE_URL": other_server.url("unsafe"), "OFRECORD_BROKER_URL": valkey_url}
    made = Installation(servers_folder / "unsafe", env)
    assert made.process.wait(60) == 2
    assert "Turn on: fsync, full_page_writes" in made.told
