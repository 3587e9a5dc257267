"""An off-the-shelf client follows the published log: Go's own, of `golang.org/x/mod/sumdb`.

It needs Debian's `golang-go` and `golang-golang-x-mod-dev`.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from audit.cosigning import Cosigning
from audit.entry import Draft
from audit.integrate import Integrator
from audit.keys import KeyStore
from audit.log import AuditLog
from audit.note import Signer
from audit.publish import Publisher
from runtime.clock import SystemClock
from runtime.postgres import Pool, open_pool
from tests.oracles.witnesses import started
from workers.witnesses import HttpWitness

pytestmark = pytest.mark.prove

ORIGIN = "log.example/ofrecord"
SIGNER = Signer(ORIGIN, bytes(range(32)))
PROGRAM = Path(__file__).parent / "follow" / "main.go"
LIBRARIES = "/usr/share/gocode"


@pytest.fixture(scope="module")
def follow(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Go program, compiled with the libraries that Debian ships."""
    go = shutil.which("go")
    assert go, "needs golang-go and golang-golang-x-mod-dev"
    folder = tmp_path_factory.mktemp("go")
    env = {**os.environ, "GO111MODULE": "off", "GOPATH": LIBRARIES, "GOCACHE": str(folder / "cache")}
    subprocess.run([go, "build", "-o", folder / "follow", PROGRAM], env=env, check=True, timeout=280)
    return folder / "follow"


@pytest.mark.timeout(900)
def test_go_follows_the_log_as_it_grows(database: Any, follow: Path, tmp_path: Path) -> None:
    public, old = tmp_path / "public", tmp_path / "old"
    with (
        open_pool(database.url("service")) as service,
        open_pool(database.keys_url("service")) as keys,
        open_pool(database.url("integrator")) as pool,
        started(tmp_path / "witness.sqlite", [SIGNER.verifier.vkey]) as witness,
    ):
        client = HttpWitness(witness.url)
        log = AuditLog(service, KeyStore(keys, bytes(32)), origin=ORIGIN)
        log.ensure_partitions(SystemClock().now())
        cosigning = Cosigning(pool, client, witness.key, ORIGIN, [SIGNER.verifier])
        publisher = Publisher(pool, public, ORIGIN, [SIGNER.verifier])
        arguments: list[Path | str] = [follow, public, SIGNER.verifier.vkey, witness.key.vkey]
        total = 0
        for count in (1, 255, 1, 500, 66_000 - 757):
            _grow(log, pool, count)
            total += count
            assert cosigning.step()
            while publisher.step():
                pass
            told = subprocess.run(arguments, capture_output=True, text=True, check=False, timeout=280)
            assert told.stderr == ""
            proved, when = told.stdout.split(" entries proved, cosigned at ")
            assert int(proved) == total
            assert abs(int(when) - time.time()) < 300
            shutil.copy(public / "checkpoint", old)
            arguments[4:] = [old]


def test_go_refuses_what_is_not_the_log(database: Any, follow: Path, tmp_path: Path) -> None:
    public = tmp_path / "public"
    with (
        open_pool(database.url("service")) as service,
        open_pool(database.keys_url("service")) as keys,
        open_pool(database.url("integrator")) as pool,
        started(tmp_path / "witness.sqlite", [SIGNER.verifier.vkey]) as witness,
    ):
        client = HttpWitness(witness.url)
        log = AuditLog(service, KeyStore(keys, bytes(32)), origin=ORIGIN)
        log.ensure_partitions(SystemClock().now())
        _grow(log, pool, 300)
        Cosigning(pool, client, witness.key, ORIGIN, [SIGNER.verifier]).step()
        Publisher(pool, public, ORIGIN, [SIGNER.verifier]).step()
        arguments = [follow, public, SIGNER.verifier.vkey, witness.key.vkey]
        assert subprocess.run(arguments, capture_output=True, check=False, timeout=60).returncode == 0
        for name in ("checkpoint", "tile/0/000", "tile/0/001.p/44", "tile/entries/000", "tile/1/000.p/1"):
            kept = (public / name).read_bytes()
            at = min(40, len(kept) - 1)
            (public / name).write_bytes(kept[:at] + bytes([kept[at] ^ 1]) + kept[at + 1 :])
            ended = subprocess.run(arguments, capture_output=True, check=False, timeout=60)
            assert ended.returncode != 0, name
            (public / name).write_bytes(kept)


def _grow(log: AuditLog, pool: Pool, count: int) -> None:
    now = SystemClock().now()
    drafts = [Draft(type="log.tested", actor="test", body={"n": n}) for n in range(count)]
    for start in range(0, count, 1000):
        log.append(drafts[start : start + 1000], now)
    integrator = Integrator(pool, [SIGNER], ORIGIN)
    while integrator.step(now):
        pass
