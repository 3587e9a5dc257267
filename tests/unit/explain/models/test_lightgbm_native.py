"""The native library behind its C interface: the package's own numbers, from many threads, after a fork."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import lightgbm as lgb
import numpy as np
import pytest

from explain.errors import ModelCorrupt, ModelUnsupported
from explain.models import lightgbm_native
from explain.models.lightgbm_native import NativeBooster, library, library_version
from tests.oracles.lightgbm_models import Trained, draw_rows, train

ROOT = Path(__file__).resolve().parents[4]
KINDS: dict[str, dict] = {
    "numbers": {"types": ("q",) * 5},
    "categories": {"types": ("q", "c", "c"), "max_cat_to_onehot": 1},
    "several classes": {"types": ("q",) * 5, "objective": "multiclass"},
    "forest": {"types": ("q",) * 5, "boosting": "rf", "bagging_freq": 1, "bagging_fraction": 0.5},
    "exponential link": {"types": ("q",) * 5, "objective": "poisson"},
    "sigmoid": {"types": ("q",) * 5, "sigmoid": 0.3},
}


@pytest.fixture(params=KINDS)
def trained(request: pytest.FixtureRequest) -> Trained:
    return train(**KINDS[request.param])


def test_the_library_is_the_installed_one() -> None:
    assert library_version() == lgb.__version__


def test_margins_and_scores_are_the_packages_own(trained: Trained) -> None:
    rows = draw_rows(3, 300, ["c" if f.type == "category" else "q" for f in trained.space.features], 0.2)
    prediction = trained.model().predict(rows)
    assert prediction.margins.tolist() == trained.native(rows).tolist()
    assert prediction.scores.tolist() == trained.scores(rows).tolist()


def test_a_row_alone_scores_as_in_a_batch(trained: Trained) -> None:
    model = trained.model()
    batch = model.predict(trained.rows)
    for number in range(0, len(trained.rows), 37):
        alone = model.predict(trained.rows[number : number + 1])
        assert alone.margins[0].tolist() == batch.margins[number].tolist()
        assert alone.scores[0].tolist() == batch.scores[number].tolist()


def test_no_rows_have_no_margins(trained: Trained) -> None:
    model = trained.model()
    assert model.margins(trained.rows[:0]).shape == model.margins(trained.rows)[:0].shape


def test_rows_of_another_width_never_reach_the_library(trained: Trained) -> None:
    with pytest.raises(ValueError, match="features are needed"):
        trained.model().margins(trained.rows[:, 1:])


def test_many_threads_ask_different_boosters(trained: Trained) -> None:
    models = [trained.model(), train(("q",) * 3).model()]
    rows = [trained.rows, draw_rows(1, 50, ("q",) * 3)]
    expected = [model.predict(given) for model, given in zip(models, rows, strict=True)]

    def one(number: int) -> bool:
        which, position = number % 2, number % 50
        found = models[which].predict(rows[which][position : position + 1])
        return (
            found.margins[0].tolist() == expected[which].margins[position].tolist()
            and found.scores[0].tolist() == expected[which].scores[position].tolist()
        )

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(one, range(2000)))


FORKED = """
import os, sys
import numpy as np
from explain.features import Feature, FeatureSpace
from explain.models import load_model

artifact = sys.stdin.buffer.read()
space = FeatureSpace(tuple(Feature(f"f{i}", "number", nullable=True) for i in range(5)), float_width=64)
model = load_model("lightgbm", artifact, space)
rows = np.random.default_rng(0).normal(size=(200, 5))
before = model.margins(rows).tobytes()
child = os.fork()
if child == 0:
    again = load_model("lightgbm", artifact, space)
    os._exit(0 if model.margins(rows).tobytes() == before == again.margins(rows).tobytes() else 1)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
assert "lightgbm" not in sys.modules
assert "pandas" not in sys.modules
"""


def run(program: str, given: bytes, **environment: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-c", program],
        input=given,
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        timeout=60,
        check=False,
    )


def test_a_forked_child_predicts_and_loads_and_the_package_is_never_imported() -> None:
    done = run(FORKED, train(("q",) * 5).artifact)
    assert (done.returncode, done.stderr) == (0, b"")


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    artifact = train(("q",)).artifact
    monkeypatch.setitem(sys.modules, "lightgbm", None)  # how Python itself bars an import
    monkeypatch.setattr(lightgbm_native, "library", library.__wrapped__)
    with pytest.raises(ModelUnsupported, match=r"family lightgbm: its library is not installed"):
        NativeBooster(artifact, 12, 1, 1)


def test_a_library_that_cannot_be_loaded_is_named(tmp_path: Path) -> None:
    (tmp_path / "lightgbm" / "lib").mkdir(parents=True)
    (tmp_path / "lightgbm" / "__init__.py").touch()
    (tmp_path / "lightgbm" / "lib" / "lib_lightgbm.so").write_bytes(b"\x7fELF")
    program = "from explain.models.lightgbm_native import library\nlibrary()"
    done = run(program, b"", PYTHONPATH=str(tmp_path))
    assert b"family lightgbm: its library cannot be loaded (lib_lightgbm.so)" in done.stderr


def test_the_library_must_read_what_we_read() -> None:
    artifact = train(("q", "q")).artifact
    for rounds, outputs, features in ((11, 1, 2), (12, 2, 2), (12, 1, 3)):
        with pytest.raises(ModelCorrupt, match="the native library reads"):
            NativeBooster(artifact, rounds, outputs, features)


def test_a_refusal_of_the_library_is_named() -> None:
    with pytest.raises(ModelCorrupt, match=r"the native library refused it: Model file doesn't specify"):
        NativeBooster(b"tree\nversion=v4\n", 1, 1, 1)


def test_numbers_are_read_as_python_reads_them() -> None:
    """Thresholds and leaves: correctly rounded, as float() is, down to the smallest."""
    from explain.models.lightgbm_text import reals  # noqa: PLC0415  beside its only use

    generator = np.random.default_rng(0)
    numbers = generator.integers(0, 2**63, size=5000, dtype=np.int64).view(np.float64)
    numbers = numbers[np.isfinite(numbers)]
    for spelling in ("%.17g", "%.9g"):
        text = [spelling % number for number in numbers]
        found = reals({"row": " ".join(text).encode()}, "row", "a test")
        assert found.tolist() == [float(one) for one in text]
