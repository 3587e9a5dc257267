"""Counterfactuals beside DiCE's (P4): `python -m benchmarks.counterfactuals [JSON-FILE]`.

Three models (both examples, and M), four counterfactuals of each declined applicant, ours and those of DiCE
as it is shipped in turns on the same rows. Distance and diversity are of the rows for which both return four.
Every applicant that is asked for anything, and every item, is judged from the outside (`quality`).
"""

from __future__ import annotations

import argparse
import json
import math
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from types import FrameType

import numpy as np
from numpy.typing import NDArray

from benchmarks.applicants import Case, clinical_case, large_case, lending_case
from benchmarks.dice import Dice, Way
from benchmarks.machine import machine
from benchmarks.quality import Judge, Quality
from benchmarks.timing import Timing
from explain.counterfactual.base import CounterfactualSet
from explain.counterfactual.budget import Budget
from explain.counterfactual.concluding import conclude
from explain.counterfactual.search import run, settles
from explain.deadline import Deadline
from explain.warming import warm_answers

FloatArray = NDArray[np.float64]
Find = Callable[[FloatArray], FloatArray]

COUNT = 4
ROWS = 400  # of each model; all of them are asked for, the first in turns with DiCE
BESIDE = 200
BESIDE_GENETIC = 20
BESIDE_KDTREE = 5
CAP_SECONDS = 30.0
EXACT_UNTIL_MS = 50.0  # after the question came; what is open then, a worker settles


class TooLong(Exception):
    """It takes longer than the benchmark waits."""


@dataclass(frozen=True)
class Line:
    """One way of finding counterfactuals beside ours on the same rows; `stopped` rows took too long."""

    way: str
    timing: Timing
    stopped: int
    nothing: int
    quality: Quality
    ours: Quality
    ours_timing: Timing


@dataclass(frozen=True)
class Result:
    """One model: all its applicants, and ours beside each way of DiCE."""

    model: str
    applicants: int
    drawn_from_data: int
    statuses: Mapping[str, int]
    dropped: int
    timing: Timing
    quality: Quality
    lines: Sequence[Line]


def measure(case: Case) -> Result:
    """Ask for every applicant, and for some beside DiCE."""
    judge = Judge(case)
    _ours(case, case.rows[0])
    times, answers = [], []
    for row in case.rows:
        started = time.perf_counter()
        answers.append(_ours(case, row))
        times.append(1e3 * (time.perf_counter() - started))
    sets = [_rows(case, row, answer) for row, answer in zip(case.rows, answers, strict=True)]
    ways: tuple[tuple[Way, int], ...] = (
        ("random", BESIDE),
        ("genetic", BESIDE_GENETIC),
        ("kdtree", BESIDE_KDTREE),
    )
    return Result(
        model=case.name,
        applicants=len(case.rows),
        drawn_from_data=case.real,
        statuses=dict(Counter(answer.status for answer in answers)),
        dropped=sum(answer.dropped for answer in answers),
        timing=_timing(times),
        quality=judge.judged(list(case.rows), sets, [bool(len(found)) for found in sets]),
        lines=[_beside(case, judge, way, count) for way, count in ways],
    )


def _beside(case: Case, judge: Judge, way: Way, count: int) -> Line:
    """Ask DiCE and us in turns; DiCE refuses rows with a missing value."""
    dice = Dice(case, way)
    rows = case.rows[~np.isnan(case.rows).any(axis=1)][:count]
    finding: dict[str, Find] = {
        "ours": lambda row: _rows(case, row, _ours(case, row)),
        way: lambda row: dice.find(row, COUNT, 1),
    }
    times: dict[str, list[float]] = {name: [] for name in finding}
    sets: dict[str, list[FloatArray]] = {name: [] for name in finding}
    stopped = 0
    for row in rows:
        for name, find in finding.items():
            started = time.perf_counter()
            found = np.empty((0, len(row)))
            try:
                with _at_most(CAP_SECONDS):
                    found = find(row)
            except TooLong:
                stopped += 1
            times[name].append(1e3 * (time.perf_counter() - started))
            sets[name].append(found)
    both = [len(ours) == len(theirs) == COUNT for ours, theirs in zip(sets["ours"], sets[way], strict=True)]
    judged = {name: judge.judged(list(rows), sets[name], both) for name in finding}
    nothing = sum(not len(found) for found in sets[way]) - stopped
    return Line(
        way, _timing(times[way]), stopped, nothing, judged[way], judged["ours"], _timing(times["ours"])
    )


def _ours(case: Case, row: FloatArray) -> CounterfactualSet:
    """Search as the service does: directly, and exactly in what is left where that settled nothing."""
    deadline = Deadline(EXACT_UNTIL_MS, time.monotonic())
    problem = case.search.problem(case.space.instance(row), count=COUNT, seed=1)
    found = [run(case.search.direct(problem), problem, Budget(Deadline.unlimited(), None))]
    if not settles(found[0]):
        found.append(run(case.search.exact, problem, Budget(deadline, None)))
    return conclude(problem, found)


def _rows(case: Case, row: FloatArray, answer: CounterfactualSet) -> FloatArray:
    """Apply the changes as they are displayed."""
    rows = np.repeat(row[None], len(answer.items), axis=0)
    for changed, item in zip(rows, answer.items, strict=True):
        for change in item.changes:
            assert isinstance(change.after, bool | int | float)
            changed[case.space.index(change.feature)] = float(change.after)
    return rows


@contextmanager
def _at_most(seconds: float) -> Iterator[None]:
    def stop(_signal: int, _frame: FrameType | None) -> None:
        raise TooLong

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, before)


def _timing(times: Sequence[float]) -> Timing:
    return Timing(float(np.median(times)), float(np.quantile(times, 0.99)), len(times))


def _plain(value: object) -> object:
    """Return what JSON can say: nothing for a mean over nothing."""
    if isinstance(value, float) and math.isnan(value):
        return None
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    return [_plain(one) for one in value] if isinstance(value, list | tuple) else value


def main() -> None:
    """Measure, print, and write what was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("output", nargs="?", type=Path)
    arguments = parser.parse_args()
    warm_answers(None)
    results = [_plain(asdict(measure(draw(ROWS)))) for draw in (lending_case, clinical_case, large_case)]
    document = {"machine": machine(), "count": COUNT, "results": results}
    text = json.dumps(document, indent=1) + "\n"
    print(text, end="")
    if arguments.output is not None:
        arguments.output.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
