"""Broken and hostile files are refused by name, and the native loader never sees them."""

from __future__ import annotations

import re
import time
import tracemalloc
from collections.abc import Callable

import pytest

from explain.errors import ManifestContradiction, ModelCorrupt, ModelUnsupported
from explain.models import lightgbm, load_model
from tests.oracles.lightgbm_models import Trained, resized, train

SECONDS, BYTES = 1.0, 32 << 20  # what refusing a small file may cost
Damage = Callable[[bytes], bytes]


@pytest.fixture(scope="module")
def trained() -> Trained:
    model = train(("c", "q", "q"), rounds=3, num_leaves=6, max_cat_to_onehot=1)
    assert b"\ncat_threshold=" in model.artifact[: model.artifact.index(b"Tree=1")]
    return model


@pytest.fixture
def no_native_loader(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("the native loader was reached")

    monkeypatch.setattr(lightgbm, "NativeBooster", refuse)


def line(name: str, to: str) -> Damage:
    """Replace a line's value where it first stands."""
    return lambda text: re.sub(rb"(?m)^%b=.*$" % name.encode(), f"{name}={to}".encode(), text, count=1)


def entry(name: str, position: int, to: str) -> Damage:
    """Replace one number of a row of the first tree, as LightGBM itself would have written the sizes."""

    def damage(text: bytes) -> bytes:
        found = re.search(rb"(?m)^%b=(.*)$" % name.encode(), text)
        numbers = found[1].split(b" ")
        numbers[position] = to.encode()
        return resized(text[: found.start(1)] + b" ".join(numbers) + text[found.end(1) :])

    return damage


def tree_line(name: str, to: str) -> Damage:
    return lambda text: resized(line(name, to)(text))


def without(name: str) -> Damage:
    return lambda text: resized(re.sub(rb"(?m)^%b=.*\n" % name.encode(), b"", text, count=1))


def twice(name: str) -> Damage:
    return lambda text: resized(re.sub(rb"(?m)^(%b=.*\n)" % name.encode(), rb"\1\1", text, count=1))


def ring(text: bytes) -> bytes:
    """Cut one inner node off its parent and close it into a ring of its own."""
    rows = {
        side: re.search(rb"(?m)^%b=(.*)$" % side, text)[1].split(b" ")
        for side in (b"left_child", b"right_child")
    }
    inner = next(int(child) for row in rows.values() for child in row if int(child) > 0)
    spare = rows[b"left_child"][inner]
    for row in rows.values():
        for position, child in enumerate(row):
            if int(child) == inner:
                row[position] = spare
    rows[b"left_child"][inner] = b"%d" % inner
    for side, row in rows.items():
        text = re.sub(rb"(?m)^%b=.*$" % side, side + b"=" + b" ".join(row), text, count=1)
    return resized(text)


def replaced(old: bytes, new: bytes) -> Damage:
    return lambda text: text.replace(old, new, 1)


DAMAGES: dict[str, tuple[Damage, str]] = {
    "child out of range": (entry("left_child", 0, "5000"), "child out of range"),
    "leaf out of range": (entry("right_child", 0, "-5000"), "child out of range"),
    "leaf just out of range": (entry("right_child", 0, "-7"), "child out of range"),
    "root as child": (entry("right_child", 1, "0"), "child out of range"),
    "shared child": (entry("right_child", 0, "-1"), "child of several nodes"),
    "cycle": (ring, "never reached|child of several"),
    "feature out of range": (entry("split_feature", 0, "3"), "feature out of range"),
    "negative feature": (entry("split_feature", 0, "-1"), "feature out of range"),
    "unknown decision": (entry("decision_type", 0, "12"), "decision_type"),
    "negative decision": (entry("decision_type", 0, "-1"), "decision_type"),
    "threshold is no number": (entry("threshold", 0, "nan"), "threshold that is no number"),
    "leaf is no number": (entry("leaf_value", 0, "nan"), "leaf value that is not finite"),
    "infinite leaf": (entry("leaf_value", 0, "1e400"), "leaf value that is not finite"),
    "text in a row": (entry("leaf_value", 0, "x"), "not a row of numbers"),
    "real among integers": (entry("left_child", 0, "1.5"), "not a row of integers"),
    "huge integer": (entry("left_child", 0, "9" * 30), "not a row of integers"),
    "two blanks": (entry("leaf_value", 0, "0 "), "leaf_value has 7 entries where 6 belong"),
    "short row": (tree_line("left_child", "1"), "left_child has 1 entries where 5 belong"),
    "short statistics": (tree_line("split_gain", "1"), "split_gain has 1"),
    "short counts": (tree_line("leaf_count", "1 2"), "leaf_count has 2"),
    "missing row": (without("threshold"), "tree 0 has no threshold"),
    "row twice": (twice("threshold"), "'threshold' twice"),
    "a thousand million leaves": (tree_line("num_leaves", "999999999"), "entries where 999999998 belong"),
    "no leaf": (tree_line("num_leaves", "0"), "has no leaf"),
    "unreadable count": (tree_line("num_leaves", "-6"), "num_leaves is not a count"),
    "a thousand million sets": (tree_line("num_cat", "999999999"), "entries where 1000000000 belong"),
    "undeclared sets": (tree_line("num_cat", "0"), "declares none"),
    "set boundaries": (entry("cat_boundaries", 1, "99"), "cat_boundaries"),
    "set boundaries beyond": (tree_line("cat_boundaries", "0 999999999"), "cat_boundaries"),
    "set word": (entry("cat_threshold", 0, "4294967296"), "word of cat_threshold"),
    "negative set word": (entry("cat_threshold", 0, "-1"), "word of cat_threshold"),
    "tree sizes": (replaced(b"tree_sizes=", b"tree_sizes=1"), "tree_sizes add up"),
    "huge tree size": (line("tree_sizes", "999999999999 1 1"), "tree_sizes add up"),
    "negative tree size": (line("tree_sizes", "-5 9 9"), "trees are no rounds"),
    "no tree": (line("tree_sizes", ""), "0 trees"),
    "swapped sizes": (
        lambda text: re.sub(rb"tree_sizes=(\d+) (\d+)", rb"tree_sizes=\g<2> \g<1>", text),
        "where",
    ),
    "tree number": (replaced(b"Tree=1", b"Tree=7"), "tree 1 is not where"),
    "classes": (line("num_class", "3"), "num_class is 3"),
    "a thousand million classes": (
        lambda text: line("num_class", "999999999")(line("num_tree_per_iteration", "999999999")(text)),
        "999999999",
    ),
    "no classes": (
        lambda text: line("num_class", "0")(line("num_tree_per_iteration", "0")(text)),
        "num_class is 0",
    ),
    "objective of other classes": (line("objective", "multiclass num_class:3"), "objective multiclass"),
    "no slope": (line("objective", "binary sigmoid:0"), "no slope"),
    "infinite slope": (line("objective", "binary sigmoid:1e999"), "no slope"),
    "a thousand million features": (line("max_feature_idx", "999999998"), "for 999999999 features"),
    "feature names": (line("feature_names", "a b"), "feature_names has 2"),
    "feature name twice": (line("feature_names", "a a b"), "one twice"),
    "feature infos": (line("feature_infos", "none none what"), "feature_infos has 'what'"),
    "feature range": (line("feature_infos", "none none [a:b]"), r"feature_infos has '\[a:b\]'"),
    "monotone constraints": (
        replaced(b"\nfeature_infos", b"\nmonotone_constraints=1\nfeature_infos"),
        "monotone",
    ),
    "head line twice": (replaced(b"\nversion", b"\nnum_class=1\nversion"), "'num_class' twice"),
    "average with a value": (
        replaced(b"\nfeature_infos", b"\naverage_output=1\nfeature_infos"),
        "average_output",
    ),
    "label": (line("label_index", "x"), "label_index"),
    "zero byte": (replaced(b"version", b"ver\0sion"), "control character"),
    "carriage returns": (lambda text: text.replace(b"\n", b"\r\n"), "format|control character"),
    "pandas twice": (lambda text: text + b"pandas_categorical:null\n", "twice"),
    "pandas no JSON": (replaced(b"pandas_categorical:null", b"pandas_categorical:[["), "valid JSON"),
    "pandas deep": (replaced(b"pandas_categorical:null", b"pandas_categorical:" + b"[" * 200_000), "deeply"),
    "pandas long": (
        replaced(b"pandas_categorical:null", b"pandas_categorical:[[" + b"9" * 5000 + b"]]"),
        "JSON",
    ),
    "pandas no lists": (
        replaced(b"pandas_categorical:null", b'pandas_categorical:{"a": 1}'),
        "list of lists",
    ),
    "pandas objects": (replaced(b"pandas_categorical:null", b"pandas_categorical:[[{}]]"), "other than text"),
    "no end": (lambda text: text[: text.index(b"end of trees")], "do not end"),
    "not UTF-8": (lambda text: text + b"\xff", "not UTF-8"),
    "names not UTF-8": (replaced(b"Column_1", b"\xff"), "not UTF-8"),
}


@pytest.mark.usefixtures("no_native_loader")
@pytest.mark.parametrize("name", DAMAGES)
def test_damage_is_named(trained: Trained, name: str) -> None:
    damage, message = DAMAGES[name]
    damaged = damage(trained.artifact)
    assert damaged != trained.artifact
    with bounded(), pytest.raises((ModelCorrupt, ModelUnsupported), match=message):
        load_model("lightgbm", damaged, trained.space)


@pytest.mark.usefixtures("no_native_loader")
def test_every_truncation_that_loses_a_tree_is_refused(trained: Trained) -> None:
    end = trained.artifact.index(b"end of trees") + len(b"end of trees")
    for length in range(end + 1):
        with pytest.raises((ModelCorrupt, ModelUnsupported)):
            load_model("lightgbm", trained.artifact[:length], trained.space)


@pytest.mark.parametrize(
    "artifact", [b"", b"tree", b"{", b"\x80\x04pickle", b"binf", b"PK\x03\x04", b"\x00" * 64]
)
def test_other_formats_are_refused(trained: Trained, artifact: bytes) -> None:
    with pytest.raises(ModelUnsupported, match="format"):
        load_model("lightgbm", artifact, trained.space)


@pytest.mark.usefixtures("no_native_loader")
def test_trees_too_deep_are_refused(trained: Trained) -> None:
    with bounded(), pytest.raises(ModelUnsupported, match="deeper than 1024 levels"):
        load_model("lightgbm", chain(trained.artifact, 2000), trained.space)


@pytest.mark.usefixtures("no_native_loader")
def test_a_category_beyond_the_manifest_never_reaches_the_native_loader(trained: Trained) -> None:
    damaged = entry("cat_threshold", 0, str(2**31))(trained.artifact)
    with pytest.raises(ManifestContradiction, match="category code 31"):
        load_model("lightgbm", damaged, trained.space)


@pytest.mark.usefixtures("no_native_loader")
def test_a_long_row_costs_little(trained: Trained) -> None:
    damaged = tree_line("leaf_value", " ".join(["0.5"] * 500_000))(trained.artifact)
    with bounded(), pytest.raises(ModelCorrupt, match="leaf_value has 500000 entries"):
        load_model("lightgbm", damaged, trained.space)


def chain(artifact: bytes, splits: int) -> bytes:
    """Give the first tree one long branch."""
    rows = {
        "num_leaves": [splits + 1],
        "num_cat": [0],
        "split_feature": [0] * splits,
        "split_gain": [1] * splits,
        "threshold": range(splits),
        "decision_type": [8] * splits,
        "left_child": [-1 - number for number in range(splits)],
        "right_child": [*range(1, splits), -1 - splits],
        "leaf_value": [0] * (splits + 1),
        "is_linear": [0],
    }
    block = "Tree=0\n" + "".join(f"{name}={' '.join(map(str, row))}\n" for name, row in rows.items()) + "\n\n"
    start, stop = artifact.index(b"Tree=0"), artifact.index(b"Tree=1")
    return resized(artifact[:start] + block.encode() + artifact[stop:])


class bounded:  # noqa: N801  used as a statement
    """Fails where the block takes a second or more memory than a small file deserves."""

    def __enter__(self) -> None:
        tracemalloc.start()
        self.started = time.perf_counter()

    def __exit__(self, *_: object) -> None:
        seconds = time.perf_counter() - self.started
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert seconds < SECONDS
        assert peak < BYTES
