"""Where explanations of LightGBM models are commonly wrong without a word: each against the native model.

Every test says what is commonly done, shows on the native library's own margins that it is wrong for this
very model, and that our values are right: they add up to the margin and equal brute force over coalitions.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import lightgbm as lgb
import numpy as np
import pandas as pd
import pytest

from explain.attribution.treeshap import TreeShap
from explain.errors import ManifestContradiction, ModelUnsupported
from explain.features import Feature, FeatureSpace
from explain.models import load_model
from explain.models.base import Model, tree_form
from explain.models.ensemble import MISSING_NAN, NUMERIC, TreeEnsemble
from tests.conformance.explain.families.lightgbm import FOREST, TRAINED, train_on_frame
from tests.oracles import games
from tests.oracles.lightgbm_models import Trained, train, trained
from tests.oracles.trees import margins

NUMBERS = ("q",) * 4
MIXED = ("q", "c", "q", "c")
WRONG = 1e-3  # an error of a margin that no rounding explains
CLOSE = 1e-9
WIDTH = 1e-8  # how far float64 sums of hundreds of leaves may part

Misread = Callable[[TreeEnsemble], TreeEnsemble]


def assert_right(given: Trained, model: Model | None = None) -> None:
    """Compare totals with the native margins and values with brute force, on awkward rows."""
    model = given.model() if model is None else model
    reference, rows = given.rows[:12], given.telling_rows()[::2]
    native = given.native(rows).reshape(len(rows), -1)
    shap = TreeShap.prepare(model, reference, cache_dir=None)
    for row, expected in zip(rows, native, strict=True):
        truth = games.interventional(given.margins64, row, reference)
        truth = truth.reshape(len(truth), -1)
        for output, margin in enumerate(expected):
            base_value, phi = shap.explain(row, output)
            assert base_value + phi.sum() == pytest.approx(margin, abs=WIDTH)
            assert base_value == pytest.approx(truth[0, output], abs=CLOSE)
            assert phi == pytest.approx(games.shapley_values(truth[:, output]), abs=CLOSE)


def assert_misread(given: Trained, misread: Misread) -> None:
    """Show that the common reading of the same trees misses the native margins."""
    rows = given.telling_rows()
    wrong = margins(misread(tree_form(given.model())), rows)
    assert np.abs(wrong - given.native(rows).reshape(wrong.shape)).max() > WRONG


def test_categorical_splits() -> None:
    """Commonly the number of a category set is taken for a threshold."""
    given = train(MIXED, max_cat_to_onehot=1)

    def as_thresholds(trees: TreeEnsemble) -> TreeEnsemble:
        splits = trees.category_start != NUMERIC
        numbers = np.zeros(trees.node_count)
        numbers[splits] = np.arange(np.count_nonzero(splits)) % 3
        return replace(
            trees,
            threshold=np.where(splits, numbers, trees.threshold),
            category_start=np.full(trees.node_count, NUMERIC),
        )

    assert_misread(given, as_thresholds)
    assert_right(given)


@pytest.mark.parametrize("name", [name for name in TRAINED if name.startswith("missing_type None")])
def test_missing_type_none(name: str) -> None:
    """Commonly a NaN follows the default direction; where training met none, it is the number 0."""
    given = TRAINED[name]()
    assert_misread(given, lambda trees: replace(trees, missing=np.full_like(trees.missing, MISSING_NAN)))
    assert_right(given)


def test_zero_as_missing() -> None:
    """Commonly only a NaN is missing; here zero is, and what rounds to it."""
    given = train(NUMBERS, zero_as_missing=True)
    assert_misread(given, lambda trees: replace(trees, missing=np.full_like(trees.missing, MISSING_NAN)))
    assert_right(given)


def test_numbers_close_to_zero() -> None:
    """Commonly -1e-35 is compared with a threshold of -1e-35; the library makes it 0 before it compares."""
    given = train(NUMBERS, missing=0.0)
    window = float(np.float32(1e-35))
    written = {feature for feature, threshold in given.thresholds() if threshold == -window}
    assert written, "zero has a bin of its own"
    feature = min(written)
    rows = np.repeat(given.rows[:40], 2, axis=0)
    rows[::2, feature], rows[1::2, feature] = -window, 0.0
    native = given.native(rows)
    assert native[::2].tolist() == native[1::2].tolist()
    assert margins(tree_form(given.model()), rows)[:, 0].tolist() == native.tolist()


def test_linear_tree() -> None:
    """Commonly the constant of a leaf is summed, although the leaf is a linear model: refused."""
    given = train(NUMBERS, missing=0.0, objective="regression", linear_tree=True)
    assert np.abs(given.margins64(given.rows) - given.native(given.rows)).max() > WRONG
    with pytest.raises(ModelUnsupported, match="linear_tree"):
        given.model()


def test_early_stopping() -> None:
    """Commonly the rounds in memory are explained; the file holds those up to the best alone."""
    rows = train(NUMBERS).rows
    noise = np.random.default_rng(1).random(400) < 0.5
    booster = lgb.train(
        {"objective": "binary", "num_leaves": 8, "num_threads": 1, "verbosity": -1},
        lgb.Dataset(rows[:200], noise[:200]),
        20,
        valid_sets=[lgb.Dataset(rows[200:], noise[200:])],
        callbacks=[lgb.early_stopping(3, verbose=False)],
        keep_training_booster=True,
    )
    space = train(NUMBERS).space
    best = trained(booster, rows, space)
    text = booster.model_to_string(num_iteration=-1)
    whole = Trained(lgb.Booster(model_str=text), text, rows, space)
    assert best.booster.current_iteration() < whole.booster.current_iteration()
    assert np.abs(best.native(rows) - whole.native(rows)).max() > WRONG
    for one in (best, whole):
        assert_right(one)


def test_dropout_weights() -> None:
    """Commonly the shrinkage a tree's block states is applied again; its leaves are weighted already."""
    given = train(NUMBERS, boosting="dart", drop_rate=0.5, skip_drop=0.0)
    stated = [
        float(line.removeprefix("shrinkage=")) for line in given.text.split("\n") if "shrinkage=" in line
    ]
    sizes = [2 * tree["num_leaves"] - 1 for tree in given.booster.dump_model()["tree_info"]]
    assert len(set(stated)) > 2
    assert_misread(given, lambda trees: replace(trees, value=trees.value * np.repeat(stated, sizes)))
    assert_right(given)


@pytest.mark.parametrize("objective", ["regression", "binary"])
def test_forests_are_means(objective: str) -> None:
    """Commonly a forest's raw score, which the library leaves a sum, is taken for the margin of its score."""
    given = train(NUMBERS, objective=objective, **FOREST)
    sums = given.booster.predict(given.rows, raw_score=True)
    margin = given.scores(given.rows)
    if objective == "binary":
        margin = np.log(margin / (1 - margin))
    assert np.abs(sums - margin).max() > WRONG
    assert given.model().margins(given.rows) == pytest.approx(margin, abs=1e-12)
    assert_right(given)


def test_a_sigmoid_of_another_slope() -> None:
    """Commonly the score is the logistic function of the margin; here of the margin times `sigmoid`."""
    given = train(NUMBERS, sigmoid=0.4)
    prediction = given.model().predict(given.rows)
    common = 1 / (1 + np.exp(-prediction.margins))
    assert np.abs(common - given.scores(given.rows)).max() > WRONG
    assert prediction.scores.tolist() == given.scores(given.rows).tolist()
    assert_right(given)


def test_float64_thresholds() -> None:
    """Commonly thresholds and rows are held as float32, in which these numbers are all the same."""
    given = TRAINED["float64 thresholds"]()

    def narrowed(trees: TreeEnsemble) -> TreeEnsemble:
        with np.errstate(over="ignore"):
            return replace(trees, threshold=trees.threshold.astype(np.float32).astype(np.float64))

    assert_misread(given, narrowed)
    assert_right(given)


def test_a_number_equal_to_the_threshold_goes_left() -> None:
    """Commonly `<` is carried over from XGBoost; LightGBM compares `<=`."""
    given = train(NUMBERS, missing=0.0)
    assert_misread(given, lambda trees: replace(trees, comparison="<"))
    assert_right(given)


def test_column_order() -> None:
    """Commonly columns are handed over in any order; the library goes by position and does not tell."""
    frame = pd.DataFrame(train(NUMBERS).rows, columns=["age", "debt", "income", "tenure"])
    target = frame["age"].fillna(0) - 2 * frame["income"].fillna(0)
    settings = {"objective": "regression", "num_threads": 1, "verbosity": -1}
    booster = lgb.train(settings, lgb.Dataset(frame, target), 8)
    straight, turned = frame, frame[["income", "debt", "age", "tenure"]]
    assert np.abs(booster.predict(straight) - booster.predict(turned)).max() > WRONG
    spaces = [
        FeatureSpace(tuple(Feature(name, "number", nullable=True) for name in one))
        for one in (straight, turned)
    ]
    assert_right(trained(booster, frame.to_numpy(), spaces[0]))
    with pytest.raises(ManifestContradiction, match="feature 0 is 'age' in the artifact and 'income'"):
        load_model("lightgbm", booster.model_to_string().encode(), spaces[1])


def test_category_codes_follow_the_artifact() -> None:
    """Commonly codes are given by the sorted names; they are positions in the list of the training frame."""
    given = train_on_frame()
    purpose = given.space.features[1]
    assert list(purpose.categories) != sorted(purpose.categories)
    rows = given.rows[~np.isnan(given.rows[:, 1])]
    by_name = rows.copy()
    by_name[:, 1] = [sorted(purpose.categories).index(purpose.categories[int(code)]) for code in rows[:, 1]]
    assert np.abs(given.native(rows) - given.native(by_name)).max() > WRONG
    assert_right(given)
    features = list(given.space.features)
    features[1] = replace(purpose, categories=tuple(sorted(purpose.categories)))
    with pytest.raises(
        ManifestContradiction, match="'purpose': category 0 is 'rent' in the artifact, 'boat'"
    ):
        load_model("lightgbm", given.artifact, FeatureSpace(tuple(features)))


def test_constant_trees() -> None:
    """Commonly a tree without a split is skipped, and with it the average that the first tree carries."""
    given = train(NUMBERS, min_data_in_leaf=1000, objective="regression")
    form = tree_form(given.model())
    assert (form.node_count, form.tree_count) == (1, 1)
    assert abs(given.native(given.rows[:1])[0]) > WRONG
    assert_right(given)


def test_classes_take_turns() -> None:
    """Commonly the trees are dealt to the classes in blocks; they take turns."""
    given = train(MIXED, objective="multiclass", rounds=6)
    assert_misread(given, lambda trees: replace(trees, tree_output=np.sort(trees.tree_output)))
    assert_right(given)


@pytest.mark.parametrize("objective", ["lambdarank", "rank_xendcg"])
def test_ranking_objectives(objective: str) -> None:
    """Commonly a ranking score is taken for a log-odds; it has no link at all."""
    given = train(NUMBERS, objective=objective)
    prediction = given.model().predict(given.rows)
    assert prediction.scores.tolist() == prediction.margins.tolist() == given.scores(given.rows).tolist()
    assert_right(given)
