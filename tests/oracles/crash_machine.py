"""A whole installation whose processes are killed at any moment, as a power failure would kill them.

`kill -9` leaves what the kernel had taken for the disk on its way there: what is tried is our own recovery
and PostgreSQL's, not whether a disk keeps what it acknowledged.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from secrets import token_hex
from typing import LiteralString

import httpx
import psycopg

from audit.cosignature import Cosigner
from audit.note import Signer
from cli.rooms import targets
from cli.running.credentials import fresh_secrets
from examples.bundle import ExampleBundle
from runtime.embedded.postgres import PostgresServer
from runtime.embedded.state import locate
from runtime.migrations import LOGIN_ROLES, migrate

ROOT = Path(__file__).resolve().parents[2]
OFRECORD = (sys.executable, "-m", "cli")
ORIGIN = "log.test/crashes"
PATIENCE_SECONDS = 120.0
SERVERS = ("main", "keys")
OURS = {
    "witness": "",
    "api": "service",
    "integrator": "integrator",
    "second integrator": "integrator",
    "custodian": "custodian",
}
EVERYTHING = (*SERVERS, *OURS)


class Machine:
    """Two durable PostgreSQL servers, an API, two integrators that publish, the custodian and a witness."""

    def __init__(
        self,
        folder: Path,
        cache: Path,
        *,
        secrets: Mapping[str, str] | None = None,
        outside: Path | None = None,
    ) -> None:
        """Take a short folder that other accounts can enter, and one for compiled kernels.

        `outside` is where the witness remembers and the log is published: it is not put back with the rest.
        """
        self.folder = folder
        self.cache = cache
        self.outside = outside or folder
        self.secrets = secrets or fresh_secrets(ORIGIN)
        self.outlets = {"PUBLISH_DIR", "WITNESSES"}  # of the integrators
        self.port, self.witness_port = _free_port(), _free_port()
        self.servers = {name: self._server(name) for name in SERVERS}
        self.ours: dict[str, subprocess.Popen[bytes]] = {}

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def public(self) -> Path:
        """Where the log is published."""
        return self.outside / "public"

    @property
    def verifier_keys(self) -> list[str]:
        """The public keys of checkpoints, receipts and the witness."""
        signers = [Signer.parse(self.secrets[f"{name}-key"]) for name in ("checkpoint", "receipt")]
        return [*(signer.verifier.vkey for signer in signers), self._witness_key]

    @property
    def _witness_key(self) -> str:
        return Cosigner.parse(self.secrets["witness-key"]).key.vkey

    def database(self, role: str) -> str:
        """The main database's address, for one role."""
        return self._as("main", role)

    def keys_database(self, role: str) -> str:
        return self._as("keys", role)

    def set_up(self) -> None:
        """Start the servers the first time and bring them to their shape."""
        for server in self.servers.values():
            server.start()
        self.migrate()

    def migrate(self) -> list[str]:
        """Bring the databases to their shape; return what was applied."""
        passwords = {role: self.secrets[f"{role}-password"] for role in LOGIN_ROLES}
        main, keys = self.servers["main"].url("ofrecord"), self.servers["keys"].url("keys")
        return migrate(targets(main, keys), passwords)

    def start(self, names: Iterable[str] = EVERYTHING) -> None:
        """Start these, servers first; whoever is up already stays as it is."""
        wanted = set(names)
        for name in SERVERS:
            if name in wanted and not self.servers[name].process.running:
                self.servers[name].start()
        for name in OURS:
            if name in wanted and not self._runs(name):
                self.ours[name] = self._started(name)

    def kill(self, names: Iterable[str]) -> None:
        """Kill these and all that they started, at once, and wait until nothing of them is left."""
        doomed = [number for name in names for number in self._numbers(name)]
        for number in doomed:
            with suppress(ProcessLookupError):
                os.kill(number, signal.SIGKILL)
        for name in names:
            if name in self.ours:
                self.ours[name].wait(PATIENCE_SECONDS)
        _wait(lambda: not any(self.servers[name].process.running for name in names if name in self.servers))
        _wait(lambda: not any(_alive(number) for number in doomed))

    def down(self) -> list[str]:
        """Who is not running."""
        servers = [name for name, server in self.servers.items() if not server.process.running]
        return servers + [name for name in OURS if not self._runs(name)]

    def until_ready(self) -> None:
        """Wait until decisions can be explained and recorded."""
        _wait(self._ready)

    def stop(self) -> None:
        """Stop everything that runs."""
        self.kill([name for name in OURS if self._runs(name)])
        for server in self.servers.values():
            server.stop()

    def command(self, role: str, *arguments: str) -> str:
        """Run one of our commands to its end and return what it prints; it must succeed."""
        done = self._run(role, *arguments)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def refusal(self, role: str, *arguments: str) -> str:
        """Run one of our commands, which must fail, and return what it says."""
        done = self._run(role, *arguments)
        assert done.returncode in (1, 2), done.stdout + done.stderr
        return done.stdout + done.stderr

    def pending(self) -> int:
        """How many entries wait for the integrator."""
        return self._count("select count(*) from audit.pending")

    def tree_size(self) -> int:
        return self._count("select count(*) from audit.leaf")

    def witnesses(self) -> bool:
        """Whether the witness answers."""
        try:
            url = f"http://127.0.0.1:{self.witness_port}/healthz"
            return httpx.get(url, timeout=10, trust_env=False).status_code == 200
        except httpx.TransportError:
            return False

    def log(self, name: str) -> str:
        return self._log(name).read_text(encoding="utf-8")

    def errors(self, name: str) -> list[str]:
        """What a process logged of its own failures."""
        found = [line for line in self.log(name).splitlines() if '"level":"error"' in line]
        return [line for line in found if '"kind":"not-ready"' not in line]

    def _run(self, role: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*OFRECORD, *arguments],
            cwd=ROOT, env=self._environment(role), capture_output=True, text=True, check=False,
        )  # fmt: skip

    def _count(self, query: LiteralString) -> int:
        with psycopg.connect(self.database("auditor")) as connection:
            row = connection.execute(query).fetchone()
        return row[0] if row else 0

    def _server(self, name: str) -> PostgresServer:
        place = locate(self.folder / name, system_root=self.folder / "system")
        return PostgresServer(place, password=token_hex(8), log=self._log(name))

    def _as(self, server: str, role: str) -> str:
        database = "ofrecord" if server == "main" else "keys"
        name = f"ofrecord_{role}"
        return self.servers[server].url(database, name, self.secrets[f"{name}-password"])

    def _log(self, name: str) -> Path:
        return self.folder / f"{name.replace(' ', '-')}.log"

    def _started(self, name: str) -> subprocess.Popen[bytes]:
        lines = {
            "api": ("serve", "--port", str(self.port)),
            "witness": ("witness", "--port", str(self.witness_port)),
            "custodian": ("custody",),
        }
        with self._log(name).open("ab") as log:
            return subprocess.Popen(
                [*OFRECORD, *lines.get(name, ("integrate",))],
                cwd=ROOT, env=self._environment(OURS[name]), stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip

    def _environment(self, role: str) -> dict[str, str]:
        given = {"LOG_ORIGIN": ORIGIN, "CACHE_DIR": str(self.cache)}
        given["LOG_VERIFIER_KEYS"] = " ".join(self.verifier_keys)
        if role:
            given["DATABASE_URL"] = self.database(role)
        else:
            given["WITNESS_KEY"] = self.secrets["witness-key"]
            given["WITNESS_DATABASE"] = str(self.outside / "witness.sqlite")
        if role in ("service", "custodian"):
            given["KEYS_DATABASE_URL"] = self.keys_database(role)
        if role == "service":
            given |= {"MASTER_KEY": self.secrets["master-key"], "RECEIPT_KEY": self.secrets["receipt-key"]}
        if role == "integrator":
            given["CHECKPOINT_KEY"] = self.secrets["checkpoint-key"]
            outlets = {
                "PUBLISH_DIR": str(self.public),
                "WITNESSES": f"{self._witness_key} http://127.0.0.1:{self.witness_port}",
            }
            given |= {name: outlets[name] for name in self.outlets}
        plain = {name: value for name, value in os.environ.items() if not name.startswith("OFRECORD_")}
        return plain | {f"OFRECORD_{name}": value for name, value in given.items()}

    def _numbers(self, name: str) -> list[int]:
        """The process and everything below it."""
        found = self.servers[name].process.process_id if name in SERVERS else self.ours[name].pid
        return [] if found is None else [found, *_below(found)]

    def _runs(self, name: str) -> bool:
        return name in self.ours and self.ours[name].poll() is None

    def _ready(self) -> bool:
        assert "api" not in self.down(), self.log("api")[-4000:]
        try:
            return httpx.get(f"{self.url}/readyz", timeout=10, trust_env=False).status_code == 200
        except httpx.TransportError:
            return False


def register(machine: Machine, bundle: ExampleBundle, token: str) -> None:
    """Bring the example's model into service."""
    headers = {"Authorization": f"Bearer {token}"}
    path = f"/v1/models/{bundle.model}/versions/{bundle.version}/approval"
    files: Mapping[str, tuple[str, bytes, str]] = {
        "manifest": ("manifest.yaml", bundle.manifest_yaml, "application/yaml"),
        "artifact": ("model.json", bundle.artifact, "application/octet-stream"),
        "reference": ("reference.csv", bundle.reference_csv, "text/csv"),
    }
    with httpx.Client(base_url=machine.url, headers=headers, timeout=120, trust_env=False) as client:
        words = {"Content-Type": "application/yaml"}
        for answer in (
            client.post("/v1/catalogues", content=bundle.catalogue_yaml, headers=words),
            client.post("/v1/models", files=files),
            client.post(path, json={"status": "approved", "by": "risk committee", "note": "test"}),
        ):
            assert answer.is_success, answer.text


def _below(number: int) -> list[int]:
    try:
        text = Path(f"/proc/{number}/task/{number}/children").read_text(encoding="ascii")
    except OSError:
        return []
    return [found for child in map(int, text.split()) for found in (child, *_below(child))]


def _alive(number: int) -> bool:
    """Whether it still holds memory; a corpse nobody has buried yet does not."""
    try:
        return Path(f"/proc/{number}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def _wait(until: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not until():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.02)


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])
