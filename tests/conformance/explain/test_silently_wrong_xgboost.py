"""Where explanations of XGBoost models are commonly wrong without a word: each case against the native model.

Every test says what is commonly done and shows, on the native library's own margins, that it is wrong for
this very model and that our values are right: they add up to the margin and equal brute force.
"""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
import xgboost as xgb

from explain.attribution.games import interventional
from explain.attribution.linear import LinearShap
from explain.attribution.preparing import prepare_attribution
from explain.brute_force import frozen_game
from explain.errors import ManifestContradiction
from explain.features import Feature, FeatureSpace
from explain.models import load_model
from explain.models.base import Model, tree_form
from explain.models.linear import LinearForm
from tests.conformance.explain.families.xgboost import many_nodes, rows_for, stopped_early
from tests.oracles.boosters import Reals, Trained, brute_force, chain, quiet, train, tree_parts
from tests.oracles.cases import Example

NUMBERS = ("q",) * 4
WRONG = 1e-3  # an error of a margin that no rounding explains
CLOSE = 1e-9


def explained(model: Model, row: Reals, reference: Reals, output: int = 0) -> tuple[float, Reals]:
    form = model.form()
    if form.outputs == 1:
        return prepare_attribution(model, reference, cache_dir=None).explain(row)
    if isinstance(form, LinearForm):
        return LinearShap.prepare(form, reference).explain(row, output)
    return interventional(tree_form(model), row, reference, output)


def assert_right(trained: Trained, model: Model | None = None, outputs: int = 1) -> None:
    """Compare totals with the native margins and values with brute force, on awkward rows."""
    model = trained.model() if model is None else model
    reference = trained.rows[:12]
    rows = rows_for(trained)[:6]
    native = trained.native(rows).reshape(len(rows), outputs)
    for output in range(outputs):
        for row, margin in zip(rows, native[:, output], strict=True):
            base_value, phi = explained(model, row, reference, output)
            assert base_value + phi.sum() == pytest.approx(margin, abs=2e-6)
            expected_base, expected = brute_force(trained, row, reference, 0, output if outputs > 1 else None)
            assert base_value == pytest.approx(expected_base, abs=CLOSE)
            assert phi == pytest.approx(expected, abs=CLOSE)


def worst(wrong: Reals, native: Reals) -> float:
    return float(np.abs(wrong - native).max())


def leaf_sums(trained: Trained, weights: list[float] | None = None) -> Reals:
    """Sum the native leaves over the base margins, each tree with this weight or none, as a reader might."""
    _, model = tree_parts(trained.document())
    leaves = trained.booster.predict(trained.matrix(trained.rows), pred_leaf=True)
    leaves = leaves.reshape(len(trained.rows), -1).astype(int)
    total = np.tile(trained.base_margins(), (len(trained.rows), 1))
    for number, tree in enumerate(model["trees"]):
        weight = 1.0 if weights is None else weights[number]
        values = weight * np.array(tree["split_conditions"])[leaves[:, number]]
        total[:, model["tree_info"][number]] += values
    return total if total.shape[1] > 1 else total[:, 0]


def test_dropout_weights() -> None:
    """Commonly each tree counts fully; after dropout it counts with its weight."""
    trained = train(NUMBERS, booster="dart", rate_drop=0.5)
    assert worst(leaf_sums(trained), trained.native(trained.rows)) > WRONG
    assert_right(trained)


def test_categorical_splits() -> None:
    """Commonly the threshold of a categorical split, which means nothing there, is compared with the code."""
    trained = train(("q", "c", "c"), max_cat_to_onehot=1)
    document = trained.document()
    document["learner"]["feature_types"] = ["float"] * 3
    for tree in tree_parts(document)[1]["trees"]:
        tree.update(split_type=[0] * len(tree["split_type"]))
        tree.update(categories=[], categories_nodes=[], categories_segments=[], categories_sizes=[])
    as_numbers = xgb.Booster(model_file=bytearray(json.dumps(document).encode()))
    wrong = as_numbers.inplace_predict(trained.rows.astype(np.float32), predict_type="margin")
    assert worst(wrong, trained.native(trained.rows)) > WRONG
    assert_right(trained)


def test_a_vector_base_score() -> None:
    """Commonly the first base score stands for every class, or 0.5 does."""
    trained = train(NUMBERS, objective="multi:softprob", outputs=3, base_score=[0.1, 0.2, 0.9], rounds=6)
    wrong = leaf_sums(trained) - trained.base_margins() + trained.base_margins()[0]
    assert worst(wrong, trained.native(trained.rows)) > WRONG
    assert_right(trained, outputs=3)


@pytest.mark.parametrize("spelling", ["[2.5E-1]", "2.5E-1", "0.25", "[0.25]"])
def test_every_spelling_of_the_base_score(spelling: str) -> None:
    """Commonly "[2.5E-1]" is no number to a reader of older files, which then fails or takes 0.5."""
    document = train(NUMBERS).document()
    document["learner"]["learner_model_param"]["base_score"] = spelling
    artifact = json.dumps(document).encode()
    trained = Trained(xgb.Booster(model_file=bytearray(artifact)), train(NUMBERS).rows, NUMBERS)
    assert trained.base_margins()[0] == pytest.approx(np.log(0.25 / 0.75), abs=1e-6)
    assert_right(trained, load_model("xgboost", artifact, trained.space))


@pytest.mark.parametrize(
    "parameters", [{}, {"objective": "multi:softprob"}, {"booster": "dart", "rate_drop": 0.3}], ids=str
)
def test_early_stopping(parameters: dict) -> None:
    """Commonly all trees of the file are explained; the wrapper predicts up to its best round."""
    example: Example = stopped_early(**parameters)()
    model = load_model("xgboost", example.artifact, example.space)
    everything = xgb.Booster(model_file=bytearray(example.artifact)).predict(
        xgb.DMatrix(example.rows, nthread=1), output_margin=True
    )
    native = example.native(example.rows)
    assert worst(everything, native) > WRONG
    assert model.margins(example.rows).tolist() == native.tolist()
    for output in range(model.form().outputs):
        for row, margin in zip(example.rows, native.reshape(len(native), -1)[:, output], strict=True):
            base_value, phi = explained(model, row, example.reference, output)
            assert base_value + phi.sum() == pytest.approx(margin, abs=2e-6)


def test_several_trees_in_each_round() -> None:
    """Commonly the best round is taken for a number of trees; a round of a forest has several."""
    booster = train(NUMBERS, num_parallel_tree=3, subsample=0.7, rounds=7).booster
    booster.set_attr(best_iteration="3", scikit_learn="{}")
    trained = Trained(booster, train(NUMBERS).rows, NUMBERS, rounds=4)
    wrong = leaf_sums(trained, [1.0] * 4 + [0.0] * 17)
    assert worst(wrong, trained.native(trained.rows)) > WRONG
    assert worst(leaf_sums(trained), trained.native(trained.rows)) > WRONG
    assert_right(trained)


def test_the_linear_booster() -> None:
    """Commonly refused, or a gap is filled with a mean; to the library a missing number adds nothing."""
    trained = train(NUMBERS, booster="gblinear", missing=0.3)
    filled = np.where(np.isnan(trained.rows), np.nanmean(trained.rows, axis=0), trained.rows)
    assert worst(trained.native(filled), trained.native(trained.rows)) > WRONG
    assert_right(trained)


def test_the_linear_booster_of_several_outputs() -> None:
    """Commonly each output starts from its own base score; the library takes the first one for all."""
    trained = train(NUMBERS, booster="gblinear", objective="reg:squarederror", outputs=3)
    document = trained.document()
    document["learner"]["learner_model_param"]["base_score"] = "[1E0,2E0,3E0]"
    with quiet():
        booster = xgb.Booster(model_file=bytearray(json.dumps(document).encode()))
    other = Trained(booster, trained.rows, NUMBERS)
    own = trained.native(trained.rows) - trained.base_margins() + np.array([1.0, 2.0, 3.0])
    assert worst(own, other.native(trained.rows)) > WRONG
    assert_right(other, outputs=3)


def test_a_value_on_a_threshold_goes_right() -> None:
    """Commonly x <= t goes left, as in other libraries; here x < t does."""
    trained = train(NUMBERS, missing=0.0)
    form = tree_form(trained.model())
    on = np.array([trained.rows[0]] * 20)
    nodes = np.flatnonzero(np.isfinite(form.threshold))[:20]
    on[np.arange(20), form.feature[nodes]] = form.threshold[nodes]
    below = on.copy()
    below[np.arange(20), form.feature[nodes]] = np.nextafter(
        form.threshold[nodes].astype(np.float32), np.float32(-np.inf)
    )
    native = trained.native(on)
    assert worst(trained.native(below), native) > WRONG
    for row, margin in zip(on, native, strict=True):
        base_value, phi = explained(trained.model(), row, trained.rows[:12])
        assert base_value + phi.sum() == pytest.approx(margin, abs=2e-6)


def test_a_64_bit_value_is_rounded_before_it_meets_a_threshold() -> None:
    """Commonly a 64-bit number is compared as it is; the library rounds it to 32 bits first."""
    trained = train(NUMBERS, missing=0.0)
    form = tree_form(trained.model())
    node = int(np.flatnonzero(np.isfinite(form.threshold))[0])
    row = trained.rows[0].copy()
    row[form.feature[node]] = np.nextafter(form.threshold[node], -np.inf)  # below it in 64 bits, on it in 32
    base_value, phi = explained(trained.model(), row, trained.rows[:12])
    expected_base, expected = brute_force(trained, row, trained.rows[:12])
    assert base_value == pytest.approx(expected_base, abs=CLOSE)
    assert phi == pytest.approx(expected, abs=CLOSE)


def test_the_artifacts_own_order_of_columns_and_categories_rules() -> None:
    """Commonly columns go by position and category codes by the caller's own list."""
    kinds = ["single", "two_to_four", "condo"]
    codes = np.arange(120) % 3
    table = pd.DataFrame(
        {"income": np.arange(120.0), "kind": pd.Categorical.from_codes(codes, categories=kinds)}
    )
    matrix = xgb.DMatrix(table, label=(codes == 1) + table["income"] / 60, enable_categorical=True, nthread=1)
    artifact = bytes(xgb.train({"nthread": 1, "max_depth": 3}, matrix, 4).save_raw("ubj"))
    income, kind = Feature("income", "number"), Feature("kind", "category", categories=tuple(kinds))
    space = FeatureSpace((income, kind))
    model = load_model("xgboost", artifact, space)
    row = space.read({"kind": "condo", "income": 30}).row
    assert row.tolist() == [30.0, 2.0]
    reference = np.stack([table["income"].to_numpy(), codes.astype(float)], axis=1)
    base_value, phi = explained(model, row, reference)
    assert base_value + phi.sum() == pytest.approx(float(model.margins(row[np.newaxis])[0]), abs=2e-6)
    sorted_kind = Feature("kind", "category", categories=tuple(sorted(kinds)))
    for features in ((kind, income), (income, sorted_kind)):
        with pytest.raises(ManifestContradiction):
            load_model("xgboost", artifact, FeatureSpace(features))


def test_more_nodes_than_a_16_bit_number_counts() -> None:
    """Commonly node numbers wrap around at 32,767, and the rest of the tree is lost or crossed."""
    example = many_nodes()
    model = load_model("xgboost", example.artifact, example.space)
    assert tree_form(model).node_count > 2**15
    shap = prepare_attribution(model, example.reference, cache_dir=None)
    base_value, phi = shap.explain_batch(example.rows)
    assert base_value + phi.sum(axis=1) == pytest.approx(example.margins64(example.rows), abs=CLOSE)


def test_constant_trees() -> None:
    """Commonly a tree that is one leaf is skipped or divides by a cover of nothing; its leaf still counts."""
    trained = train(NUMBERS, gamma=1e9, base_score=0.4, objective="reg:squarederror")
    assert worst(np.full(1, trained.base_margins()[0]), trained.native(trained.rows[:1])) > WRONG
    base_value, phi = explained(trained.model(), trained.rows[0], trained.rows[:12])
    assert phi.tolist() == [0.0] * 4
    assert base_value == pytest.approx(float(trained.native(trained.rows[:1])[0]), abs=1e-6)


@pytest.mark.parametrize(
    "parameters",
    [
        {"objective": "multi:softprob"},
        {"objective": "multi:softmax"},
        {"objective": "reg:squarederror"},
        {"objective": "reg:squarederror", "multi_strategy": "multi_output_tree"},
        {"objective": "multi:softprob", "multi_strategy": "multi_output_tree"},
    ],
    ids=str,
)
def test_several_outputs(parameters: dict) -> None:
    """Commonly the trees of all classes are summed into one, or a vector leaf is read as a number."""
    assert_right(train(NUMBERS, outputs=3, rounds=5, **parameters), outputs=3)


@pytest.mark.parametrize("objective", ["rank:pairwise", "rank:ndcg", "rank:map"])
def test_ranking(objective: str) -> None:
    """Commonly a link is put after it; a ranker's score is its margin."""
    trained = train(NUMBERS, objective=objective)
    prediction = trained.model().predict(trained.rows)
    assert prediction.scores.tolist() == prediction.margins.tolist()
    assert prediction.scores.tolist() == trained.native(trained.rows, margin=False).tolist()
    assert_right(trained)


def test_a_path_of_more_than_seventy_features() -> None:
    """Commonly the weights of long paths cancel in 64 bits from some 70 features on."""
    depth, generator = 80, np.random.default_rng(3)
    trained = chain(0.5, generator.normal(size=depth + 1).tolist())
    row = np.zeros(depth)
    for players in (generator.choice(depth, 8, replace=False) for _ in range(10)):
        reference = np.zeros((6, depth))
        reference[:, players] = generator.integers(0, 2, size=(6, 8))
        base_value, phi = explained(trained.model(), row, reference)
        truth = frozen_game(trained.margins64, row, reference, players)
        assert phi == pytest.approx(truth, abs=CLOSE)
        assert base_value + phi.sum() == pytest.approx(
            float(trained.margins64(row[np.newaxis])[0]), abs=CLOSE
        )
