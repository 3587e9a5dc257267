"""The API process itself: memory with model M, and the first answer after a restart (P10, P1).

`python -m benchmarks.process [JSON-FILE]` starts a whole installation twice.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from benchmarks.installation import Installation, installation
from benchmarks.machine import machine
from benchmarks.sizes import SIZES, Data, draw, xgboost_model

EXPLANATIONS = 300


@dataclass(frozen=True)
class Memory:
    """MiB of one process: resident, and its proportional share where pages are shared."""

    resident: float
    proportional: float


@dataclass(frozen=True)
class Start:
    """Attribution and whole request in milliseconds: the first after a start, and the median of the next."""

    first_attribution: float
    median_attribution: float
    first_total: float
    median_total: float


@dataclass(frozen=True)
class Result:
    """What one run found; memory is taken after the explanations of the second start."""

    memory_without_models: Memory
    memory: Memory
    after_registration: Start
    after_restart: Start


def memory_of(process: int) -> Memory:
    """Read what the kernel says about a process."""
    lines = Path(f"/proc/{process}/smaps_rollup").read_text(encoding="utf-8").splitlines()
    kib = {line.split(":")[0]: int(line.split()[1]) for line in lines if line.endswith("kB")}
    return Memory(kib["Rss"] / 1024, kib["Pss"] / 1024)


def explained(running: Installation, data: Data, prefix: str) -> Start:
    """Explain some rows one after the other."""
    timings = [
        running.explain("m", f"{prefix}-{number}", data.unseen[number]) for number in range(EXPLANATIONS)
    ]
    attribution = [timing["attribution"] for timing in timings]
    total = [timing["total"] for timing in timings]
    return Start(attribution[0], float(np.median(attribution[1:])), total[0], float(np.median(total[1:])))


def measure() -> Result:
    """Register M, explain, start again, explain."""
    size = next(size for size in SIZES if size.name == "M")
    data = draw(size)
    artifact = xgboost_model(size, data)
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "data"
        with installation(home) as running:
            empty = memory_of(running.api_process())
            running.register("m", artifact, data.reference)
            first = explained(running, data, "first")
        with installation(home) as running:
            again = explained(running, data, "again")
            return Result(empty, memory_of(running.api_process()), first, again)


def main() -> None:
    """Measure, print, and write what was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("output", nargs="?", type=Path)
    arguments = parser.parse_args()
    document = {"machine": machine(), "result": asdict(measure())}
    text = json.dumps(document, indent=1) + "\n"
    print(text, end="")
    if arguments.output is not None:
        arguments.output.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
