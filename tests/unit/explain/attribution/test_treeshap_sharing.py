"""Prepared tables shared by threads, children, processes and users: the same bytes for everybody."""

from __future__ import annotations

import stat
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from explain.attribution.treeshap import TreeShap
from tests.oracles.boosters import Trained, train

ROOT = Path(__file__).parents[4]

PROGRAM = """
import os, sys
from pathlib import Path
import numpy as np
from explain.attribution.treeshap import TreeShap
from explain.attribution.warm import warm
from explain.features import Feature, FeatureSpace
from explain.models import load_model

folder, way = Path(sys.argv[1]), sys.argv[3]
warm(Path(sys.argv[2]))
rows = np.load(folder / "rows.npy")
space = FeatureSpace(tuple(Feature(f"f{i}", "number", nullable=True) for i in range(rows.shape[1])))
model = load_model("xgboost", (folder / "model.ubj").read_bytes(), space)
print("ready", flush=True)
sys.stdin.readline()
if way == "as nobody" and os.getuid() == 0:
    os.setuid(65534)
shap = TreeShap.prepare(model, rows[:60], cache_dir=folder / "cache")
if way != "forked" or os.fork() == 0:
    print(shap.explain_batch(rows)[1].tobytes().hex(), flush=True)
else:
    os.wait()
"""


@pytest.fixture(scope="module")
def trained() -> Trained:
    return train(("q",) * 8, max_depth=6, rounds=30)


def prepared(trained: Trained, cache: Path | None = None) -> TreeShap:
    return TreeShap.prepare(trained.model(), trained.rows[:60], cache_dir=cache)


def start(trained: Trained, folder: Path, kernels: Path, way: str = "plainly") -> subprocess.Popen[str]:
    """Start a process that prepares and explains once it is told to go on."""
    np.save(folder / "rows.npy", trained.rows)
    (folder / "model.ubj").write_bytes(trained.artifact())
    command = [sys.executable, "-c", PROGRAM, str(folder), str(kernels), way]
    started = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert started.stdout is not None
    assert started.stdout.readline() == "ready\n"
    return started


@pytest.fixture
def kernels(pytestconfig: pytest.Config, tmp_path: Path) -> Path:
    cache = getattr(pytestconfig, "cache", None)
    return tmp_path if cache is None else Path(cache.mkdir("ofrecord"))


@pytest.mark.parametrize("threads", [2, 5, 32])
def test_a_batch_on_several_threads_has_the_same_bytes(trained: Trained, threads: int) -> None:
    shap = prepared(trained)
    rows = np.tile(trained.rows, (3, 1))
    serial = shap.explain_batch(rows)[1]
    assert shap.explain_batch(rows, threads=threads)[1].tobytes() == serial.tobytes()


def test_threads_on_different_models_get_the_bytes_of_one_thread() -> None:
    several = [train(("q",) * 5, seed=seed, rounds=10) for seed in range(4)]
    shaps = [prepared(one) for one in several]
    serial = [shap.explain_batch(one.rows)[1] for shap, one in zip(shaps, several, strict=True)]

    def one(number: int) -> bool:
        model, row = number % 4, number * 7 % 400
        return shaps[model].explain(several[model].rows[row])[1].tobytes() == serial[model][row].tobytes()

    with ThreadPoolExecutor(32) as pool:
        assert all(pool.map(one, range(2000)))


def test_a_forked_child_explains_from_the_same_mapping(
    trained: Trained, tmp_path: Path, kernels: Path
) -> None:
    expected = prepared(trained, tmp_path / "cache").explain_batch(trained.rows)[1].tobytes().hex()
    assert start(trained, tmp_path, kernels, "forked").communicate("go\n", timeout=60)[0].strip() == expected


def test_only_its_owner_may_read_a_table_file(trained: Trained, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    prepared(trained, cache)
    (file,) = cache.iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o400
    assert stat.S_IMODE(cache.stat().st_mode) == 0o700


def test_tables_that_cannot_be_read_or_written_are_made_in_memory(
    trained: Trained, tmp_path: Path, kernels: Path
) -> None:
    cache = tmp_path / "cache"
    expected = prepared(trained, cache).explain_batch(trained.rows)[1].tobytes().hex()
    (file,) = cache.iterdir()
    file.chmod(0)
    cache.chmod(0o500)
    try:
        process = start(trained, tmp_path, kernels, "as nobody")
        assert process.communicate("go\n", timeout=60)[0].strip() == expected
        assert list(cache.iterdir()) == [file]
    finally:
        cache.chmod(0o700)


def test_processes_that_prepare_at_once_all_end_well(trained: Trained, tmp_path: Path, kernels: Path) -> None:
    started = [start(trained, tmp_path, kernels) for _ in range(4)]
    for one in started:
        assert one.stdin is not None
        one.stdin.write("go\n")
        one.stdin.flush()
    expected = prepared(trained).explain_batch(trained.rows)[1].tobytes().hex()
    assert [one.communicate(timeout=60)[0].strip() for one in started] == [expected] * 4
    assert len(list((tmp_path / "cache").iterdir())) == 1
