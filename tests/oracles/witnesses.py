"""Witnesses as processes of their own, started and ended by a test."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from audit.cosignature import Cosigner, CosignerKey

ROOT = Path(__file__).resolve().parents[2]
COSIGNER = Cosigner("witness.example/w1", bytes(range(40, 72)))


@dataclass(frozen=True)
class Running:
    """One witness process."""

    process: subprocess.Popen[bytes]
    port: int
    database: Path
    key: CosignerKey
    log_file: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def submit(self, body: bytes) -> httpx.Response:
        return httpx.post(f"{self.url}/add-checkpoint", content=body, timeout=10, trust_env=False)

    def get(self, path: str) -> httpx.Response:
        return httpx.get(self.url + path, timeout=10, trust_env=False)

    def log(self) -> str:
        return self.log_file.read_text()

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)


def environment(database: Path, vkeys: Sequence[str], cosigner: Cosigner = COSIGNER) -> dict[str, str]:
    """What a witness is told."""
    return {
        **os.environ,
        "OFRECORD_WITNESS_KEY": cosigner.private_text(),
        "OFRECORD_WITNESS_DATABASE": str(database),
        "OFRECORD_LOG_VERIFIER_KEYS": ",".join(vkeys),
    }


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        return int(taken.getsockname()[1])


@contextmanager
def started(
    database: Path, vkeys: Sequence[str], *, cosigner: Cosigner = COSIGNER, port: int = 0
) -> Iterator[Running]:
    """Run a witness until the block ends; the same file and port make it the same witness again."""
    port = port or free_port()
    log_file = database.with_name(f"{database.name}-{port}.log")
    with log_file.open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "cli", "witness", "--port", str(port)],
            cwd=ROOT,
            env=environment(database, vkeys, cosigner),
            stderr=log,
        )
    running = Running(process, port, database, cosigner.key, log_file)
    try:
        _wait_until_it_answers(running)
        yield running
    finally:
        process.terminate()
        process.wait(10)


def _wait_until_it_answers(running: Running) -> None:
    deadline = time.monotonic() + 20
    while True:
        try:
            running.get("/healthz")
        except httpx.TransportError:
            assert running.process.poll() is None, running.log()
            assert time.monotonic() < deadline, running.log()
            time.sleep(0.05)
        else:
            return
