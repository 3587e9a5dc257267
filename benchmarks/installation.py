"""A whole installation on this machine, started and stopped for a measurement."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import numpy as np
from numpy.typing import NDArray

UP = re.compile(rb"Ofrecord is up at (http://\S+)")
WAITING = b"Ctrl-C stops everything"
PATIENCE_SECONDS = 180.0


@dataclass(frozen=True)
class Installation:
    """A running installation: its client (authenticated as administrator) and its process."""

    client: httpx.Client
    process: subprocess.Popen[bytes]

    def again(self) -> Installation:
        """Return the same installation with a client of its own, for another process."""
        client = httpx.Client(
            base_url=self.client.base_url, headers=self.client.headers, timeout=PATIENCE_SECONDS
        )
        return Installation(client, self.process)

    def api_process(self) -> int:
        """Return the process id of the API."""
        for entry in Path("/proc").iterdir():
            ours = entry.name.isdigit() and _parent(entry) == self.process.pid
            if ours and b"serve" in (entry / "cmdline").read_bytes().split(b"\0"):
                return int(entry.name)
        raise RuntimeError("no API process is running")

    def register(self, name: str, artifact: bytes, reference: NDArray[np.float64]) -> None:
        """Register and approve an XGBoost classifier with plain number features."""
        count = reference.shape[1]
        header = ",".join(f"f{i}" for i in range(count))
        rows = "\n".join(",".join(repr(float(x)) for x in row) for row in reference)
        files = {
            "manifest": ("manifest.json", json.dumps(manifest(name, count)), "application/json"),
            "artifact": ("model.ubj", artifact, "application/octet-stream"),
            "reference": ("reference.csv", f"{header}\n{rows}\n", "text/csv"),
        }
        self.client.post("/v1/models", files=files).raise_for_status()
        approval = {"status": "approved", "by": "benchmark", "note": "measurement"}
        self.client.post(f"/v1/models/{name}/versions/1/approval", json=approval).raise_for_status()

    def explain(self, model: str, decision_id: str, row: NDArray[np.float64]) -> Mapping[str, float]:
        """Explain one row without counterfactuals; return the answer's own timings in milliseconds."""
        features = {f"f{i}": float(x) for i, x in enumerate(row)}
        body = {"decision_id": decision_id, "features": features, "counterfactuals": {"count": 0}}
        answer = self.client.post(f"/v1/models/{model}/explanations", json=body)
        answer.raise_for_status()
        timings: dict[str, float] = answer.json()["timings_ms"]
        return timings


def manifest(name: str, count: int) -> dict[str, object]:
    """Return the plainest manifest of a classifier of so many numbers."""
    names = [f"f{i}" for i in range(count)]
    return {
        "manifest": "ofrecord/v1",
        "model": name,
        "version": "1",
        "family": "xgboost",
        "profile": "general",
        "purpose": "measurement",
        "outcome": {
            "adverse": "decline",
            "favourable": "approve",
            "score": "probability_of_adverse",
            "threshold": 0.5,
        },
        "features": [{"name": feature, "type": "number"} for feature in names],
        "factors": [
            {
                "name": feature,
                "features": [feature],
                "reason": {"code": f"R{i}", "text": f"Measured value {i} too high"},
            }
            for i, feature in enumerate(names)
        ],
        "reference": {"kind": "given"},
    }


@contextmanager
def installation(folder: Path) -> Iterator[Installation]:
    """Start everything in this data folder, wait until it is ready, and stop it at the end."""
    log = (folder.parent / f"{folder.name}.log").open("ab")
    command = [sys.executable, "-m", "cli", "run", "--port", "0", "--data-dir", str(folder), "--no-example"]
    start = log.tell()
    process = subprocess.Popen(command, stdout=log, stderr=log, env={**os.environ, "PYTHONUNBUFFERED": "1"})
    try:
        url = _address(Path(log.name), start, process)
        token = (folder / "admin-token").read_text(encoding="utf-8").strip()
        headers = {"Authorization": f"Bearer {token}"}
        with httpx.Client(base_url=url, headers=headers, timeout=PATIENCE_SECONDS) as client:
            _ready(client)
            yield Installation(client, process)
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(timeout=60)
        log.close()


def _address(log: Path, start: int, process: subprocess.Popen[bytes]) -> str:
    end = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < end and process.poll() is None:
        told = log.read_bytes()[start:]
        found = UP.search(told)
        if found and WAITING in told:
            return found[1].decode()
        time.sleep(0.05)
    raise RuntimeError(f"the installation did not start; see {log}")


def _ready(client: httpx.Client) -> None:
    end = time.monotonic() + PATIENCE_SECONDS
    while client.get("/readyz").status_code != 200:
        if time.monotonic() > end:
            raise RuntimeError("the installation never became ready")
        time.sleep(0.05)


def _parent(entry: Path) -> int:
    try:
        return int((entry / "stat").read_text().rpartition(")")[2].split()[1])
    except (OSError, IndexError, ValueError):
        return -1
