"""The door to the CatBoost library: what it costs, who may use it at once, and what its numbers are."""

from __future__ import annotations

import json
import multiprocessing
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import catboost
import numpy as np
import pytest

from explain.errors import ModelCorrupt, ModelUnsupported
from explain.models import load_model
from explain.models.catboost_hash import category_hash
from explain.models.catboost_native import library
from tests.oracles.catboost_models import SETTINGS, CatBoosted, draw_rows, saved, signal_of, train_catboost


@pytest.fixture(scope="module")
def trained() -> CatBoosted:
    return train_catboost(features=4, categorical=(1,))


@pytest.fixture
def forgotten_library() -> Iterator[None]:
    library.cache_clear()
    yield
    library.cache_clear()


def test_categories_are_numbered_as_the_library_numbers_them() -> None:
    generator = np.random.default_rng(7)
    lengths = [0, *range(1, 140), 191, 192, 193, 500]
    texts = sorted({"".join(generator.choice(list("ab 0ß€𝄞"), length)) for length in lengths * 3})
    rows = np.array([[text, number % 2] for number, text in enumerate(texts)], dtype=object)
    pool = catboost.Pool(rows, np.arange(len(texts)) % 2, cat_features=[0])
    model = catboost.CatBoost({**SETTINGS, "iterations": 1, "depth": 1})
    model.fit(pool)
    listed = json.loads(saved(model, pool))["features_info"]["cat_features_hash"]
    assert sorted(entry["value"] for entry in listed) == texts
    for entry in listed:
        assert category_hash(entry["value"]) % 2**32 == entry["hash"]


def test_a_missing_library_is_named(
    monkeypatch: pytest.MonkeyPatch, forgotten_library: None, trained: CatBoosted
) -> None:
    monkeypatch.setitem(sys.modules, "catboost", None)
    with pytest.raises(ModelUnsupported, match="family catboost: its library is not installed"):
        trained.model()


def test_the_library_is_loaded_when_first_needed_and_draws_nothing() -> None:
    program = (
        "import sys, explain.models.catboost\n"
        "assert 'catboost' not in sys.modules\n"
        "from explain.models.catboost_native import library; library()\n"
        "assert 'catboost' in sys.modules\n"
        "assert not {'matplotlib', 'plotly', 'graphviz'} & set(sys.modules)\n"
    )
    root = Path(__file__).parents[4]
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program], cwd=root, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stderr.decode()


def test_nothing_is_written(trained: CatBoosted, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    descriptors = len(list(Path("/proc/self/fd").iterdir()))
    trained.model().predict(trained.rows)
    assert list(tmp_path.iterdir()) == []
    assert len(list(Path("/proc/self/fd").iterdir())) == descriptors


def test_a_row_alone_is_the_row_in_a_batch_in_every_thread(trained: CatBoosted) -> None:
    model = trained.model()
    batch = model.margins(trained.rows)
    with ThreadPoolExecutor(16) as pool:
        alone = list(pool.map(lambda number: model.margins(trained.rows[[number]]), range(200)))
    assert np.concatenate(alone).tobytes() == batch.tobytes()


def _predict_in_child(trained: CatBoosted, model: object, results: object) -> None:
    results.put(model.margins(trained.rows).tobytes())


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")
def test_a_forked_child_predicts_the_same(trained: CatBoosted) -> None:
    model, context = trained.model(), multiprocessing.get_context("fork")
    expected = model.margins(trained.rows).tobytes()
    results = context.SimpleQueue()
    child = context.Process(target=_predict_in_child, args=(trained, model, results))
    child.start()
    assert results.get() == expected
    child.join()
    assert child.exitcode == 0


def test_extreme_rows_are_predicted(trained: CatBoosted) -> None:
    largest = float(np.finfo(np.float32).max)
    rows = np.array([[extreme] * 4 for extreme in (np.nan, 0.0, -largest, largest, 1e300)])
    assert np.all(np.isfinite(trained.model().margins(rows)))


def test_a_category_that_no_split_lists_counts_as_any_other_unseen_one(trained: CatBoosted) -> None:
    row = np.nan_to_num(trained.rows[:1])
    seen = []
    for code in (5.0, 6.0, 1e9, -1.0, np.nan):
        row[0, 1] = code
        seen.append(float(trained.model().margins(row)[0]))
    assert seen[0] == trained.native(np.nan_to_num(trained.rows[:1]) * [1, 0, 1, 1] + [0, 5, 0, 0])[0]
    assert len(set(seen)) == 1


def test_the_librarys_refusal_says_why_and_not_where_in_its_source(trained: CatBoosted) -> None:
    document = trained.document
    document["model_info"]["class_params"]["class_label_type"] = "Colour"
    model = load_model("catboost", json.dumps(document).encode(), trained.space)
    with pytest.raises(ModelCorrupt, match=r"native library refused it: [^/]+$"):
        model.predict(trained.rows)


def test_the_score_of_two_classes_is_the_probability_of_the_second() -> None:
    trained = train_catboost(class_names=[1, 0])
    predicted = trained.model().predict(trained.rows)
    assert predicted.scores == pytest.approx(1 / (1 + np.exp(-predicted.margins)), abs=1e-15)
    assert predicted.scores.tolist() == trained.native(trained.rows, "Probability")[:, 1].tolist()


def test_the_scores_of_several_classes_are_probabilities() -> None:
    rows = draw_rows(0, 200, 3)
    classes = np.digitize(signal_of(rows), [-1, 0, 1])
    for loss in ("MultiClass", "MultiClassOneVsAll"):
        trained = train_catboost(classes, rows=rows, loss_function=loss)
        predicted = trained.model().predict(rows)
        powers = np.exp(predicted.margins)
        expected = (
            powers / powers.sum(axis=1, keepdims=True) if loss == "MultiClass" else powers / (1 + powers)
        )
        assert predicted.scores == pytest.approx(expected, abs=1e-15)


def test_the_score_of_a_count_is_its_expectation() -> None:
    rows = draw_rows(0, 200, 3)
    trained = train_catboost(np.abs(signal_of(rows)), rows=rows, loss_function="Poisson")
    predicted = trained.model().predict(rows)
    assert predicted.scores == pytest.approx(np.exp(predicted.margins), abs=1e-15)


def test_elsewhere_the_score_is_the_margin() -> None:
    rows = draw_rows(0, 200, 3)
    predicted = train_catboost(signal_of(rows), rows=rows, loss_function="RMSE").model().predict(rows)
    assert predicted.scores is predicted.margins
