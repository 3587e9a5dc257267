"""The one door to scikit-learn: many threads, forked workers, refusals, and a machine without it."""

from __future__ import annotations

import importlib.metadata
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from sklearn.ensemble import (
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    RandomForestRegressor,
)

from explain.errors import InvalidFeatures, ModelUnsupported
from explain.models import load_model, sklearn_native
from tests.oracles.sklearn_frames import on_frame
from tests.oracles.sklearn_models import Trained, train

KINDS = {
    "forest": lambda: train(RandomForestRegressor(n_estimators=8, n_jobs=4, random_state=0)),
    "boosting": lambda: train(
        GradientBoostingClassifier(n_estimators=8, random_state=0), outputs=3, missing=0.0
    ),
    "histogram": lambda: on_frame(HistGradientBoostingClassifier(max_iter=8, random_state=0)),
}


@pytest.fixture(params=KINDS)
def trained(request: pytest.FixtureRequest) -> Trained:
    return KINDS[request.param]()


def test_margins_and_scores_are_the_packages_own(trained: Trained) -> None:
    rows, model = trained.example().rows, trained.model()
    trained.estimator.n_jobs = 1  # with more threads the package adds a forest's trees in any order
    prediction = model.predict(rows)
    assert prediction.margins.tolist() == trained.native(rows).tolist()
    assert prediction.scores.tolist() == trained.scores(rows).tolist()


def test_a_row_alone_scores_as_in_a_batch(trained: Trained) -> None:
    model = trained.model()
    batch = model.predict(trained.rows)
    for number in range(0, len(trained.rows), 37):
        alone = model.predict(trained.rows[number : number + 1])
        assert alone.margins[0].tolist() == batch.margins[number].tolist()
        assert alone.scores[0].tolist() == batch.scores[number].tolist()


def test_many_threads_ask_one_estimator(trained: Trained) -> None:
    model = trained.model()
    expected = model.margins(trained.rows)

    def one(number: int) -> bool:
        position = number % len(expected)
        return model.margins(trained.rows[position : position + 1])[0].tolist() == expected[position].tolist()

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(one, range(400)))


def test_a_forked_worker_predicts(trained: Trained) -> None:
    model = trained.model()
    expected = model.margins(trained.rows)
    child = os.fork()
    if child == 0:
        os._exit(0 if model.margins(trained.rows).tolist() == expected.tolist() else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_what_the_library_refuses_is_named() -> None:
    model = KINDS["boosting"]().model()
    with pytest.raises(InvalidFeatures, match="NaN"):
        model.predict(np.full((1, 5), np.nan))
    with pytest.raises(InvalidFeatures, match="infinity or a value too large"):
        model.margins(np.full((1, 5), 1e300))


def test_without_the_library_the_family_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    trained = KINDS["forest"]()

    def missing(name: str) -> str:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "version", missing)
    with pytest.raises(ModelUnsupported, match="family sklearn: its library is not installed"):
        load_model("sklearn", trained.artifact, trained.space)


def test_a_library_that_cannot_be_imported_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    trained = KINDS["forest"]()
    monkeypatch.setitem(sys.modules, "skops.io", None)
    sklearn_native._loads.cache_clear()
    with pytest.raises(ModelUnsupported, match="family sklearn: its library is not installed"):
        load_model("sklearn", trained.artifact, trained.space)
    sklearn_native._loads.cache_clear()


def test_nothing_is_imported_before_a_model_is_loaded() -> None:
    program = "import sys, explain.models.sklearn; print({'sklearn', 'skops', 'pandas'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
