"""Where explanations of scikit-learn models are commonly wrong without a word: each against the native model.

Every test says what is commonly done, shows on the estimator's own margins that it is wrong for this very
model, and that our values are right: they add up to the margin and equal brute force over all coalitions.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from sklearn.ensemble import (
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from explain.attribution.games import interventional
from explain.errors import ManifestContradiction
from explain.features import FeatureSpace
from explain.models import load_model
from explain.models.base import tree_form
from explain.models.ensemble import NUMERIC, TreeEnsemble
from tests.conformance.explain.families.sklearn import HISTOGRAM, TRAINED
from tests.oracles import games
from tests.oracles.sklearn_frames import on_close_numbers, on_frame
from tests.oracles.sklearn_models import Trained, draw_rows, fit, rows_for, signal, space_of, train
from tests.oracles.trees import margins

WRONG = 1e-3  # an error of a margin that no rounding explains
CLOSE = 1e-9

Misread = Callable[[TreeEnsemble], TreeEnsemble]


def assert_right(given: Trained) -> None:
    """Compare totals with the native margins and values with brute force, on awkward rows."""
    form = tree_form(given.model())
    reference, rows = given.rows[:12], rows_for(given)[::3]
    native = given.native(rows).reshape(len(rows), -1)
    for row, expected in zip(rows, native, strict=True):
        truth = games.interventional(given.margins64, row, reference)
        truth = truth.reshape(len(truth), -1)
        for output, margin in enumerate(expected):
            base_value, phi = interventional(form, row, reference, output)
            assert base_value + phi.sum() == pytest.approx(margin, abs=CLOSE)
            assert base_value == pytest.approx(truth[0, output], abs=CLOSE)
            assert phi == pytest.approx(games.shapley_values(truth[:, output]), abs=CLOSE)


def assert_misread(given: Trained, misread: Misread) -> None:
    """Show that the common reading of the same trees misses the native margins."""
    rows = rows_for(given)
    wrong = margins(misread(tree_form(given.model())), rows)
    assert np.abs(wrong - given.native(rows).reshape(wrong.shape)).max() > WRONG


@pytest.fixture(scope="module")
def framed() -> Trained:
    return on_frame(HistGradientBoostingClassifier(**HISTOGRAM))


def test_categories_of_histogram_boosting(framed: Trained) -> None:
    """Commonly a categorical split's threshold, which is nothing there, is compared with the code."""

    def by_threshold(form: TreeEnsemble) -> TreeEnsemble:
        zeros = np.where(form.category_start != NUMERIC, 0.0, form.threshold)
        return replace(form, category_start=np.full_like(form.category_start, NUMERIC), threshold=zeros)

    assert_misread(framed, by_threshold)
    assert_right(framed)


def test_columns_that_the_library_moves(framed: Trained) -> None:
    """Commonly a tree's column is taken for the frame's; the library has put the categorical ones first."""

    def as_stored(form: TreeEnsemble) -> TreeEnsemble:
        moved = np.array([2, 0, 3, 1])  # where the preprocessor puts income, purpose, age and region
        return replace(form, feature=np.where(form.feature >= 0, moved[form.feature], -1).astype(np.int32))

    assert_misread(framed, as_stored)
    assert_right(framed)


def test_the_order_of_categories(framed: Trained) -> None:
    """Commonly the frame's or the manifest's codes are fed in; the library has sorted the categories."""
    declared = framed.estimator.feature_names_in_.tolist().index("purpose")
    feature = framed.space.features[declared]
    frames_own = replace(feature, categories=("car", "study", "boat", "rent", "never seen"))
    features = tuple(
        frames_own if position == declared else one for position, one in enumerate(framed.space.features)
    )
    with pytest.raises(ManifestContradiction, match="category 0 is 'boat' in the artifact, 'car'"):
        load_model("sklearn", framed.artifact, FeatureSpace(features))
    rows = framed.rows.copy()
    known = ~np.isnan(rows[:, declared])
    order = np.array([frames_own.categories.index(name) for name in feature.categories])
    rows[known, declared] = order[rows[known, declared].astype(int)]  # the frame's codes, not the encoder's
    assert np.abs(framed.model().margins(rows) - framed.native(framed.rows)).max() > WRONG


def test_categories_that_training_never_saw(framed: Trained) -> None:
    """Commonly what no split lists goes right; the library sends what it does not know where gaps go."""
    form = tree_form(framed.model())
    rows = framed.rows.copy()
    rows[:, 3] = framed.space.features[3].categories.index("west")
    gaps = framed.rows.copy()
    gaps[:, 3] = np.nan
    native = framed.native(rows)
    assert native.tolist() == framed.native(gaps).tolist()
    assert margins(form, rows)[:, 0] == pytest.approx(native, abs=1e-12)
    assert_right(framed)


def test_thresholds_of_bins() -> None:
    """Commonly histogram boosting is explained on its bins; a prediction compares the number itself."""
    trained = train(HistGradientBoostingRegressor(**HISTOGRAM, max_bins=4), missing=0.0)
    form = tree_form(trained.model())
    records = [one.nodes for row in trained.estimator._predictors for one in row]
    bins = np.concatenate([one["bin_threshold"] for one in records]).astype(float)

    def on_bins(form: TreeEnsemble) -> TreeEnsemble:
        return replace(form, threshold=np.where(np.isnan(form.threshold), np.nan, bins))

    assert len(bins) == form.node_count
    assert_misread(trained, on_bins)
    assert_right(trained)


def test_float64_thresholds_held_as_float32() -> None:
    """Commonly thresholds or numbers are kept in 32 bits; histogram boosting compares all 64."""
    trained = on_close_numbers(HistGradientBoostingRegressor(**HISTOGRAM))

    def narrowed(form: TreeEnsemble) -> TreeEnsemble:
        return replace(form, threshold=form.threshold.astype(np.float32).astype(np.float64), input_width=32)

    assert_misread(trained, narrowed)
    assert_right(trained)


def test_float64_numbers_in_a_forest() -> None:
    """Commonly numbers are compared in 64 bits throughout; a forest rounds them to 32, its thresholds not."""
    rows = 1000.0 + np.arange(200)[:, np.newaxis] * 2.0**-15  # every second one is a 32-bit number
    estimator = fit(DecisionTreeRegressor(max_depth=7, random_state=0), rows, np.arange(200.0) // 2)
    trained = Trained(estimator, rows, space_of(1, nullable=False))
    form = tree_form(trained.model())
    wrong = margins(replace(form, input_width=64), rows)[:, 0]
    assert np.abs(wrong - trained.native(rows)).max() > WRONG
    assert_right(trained)


@pytest.mark.parametrize("kind", [RandomForestRegressor, HistGradientBoostingRegressor])
def test_numbers_at_a_threshold(kind: type) -> None:
    """Commonly `<` is used for every library; scikit-learn sends a number that equals a threshold left."""
    rows = np.arange(60.0)[:, np.newaxis] % 6  # few numbers, and thresholds that some of them will equal
    given = {"max_iter": 5, "min_samples_leaf": 2} if kind is HistGradientBoostingRegressor else {}
    estimator = fit(kind(random_state=0, **given), rows, rows[:, 0] ** 2)
    trained = Trained(estimator, rows, space_of(1, nullable=False))
    assert_misread(trained, lambda form: replace(form, comparison="<"))
    assert_right(trained)


@pytest.mark.parametrize("kind", [RandomForestClassifier, HistGradientBoostingClassifier])
def test_gaps(kind: type) -> None:
    """Commonly a gap fails every comparison and goes right; each split has learned where gaps go."""
    trained = train(kind(random_state=0, **({} if kind is not RandomForestClassifier else {"max_depth": 4})))
    assert_misread(trained, lambda form: replace(form, default_left=np.zeros_like(form.default_left)))
    if kind is RandomForestClassifier:
        assert_right(trained)


@pytest.mark.parametrize("name", ["infinite thresholds (gaps alone)", "constant trees", "deep trees"])
def test_odd_trees(name: str) -> None:
    """Commonly an infinite threshold, a tree without a split or a deep tree stops a reader or is skipped."""
    assert_right(TRAINED[name]())


def test_early_stopping() -> None:
    """Commonly as many trees are expected as were asked for; the file holds those that were kept."""
    for name in (
        "GradientBoostingClassifier, early stopping",
        "HistGradientBoostingClassifier, early stopping",
    ):
        trained = TRAINED[name]()
        asked = getattr(trained.estimator, "n_estimators", None) or trained.estimator.max_iter
        assert tree_form(trained.model()).tree_count < asked
        assert_right(trained)


def test_the_constant_before_the_trees() -> None:
    """Commonly the margin starts at zero or at the class's share; it starts at the logarithm of shares."""
    rows = draw_rows(5, 240, 4, 0.0)
    estimator = GradientBoostingClassifier(n_estimators=4, random_state=0)
    fit(estimator, rows, np.digitize(signal(rows, 5), [1.0, 2.0]))
    trained = Trained(estimator, rows, space_of(4, nullable=False))
    assert_misread(trained, lambda form: replace(form, base_margins=np.zeros(3)))
    share = trained.estimator.init_.class_prior_
    assert_misread(trained, lambda form: replace(form, base_margins=share))
    assert_right(trained)


def test_several_classes_and_outputs() -> None:
    """Commonly the first output stands for all, or class counts are summed instead of shares."""
    for estimator in (RandomForestClassifier(n_estimators=5, max_depth=3, random_state=0),):
        trained = train(estimator, outputs=3)
        assert tree_form(trained.model()).outputs == 3
        assert_right(trained)
    trained = train(RandomForestRegressor(n_estimators=5, max_depth=3, random_state=0), outputs=3)
    assert tree_form(trained.model()).outputs == 3
    assert_right(trained)


def test_more_than_32767_nodes_in_a_tree() -> None:
    """Commonly node numbers are kept in 16 bits."""
    rows = np.random.default_rng(0).random((20_000, 2))
    noise = np.random.default_rng(1).random(20_000)
    trained = Trained(
        fit(DecisionTreeRegressor(random_state=0), rows, noise), rows, space_of(2, nullable=False)
    )
    form = tree_form(trained.model())
    assert form.node_count > 32_767
    assert margins(form, rows[:50])[:, 0].tolist() == trained.native(rows[:50]).tolist()
    for row in rows[:3]:
        base_value, phi = interventional(form, row, rows[:6], 0)
        truth = games.shapley_values(games.interventional(trained.native, row, rows[:6]))
        assert phi == pytest.approx(truth, abs=CLOSE)
        assert base_value + phi.sum() == pytest.approx(trained.native(row[np.newaxis])[0], abs=CLOSE)


def test_what_class_one_is() -> None:
    """Commonly class 1 is taken for the label 1; it is the second label in sorted order."""
    trained = train(DecisionTreeClassifier(max_depth=3, random_state=0))
    assert trained.estimator.classes_.tolist() == ["declined", "paid"]
    assert "margin: mean probability of class 'paid'" in trained.model().constructs()
    assert_right(trained)
