"""Whether answers keep their budget (P5): `python -m benchmarks.budget [JSON-FILE]`.

A whole installation, the counterfactual server with it, and four clients, each a process of its own that asks
without a pause: about mortgage applicants for whom changes are found in time, and about applicants of model M
for whom the direct search finds nothing and DiCE, asked by name, is never done in time. Workers are paused
meanwhile, as they would be on machines of their own: what was deferred to them is none of the answer.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import tempfile
import time
import uuid
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import httpx
import numpy as np

from benchmarks.applicants import Case, lending_case, unreachable_case
from benchmarks.installation import Installation, installation
from benchmarks.machine import machine
from benchmarks.processes import Processes
from benchmarks.timing import Timing
from examples.bundle import plain_value

CLIENTS = 4
BUDGETS_MS = (50, 100, 250, 500)
ALLOWANCE_MS = 10.0
EASY, HARD = 1_000, 400  # answers for each budget
WARM_UP = 40
SETTLED_SECONDS = 0.1
WATCHED_SECONDS = 1.0


@dataclass(frozen=True)
class Kept:
    """Answers within one budget: shares inside budget and allowance, by the client's clock and the answer's.

    `busy` is how much of a core the API and the counterfactual server with its children used, from 100 ms
    after the last answer on, for a second; `busy_before` the same before anything was asked. `children` are
    those of the counterfactual server then: it keeps one prepared for each model.
    """

    budget_ms: int
    answers: int
    inside: float
    inside_by_own_timings: float
    latency: Timing
    largest: float
    own: Timing
    statuses: Mapping[str, int]
    refused: Mapping[str, int]
    searches: Mapping[str, int]
    busy_before: float
    busy: float
    children: int


@dataclass(frozen=True)
class Result:
    """One kind of question."""

    model: str
    methods: Sequence[str] | None
    budgets: Sequence[Kept]


@dataclass(frozen=True)
class Answered:
    """One answer as the client saw it."""

    milliseconds: float
    total: float | None
    status: str
    refused: str | None
    searches: tuple[str, ...]


@dataclass(frozen=True)
class Client:
    """What one client process needs to ask its share."""

    url: str
    token: str
    model: str
    bodies: Sequence[Mapping[str, Any]]


class _Start:
    """Where the clients of one process wait for those of the others."""

    together: Any = None


def _begin_together(barrier: Any) -> None:
    _Start.together = barrier


def answered(client: Client) -> list[Answered]:
    """Ask one after the other, from the moment when all clients have their connection open."""
    found = []
    headers = {"Authorization": client.token}
    with httpx.Client(base_url=client.url, headers=headers, timeout=60.0) as connection:
        connection.get("/readyz")
        _Start.together.wait()
        for body in client.bodies:
            started = time.perf_counter()
            answer = connection.post(f"/v1/models/{client.model}/explanations", json=body)
            taken = 1e3 * (time.perf_counter() - started)
            found.append(_read(taken, answer))
    return found


def _read(taken: float, answer: httpx.Response) -> Answered:
    told = answer.json()
    if answer.status_code not in (200, 201):
        problem = f"{answer.status_code} {told.get('type', '').rpartition('/')[2]}"
        return Answered(taken, None, "none", problem, ())
    said = told["counterfactuals"]
    searches = tuple(f"{one['method']} {one['state']}" for one in said["searches"])
    return Answered(taken, told["timings_ms"]["total"], said["status"], None, searches)


def measure() -> list[Result]:
    """Ask both kinds of question within each budget."""
    easy, hard = lending_case(400), unreachable_case(24)
    asked: Sequence[str] = ("direct", "dice_random", "dice_genetic")
    with tempfile.TemporaryDirectory() as folder, installation(Path(folder) / "data") as running:
        for case in (easy, hard):
            register(running, case)
        processes = Processes(running.process.pid)
        with processes.paused("work"):
            return [
                Result(easy.name, None, _within_each(running, processes, easy, EASY, None)),
                Result(hard.name, asked, _within_each(running, processes, hard, HARD, asked)),
            ]


def register(running: Installation, case: Case) -> None:
    """Register and approve a model with its catalogue, if it has one."""
    if case.uploaded.catalogue is not None:
        headers = {"Content-Type": "application/yaml"}
        running.client.post(
            "/v1/catalogues", content=case.uploaded.catalogue, headers=headers
        ).raise_for_status()
    files = {
        "manifest": ("manifest.yaml", case.uploaded.manifest, "application/yaml"),
        "artifact": ("model.bin", case.uploaded.artifact, "application/octet-stream"),
        "reference": ("reference.csv", case.uploaded.reference, "text/csv"),
    }
    running.client.post("/v1/models", files=files, timeout=180.0).raise_for_status()
    approval = {"status": "approved", "by": "benchmark", "note": "measurement"}
    running.client.post(f"/v1/models/{case.name}/versions/1/approval", json=approval).raise_for_status()


def _within_each(
    running: Installation, processes: Processes, case: Case, count: int, methods: Sequence[str] | None
) -> list[Kept]:
    _asked(running, case, _bodies(case, WARM_UP, BUDGETS_MS[-1], methods))
    kept = []
    for budget in BUDGETS_MS:
        time.sleep(WATCHED_SECONDS)
        before = processes.busy(("serve", "propose"), WATCHED_SECONDS)
        answers = _asked(running, case, _bodies(case, count, budget, methods))
        time.sleep(SETTLED_SECONDS)
        busy = processes.busy(("serve", "propose"), WATCHED_SECONDS)
        children = len(processes.below("propose")) - 1
        kept.append(_kept(budget, answers, (before, busy, children)))
    return kept


def _bodies(case: Case, count: int, budget: int, methods: Sequence[str] | None) -> list[dict[str, Any]]:
    """Return requests about one applicant after the other."""
    wanted: dict[str, Any] = {"count": 4} | ({} if methods is None else {"methods": list(methods)})
    bodies = []
    for number in range(count):
        instance = case.space.instance(case.rows[number % len(case.rows)])
        features = dict(zip(case.space.names, map(plain_value, instance.values), strict=True))
        bodies.append(
            {
                "decision_id": f"{uuid.uuid4()}",
                "features": features,
                "budget_ms": budget,
                "counterfactuals": wanted,
            }
        )
    return bodies


def _asked(running: Installation, case: Case, bodies: Sequence[Mapping[str, Any]]) -> list[Answered]:
    """Divide the requests among the clients."""
    url, token = str(running.client.base_url), running.client.headers["Authorization"]
    clients = [Client(url, token, case.name, bodies[at::CLIENTS]) for at in range(CLIENTS)]
    context = multiprocessing.get_context("spawn")
    together = (context.Barrier(CLIENTS),)
    with context.Pool(CLIENTS, initializer=_begin_together, initargs=together) as pool:
        return [answer for found in pool.map(answered, clients, chunksize=1) for answer in found]


def _kept(budget: int, answers: Sequence[Answered], watched: tuple[float, float, int]) -> Kept:
    latencies = np.array([answer.milliseconds for answer in answers])
    own = np.array([answer.total for answer in answers if answer.total is not None])
    searched = [
        f"{answer.status}: {', '.join(answer.searches)}" for answer in answers if answer.refused is None
    ]
    before, busy, children = watched
    return Kept(
        budget_ms=budget,
        answers=len(answers),
        inside=float((latencies <= budget + ALLOWANCE_MS).mean()),
        inside_by_own_timings=float((own <= budget + ALLOWANCE_MS).mean()),
        latency=_timing(latencies.tolist()),
        largest=float(latencies.max()),
        own=_timing(own.tolist()),
        statuses=dict(Counter(answer.status for answer in answers)),
        refused=dict(Counter(answer.refused for answer in answers if answer.refused is not None)),
        searches=dict(Counter(searched)),
        busy_before=before,
        busy=busy,
        children=children,
    )


def _timing(times: Sequence[float]) -> Timing:
    return Timing(float(np.median(times)), float(np.quantile(times, 0.99)), len(times))


def main() -> None:
    """Measure, print, and write what was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("output", nargs="?", type=Path)
    arguments = parser.parse_args()
    results = [asdict(result) for result in measure()]
    text = json.dumps({"machine": machine(), "clients": CLIENTS, "results": results}, indent=1) + "\n"
    print(text, end="")
    if arguments.output is not None:
        arguments.output.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
