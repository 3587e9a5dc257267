"""Explanations while another version registers: `python -m benchmarks.registration [JSON-FILE]`.

The service, who registers and who explains are processes of their own. Rounds with and without a registration
follow each other, so that what disturbs the machine disturbs both.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
import warnings
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from benchmarks.installation import Installation, installation
from benchmarks.machine import machine
from benchmarks.sizes import SIZES, Data, draw, xgboost_model
from benchmarks.timing import Timing

ROUNDS = 6
QUIET_SECONDS = 3.0


@dataclass(frozen=True)
class Result:
    """Whole answers as the client waits for them, in milliseconds, and how long a registration took."""

    quiet: Timing
    registering: Timing
    registration_seconds: float


def measure() -> Result:
    """Explain in turns without and with a registration of model M."""
    size = next(size for size in SIZES if size.name == "M")
    data = draw(size)
    artifact = xgboost_model(size, data)
    quiet: list[float] = []
    registering: list[float] = []
    taken: list[float] = []
    with tempfile.TemporaryDirectory() as folder, installation(Path(folder) / "data") as running:
        running.register("m", artifact, data.reference)
        _explain(running, data, 200, lambda: False)
        for number in range(ROUNDS):
            end = time.monotonic() + QUIET_SECONDS
            quiet += _explain(running, data, 1, lambda end=end: time.monotonic() < end)
            started = time.monotonic()
            child = _registering(running, f"m{number}", artifact, data)
            registering += _explain(running, data, 1, lambda child=child: not _ended(child))
            taken.append(time.monotonic() - started)
    return Result(_timing(quiet), _timing(registering), float(np.median(taken)))


def _registering(running: Installation, name: str, artifact: bytes, data: Data) -> int:
    """Register from a forked process; its wait is not ours."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of our threads: the child uses none of theirs
        child = os.fork()
    if child == 0:
        status = 1
        try:
            running.again().register(name, artifact, data.reference)
            status = 0
        finally:
            os._exit(status)
    return child


def _ended(child: int) -> bool:
    found, status = os.waitpid(child, os.WNOHANG)
    if found and status:
        raise RuntimeError("the registration failed")
    return found != 0


def _explain(running: Installation, data: Data, fewest: int, going_on: Callable[[], bool]) -> list[float]:
    """Explain one row after the other; return the milliseconds of each answer."""
    times: list[float] = []
    while len(times) < fewest or going_on():
        row = data.unseen[len(times) % len(data.unseen)]
        started = time.perf_counter()
        running.explain("m", f"{started}", row)
        times.append(1e3 * (time.perf_counter() - started))
    return times


def _timing(times: list[float]) -> Timing:
    return Timing(float(np.median(times)), float(np.quantile(times, 0.99)), len(times))


def main() -> None:
    """Measure, print, and write what was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("output", nargs="?", type=Path)
    arguments = parser.parse_args()
    text = json.dumps({"machine": machine(), "result": asdict(measure())}, indent=1) + "\n"
    print(text, end="")
    if arguments.output is not None:
        arguments.output.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
