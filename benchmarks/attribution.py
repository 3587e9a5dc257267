"""Attribution of single rows and batches beside xgboost: `python -m benchmarks.attribution [JSON-FILE]`.

Every figure is taken in turns (ours, theirs, ours, ...) in one run on one thread, and printed as a ratio.
Ours is exact and interventional over 1,000 reference rows; xgboost's `pred_contribs` is path-dependent and
has no reference. What every answer pays on top, the native margin, is shown too.
"""

from __future__ import annotations

import json
import platform
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numba
import numpy as np
import xgboost as xgb

from explain.attribution.treeshap import MEMORY_CAP_BYTES, TreeShap
from explain.attribution.warm import warm
from explain.features import Feature, FeatureSpace
from explain.models import load_model
from explain.models.base import Model

REFERENCE_ROWS = 1000
BATCH_ROWS = 1000
SECONDS = 6.0


@dataclass(frozen=True)
class Size:
    """A model size of the house."""

    name: str
    trees: int
    depth: int
    features: int
    training_rows: int


SIZES = (
    Size("S", 100, 4, 20, 5_000),
    Size("M", 500, 6, 50, 10_000),
    Size("L", 1_000, 8, 100, 20_000),
)


@dataclass(frozen=True)
class Timing:
    """Milliseconds."""

    median: float
    p99: float


@dataclass(frozen=True)
class Result:
    """One size under one memory cap."""

    size: str
    cap_mib: int
    leaves: int
    storage: dict[str, int]
    prepare_seconds: float
    ours: Timing
    margin: Timing
    pred_contribs: Timing
    single_ratio: float
    batch_rows_per_second: float
    batch_pred_contribs_per_second: float
    batch_ratio: float


def trained(size: Size) -> tuple[bytes, np.ndarray]:
    """Train a model of this size on noisy interactions; return its file and unseen rows."""
    generator = np.random.default_rng(1)
    rows = generator.normal(size=(size.training_rows, size.features)).astype(np.float32)
    weights = generator.normal(size=size.features) / np.sqrt(size.features)
    signal = rows @ weights + 0.6 * np.sin(2 * rows[:, 0]) * rows[:, 1] + 0.5 * rows[:, 2] * rows[:, 3]
    labels = signal + 0.7 * generator.normal(size=size.training_rows) > 0
    matrix = xgb.DMatrix(rows, label=labels.astype(int), nthread=1)
    settings = {"objective": "binary:logistic", "max_depth": size.depth, "eta": 0.05, "nthread": 1}
    booster = xgb.train(settings, matrix, size.trees)
    unseen = generator.normal(size=(REFERENCE_ROWS + BATCH_ROWS, size.features))
    return bytes(booster.save_raw("ubj")), unseen


def in_turns(calls: list[Callable[[int], object]]) -> list[Timing]:
    """Time the calls one after the other, again and again, on a new row each time."""
    times: list[list[float]] = [[] for _ in calls]
    for call in calls:
        call(0)
    end = time.perf_counter() + SECONDS
    number = 0
    while time.perf_counter() < end:
        number = (number + 1) % BATCH_ROWS
        for call, taken in zip(calls, times, strict=True):
            started = time.perf_counter()
            call(number)
            taken.append(1e3 * (time.perf_counter() - started))
    return [Timing(float(np.median(taken)), float(np.quantile(taken, 0.99))) for taken in times]


def once(call: Callable[[], object]) -> float:
    """Return the seconds of one call."""
    started = time.perf_counter()
    call()
    return time.perf_counter() - started


def measure(size: Size, artifact: bytes, rows: np.ndarray, cap: int) -> Result:
    """Measure one size under one cap."""
    space = FeatureSpace(tuple(Feature(f"f{i}", "number") for i in range(size.features)))
    model: Model = load_model("xgboost", artifact, space)
    reference, unseen = rows[:REFERENCE_ROWS], rows[REFERENCE_ROWS:]
    started = time.perf_counter()
    shap = TreeShap.prepare(model, reference, cache_dir=None, memory_cap_bytes=cap)
    prepared = time.perf_counter() - started
    booster = xgb.Booster(model_file=bytearray(artifact))
    booster.set_param({"nthread": 1})

    def contribs(number: int) -> object:
        return booster.predict(xgb.DMatrix(unseen[number : number + 1], nthread=1), pred_contribs=True)

    ours, margin, theirs = in_turns(
        [lambda n: shap.explain(unseen[n]), lambda n: model.margins(unseen[n : n + 1]), contribs]
    )
    batch = min(once(lambda: shap.explain_batch(unseen)) for _ in range(3))
    matrix = xgb.DMatrix(unseen, nthread=1)
    batch_theirs = min(once(lambda: booster.predict(matrix, pred_contribs=True)) for _ in range(2))
    return Result(
        size=size.name,
        cap_mib=cap >> 20,
        leaves=model.form().leaf_count,
        storage=asdict(shap.storage),
        prepare_seconds=prepared,
        ours=ours,
        margin=margin,
        pred_contribs=theirs,
        single_ratio=theirs.median / ours.median,
        batch_rows_per_second=len(unseen) / batch,
        batch_pred_contribs_per_second=len(unseen) / batch_theirs,
        batch_ratio=batch_theirs / batch,
    )


def report(result: Result) -> None:
    """Print one line for a person."""
    print(
        f"{result.size} cap {result.cap_mib} MiB, {result.leaves} leaves, "
        f"{result.storage['table_bytes'] / 2**20:.1f} MiB tables ({result.storage['table_width']} bits), "
        f"prepared in {result.prepare_seconds:.2f} s\n"
        f"   one row: ours {result.ours.median:.3f} ms (p99 {result.ours.p99:.3f}), native margin "
        f"{result.margin.median:.3f}, pred_contribs {result.pred_contribs.median:.3f} "
        f"(p99 {result.pred_contribs.p99:.3f}): {result.single_ratio:.1f}x\n"
        f"   batch: ours {result.batch_rows_per_second:.0f} rows/s, pred_contribs "
        f"{result.batch_pred_contribs_per_second:.0f}: {result.batch_ratio:.1f}x",
        flush=True,
    )


def main(arguments: list[str]) -> None:
    """Measure all sizes; L also with room for all of its tables."""
    machine = {
        "machine": platform.processor() or platform.machine(),
        "python": platform.python_version(),
        "xgboost": xgb.__version__,
        "numba": numba.__version__,
        "numpy": np.__version__,
    }
    print(", ".join(f"{name} {version}" for name, version in machine.items()))
    warm(None)
    results = []
    for size in SIZES:
        artifact, rows = trained(size)
        caps = (MEMORY_CAP_BYTES, 4 * MEMORY_CAP_BYTES) if size.name == "L" else (MEMORY_CAP_BYTES,)
        for cap in caps:
            results.append(measure(size, artifact, rows, cap))
            report(results[-1])
    if arguments:
        document = {"machine": machine, "results": [asdict(result) for result in results]}
        Path(arguments[0]).write_text(json.dumps(document, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
