"""Attribution of single rows and of batches beside the libraries people use today (P1, P2).

`python -m benchmarks.attribution [JSON-FILE] [--sizes S,M,L]`. Ours is exact and interventional over 1,000
reference rows. Every ratio is of medians taken in turns in this run, on one thread.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from benchmarks import peers
from benchmarks.machine import machine
from benchmarks.peers import Peer, Rows
from benchmarks.sizes import (
    BATCH_ROWS,
    SIZES,
    Data,
    Size,
    catboost_model,
    draw,
    lightgbm_model,
    xgboost_model,
)
from benchmarks.timing import Timing, in_turns, medians_of
from explain.attribution.treeshap import MEMORY_CAP_BYTES, TreeShap
from explain.attribution.warm import warm
from explain.features import Feature, FeatureSpace
from explain.models import load_model
from explain.models.base import Model

SECONDS = 6.0
BATCH_SECONDS = 6.0
SLOW_TURNS = 5
OFTEN = 20  # beside a call of seconds, ours is called so many times a turn
OURS = "ofrecord"


@dataclass(frozen=True)
class Line:
    """One peer beside ours: milliseconds of one row, rows a second of a batch, and the ratios to ours."""

    peer: str
    what: str
    single: Timing
    single_ratio: float
    batch_rows: int
    batch_rows_per_second: float
    batch_ratio: float


@dataclass(frozen=True)
class Result:
    """One model under one memory cap."""

    family: str
    size: str
    cap_mib: int
    leaves: int
    storage: dict[str, int]
    prepare_seconds: float
    single: Timing
    batch_rows_per_second: float
    lines: list[Line]


@dataclass(frozen=True, eq=False)
class Case:
    """A model of a size, ours prepared, and the peers that explain the very same file."""

    family: str
    size: Size
    cap: int
    artifact: bytes
    data: Data

    def prepared(self, folder: Path) -> tuple[Model, TreeShap, float]:
        """Load and prepare as a registration does; the tables are mapped files."""
        space = FeatureSpace(tuple(Feature(f"f{i}", "number") for i in range(self.size.features)))
        model = load_model(self.family, self.artifact, space)
        started = time.perf_counter()
        shap = TreeShap.prepare(model, self.data.reference, cache_dir=folder, memory_cap_bytes=self.cap)
        return model, shap, time.perf_counter() - started


def measure(case: Case, fast: tuple[Peer, ...], slow: tuple[Peer, ...] = ()) -> Result:
    """Take single rows of the fast peers, then of the slow ones, then batches, each in turns with ours."""
    with tempfile.TemporaryDirectory() as folder:
        model, shap, seconds = case.prepared(Path(folder))
        unseen = case.data.unseen
        ours = Peer(OURS, "interventional", lambda rows: shap.explain(rows[0]))
        tables = dict.fromkeys(fast, _singles((ours, *fast), unseen, SECONDS))
        for (
            peer
        ) in slow:  # each beside ours alone: what one of them leaves of the caches is not another's fault
            tables[peer] = _singles((ours, peer), unseen, 0.0, often=OFTEN)
        batch = Peer(OURS, "interventional", shap.explain_batch)
        lines = []
        for peer in (*fast, *slow):
            table = tables[peer]
            count = _batch_rows(peer, table)
            rates = _batch(batch, peer, unseen, count)
            lines.append(_line(peer, table, count, rates))
        mine = medians_of({OURS: lambda: shap.explain_batch(unseen)}, 3)[OURS]
        return Result(
            family=case.family,
            size=case.size.name,
            cap_mib=case.cap >> 20,
            leaves=model.form().leaf_count,  # type: ignore[union-attr]
            storage=asdict(shap.storage),
            prepare_seconds=seconds,
            single=tables[fast[0]][OURS],
            batch_rows_per_second=len(unseen) / mine,
            lines=lines,
        )


def _batch_rows(peer: Peer, table: dict[str, Timing]) -> int:
    """Take all rows of a batch, or as many as a peer of this speed explains in some seconds."""
    affordable = int(BATCH_SECONDS * 1e3 / table[peer.name + peer.what].median)
    return BATCH_ROWS if peer.for_batches else max(20, min(BATCH_ROWS, affordable))


def _singles(all_peers: tuple[Peer, ...], rows: Rows, seconds: float, often: int = 1) -> dict[str, Timing]:
    calls = {
        peer.name + ("" if peer.name == OURS else peer.what): (
            lambda number, peer=peer: peer.explain(rows[number : number + 1])
        )
        for peer in all_peers
    }
    return in_turns(calls, seconds=seconds, rows=len(rows), fewest=SLOW_TURNS, often={OURS: often})


def _batch(ours: Peer, peer: Peer, rows: Rows, count: int) -> tuple[float, float]:
    """Return rows a second of the peer over `count` rows, and how many times as many ours explains."""
    part = rows[:count]
    taken = medians_of({OURS: lambda: ours.explain(part), "peer": lambda: peer.explain(part)}, 2)
    return count / taken["peer"], taken["peer"] / taken[OURS]


def _line(peer: Peer, table: dict[str, Timing], count: int, rates: tuple[float, float]) -> Line:
    single = table[peer.name + peer.what]
    return Line(
        peer=peer.name,
        what=peer.what,
        single=single,
        single_ratio=single.median / table[OURS].median,
        batch_rows=count,
        batch_rows_per_second=rates[0],
        batch_ratio=rates[1],
    )


def xgboost_results(size: Size) -> list[Result]:
    """All peers that explain an XGBoost file; L also with room for all of its tables."""
    data = draw(size)
    artifact = xgboost_model(size, data)
    native = peers.xgboost_peers(artifact, whole_batches=size.name != "L")  # minutes a batch there
    fast = (*native, peers.fasttreeshap_peer(artifact))
    interventional, dependent = peers.shap_peers(artifact, data.reference)
    slow: tuple[Peer, ...] = (interventional, dependent)
    if size.name == "S":  # half a minute a call on M, minutes on L
        slow = (*slow, peers.woodelf_peer(artifact, data.reference))
    caps = (MEMORY_CAP_BYTES, 4 * MEMORY_CAP_BYTES) if size.name == "L" else (MEMORY_CAP_BYTES,)
    results = [measure(Case("xgboost", size, caps[0], artifact, data), fast, slow)]
    results += [measure(Case("xgboost", size, cap, artifact, data), native) for cap in caps[1:]]
    return results


def other_results(size: Size) -> list[Result]:
    """LightGBM's and CatBoost's own models beside their own contributions."""
    data = draw(size)
    results = []
    for family, train, peer in (
        ("lightgbm", lightgbm_model, peers.lightgbm_peer),
        ("catboost", catboost_model, peers.catboost_peer),
    ):
        artifact = train(size, data)
        case = Case(family, size, MEMORY_CAP_BYTES, artifact, data)
        results.append(measure(case, (peer(artifact),)))
    return results


def report(result: Result) -> None:
    """Print one model for a person."""
    storage = result.storage
    print(
        f"{result.family} {result.size}, cap {result.cap_mib} MiB, {result.leaves} leaves, "
        f"{storage['table_bytes'] / 2**20:.1f} MiB tables, prepared in {result.prepare_seconds:.1f} s: "
        f"one row {result.single.median:.3f} ms (p99 {result.single.p99:.3f}), "
        f"batch {result.batch_rows_per_second:,.0f} rows/s"
    )
    for line in result.lines:
        print(
            f"   {line.peer}, {line.what}: {line.single.median:.3f} ms (p99 {line.single.p99:.3f}), "
            f"ours {line.single_ratio:.1f}x; batch of {line.batch_rows:,} {line.batch_rows_per_second:,.1f} "
            f"rows/s, ours {line.batch_ratio:.1f}x",
            flush=True,
        )


def main() -> None:
    """Measure the sizes that are asked for and write what was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("output", nargs="?", type=Path)
    parser.add_argument("--sizes", default="S,M,L")
    arguments = parser.parse_args()
    facts = machine()
    print(", ".join(f"{name} {value}" for name, value in facts.items()))
    warm(None)
    results: list[Result] = []
    for size in SIZES:
        if size.name in arguments.sizes.split(","):
            found = [*xgboost_results(size), *(other_results(size) if size.name != "L" else [])]
            results += found
            for result in found:
                report(result)
    if arguments.output is not None:
        _write(arguments.output, facts, results)


def _write(path: Path, facts: dict[str, str], results: list[Result]) -> None:
    """Write what was found; what the file says of other sizes on the same machine stays."""
    kept = []
    if path.exists():
        before = json.loads(path.read_text(encoding="utf-8"))
        measured = {result.size for result in results}
        if before["machine"] == facts:
            kept = [result for result in before["results"] if result["size"] not in measured]
    every = [*kept, *(asdict(result) for result in results)]
    order = [size.name for size in SIZES]
    every.sort(key=lambda result: (order.index(result["size"]), result["cap_mib"]))
    document = {"machine": facts, "results": every}
    path.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
