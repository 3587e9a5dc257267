"""The same values however the reference is held: tables, narrow tables, counts, listed leaves, files."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from explain.attribution import table_files
from explain.attribution.structures import Numbers
from explain.attribution.treeshap import TreeShap
from explain.errors import ModelUnsupported, TablesChanged
from explain.features import Feature, FeatureSpace
from explain.models import load_model
from tests.oracles.boosters import Trained, train
from tests.oracles.catboost_models import TEXTS, train_catboost


@pytest.fixture(scope="module")
def trained() -> Trained:
    return train(("q",) * 8 + ("c", "c"), max_depth=7, max_cat_to_onehot=2, rounds=20)


def prepared(trained: Trained, cap: int = 1 << 28, cache: Path | None = None) -> TreeShap:
    return TreeShap.prepare(trained.model(), trained.rows[:60], cache_dir=cache, memory_cap_bytes=cap)


def test_a_row_alone_equals_the_row_in_a_batch(trained: Trained) -> None:
    shap = prepared(trained)
    rows = np.concatenate([trained.rows, trained.rows[::-1]])  # more than one block
    _, batch = shap.explain_batch(rows)
    assert all(
        np.array_equal(shap.explain(row)[1], phi) for row, phi in zip(rows[::7], batch[::7], strict=True)
    )
    assert np.array_equal(batch, batch[::-1])


def test_the_cap_changes_how_values_are_held_and_not_what_they_are(trained: Trained) -> None:
    full = prepared(trained)
    _, expected = full.explain_batch(trained.rows)
    assert (full.storage.table_width, full.storage.pair_units, full.storage.other_bytes) == (64, 0, 0)
    narrow = prepared(trained, full.storage.table_bytes - 1)
    assert (narrow.storage.table_width, narrow.storage.pair_units) == (32, 0)
    assert narrow.explain_batch(trained.rows)[1] == pytest.approx(expected, abs=1e-6)
    for share in (3, 6):
        mixed = prepared(trained, full.storage.table_bytes // share)
        assert mixed.storage.pair_units + mixed.storage.listed_leaves > 0
        assert mixed.storage.table_bytes + mixed.storage.other_bytes <= full.storage.table_bytes // share
        assert mixed.explain_batch(trained.rows)[1] == pytest.approx(expected, abs=1e-6)


def test_below_the_counts_themselves_the_model_is_refused_by_name(trained: Trained) -> None:
    with pytest.raises(ModelUnsupported, match="above the memory cap"):
        prepared(trained, 100)


def test_table_files_are_shared_and_give_the_same_values(trained: Trained, tmp_path: Path) -> None:
    expected = prepared(trained).explain_batch(trained.rows)[1]
    first = prepared(trained, cache=tmp_path)
    (file,) = tmp_path.glob("treeshap-*.tables")
    written = file.stat().st_mtime_ns
    second = prepared(trained, cache=tmp_path)
    assert file.stat().st_mtime_ns == written
    assert list(tmp_path.iterdir()) == [file]
    for shap in (first, second):
        assert np.array_equal(shap.explain_batch(trained.rows)[1], expected)


def test_each_reference_has_its_own_file(trained: Trained, tmp_path: Path) -> None:
    prepared(trained, cache=tmp_path)
    TreeShap.prepare(trained.model(), trained.rows[1:61], cache_dir=tmp_path)
    assert len(list(tmp_path.iterdir())) == 2


def test_each_reading_of_one_artifact_has_its_own_file(tmp_path: Path) -> None:
    """CatBoost's codes are positions in the manifest's list: another list reads the same rows otherwise."""
    boosted = train_catboost(features=3, categorical=[1])
    for texts in (TEXTS, TEXTS[::-1]):
        numbers = (Feature("f0", "number", nullable=True), Feature("f2", "number", nullable=True))
        space = FeatureSpace((numbers[0], Feature("f1", "category", categories=texts), numbers[1]))
        model = load_model("catboost", boosted.artifact, space)
        expected = TreeShap.prepare(model, boosted.rows[:60], cache_dir=None).explain_batch(boosted.rows)
        found = TreeShap.prepare(model, boosted.rows[:60], cache_dir=tmp_path).explain_batch(boosted.rows)
        assert found[0] == expected[0]
        assert np.array_equal(found[1], expected[1])
    assert len(list(tmp_path.iterdir())) == 2


@pytest.fixture
def forked_while_writing(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """Fork a child, which does nothing, in the middle of every writing; return their numbers."""
    children: list[int] = []
    write = table_files._write

    def forking(path: Path, values: Numbers) -> None:
        child = os.fork()
        if child == 0:
            signal.alarm(120)  # whatever becomes of its parent
            signal.pause()
        children.append(child)
        write(path, values)

    monkeypatch.setattr(table_files, "_write", forking)
    yield children
    for child in children:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)


def test_a_child_forked_while_tables_are_written_holds_nobody_up(
    trained: Trained, tmp_path: Path, forked_while_writing: list[int]
) -> None:
    prepared(trained, cache=tmp_path)
    second = threading.Thread(
        target=TreeShap.prepare, args=(trained.model(), trained.rows[1:61]), kwargs={"cache_dir": tmp_path}
    )
    second.daemon = True
    second.start()
    second.join(60)
    assert not second.is_alive()
    assert len(forked_while_writing) == len(list(tmp_path.iterdir())) == 2


def test_what_a_killed_writer_left_behind_is_removed(trained: Trained, tmp_path: Path) -> None:
    (tmp_path / f"{table_files.UNFINISHED}half").write_bytes(b"half a table")
    prepared(trained, cache=tmp_path)
    assert [file.suffix for file in tmp_path.iterdir()] == [".tables"]


@pytest.mark.parametrize("damage", ["value", "header", "length", "empty"])
def test_a_damaged_table_file_is_made_again(trained: Trained, tmp_path: Path, damage: str) -> None:
    expected = prepared(trained, cache=tmp_path).explain_batch(trained.rows)[1]
    (file,) = tmp_path.iterdir()
    data = bytearray(file.read_bytes())
    if damage == "value":
        data[-5] ^= 1
    elif damage == "header":
        data[3] ^= 1
    file.chmod(0o600)
    file.write_bytes({"length": bytes(data[:-8]), "empty": b""}.get(damage, bytes(data)))
    assert np.array_equal(prepared(trained, cache=tmp_path).explain_batch(trained.rows)[1], expected)
    assert np.array_equal(prepared(trained, cache=tmp_path).explain_batch(trained.rows)[1], expected)


@pytest.mark.parametrize("change", ["value", "length", "other file", "gone"])
def test_no_answer_leaves_once_the_table_file_has_changed(
    trained: Trained, tmp_path: Path, change: str
) -> None:
    made = prepared(trained, cache=tmp_path)
    read = prepared(trained, cache=tmp_path)
    expected = made.explain_batch(trained.rows)[1]
    (file,) = tmp_path.iterdir()
    change_file(file, change)
    for shap in (made, read):
        with pytest.raises(TablesChanged, match="changed after they were checked"):
            shap.explain(trained.rows[0])
    again = prepared(trained, cache=tmp_path)
    assert np.array_equal(again.explain_batch(trained.rows)[1], expected)


def change_file(file: Path, change: str) -> None:
    """Change the very file that is mapped, or put another in its place."""
    content = file.read_bytes()
    if change in ("other file", "gone"):
        file.unlink()
        if change == "other file":
            file.write_bytes(content)
        return
    file.chmod(0o600)
    with file.open("r+b") as tampered:
        tampered.write(bytes(byte ^ 0x40 for byte in content) if change == "value" else b"")
        tampered.truncate(len(content) if change == "value" else 200)


def test_where_nothing_can_be_written_tables_stay_in_memory(trained: Trained, tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_bytes(b"")  # a file where the directory should be refuses even root
    expected = prepared(trained).explain_batch(trained.rows)[1]
    assert np.array_equal(prepared(trained, cache=blocked).explain_batch(trained.rows)[1], expected)


def test_threads_share_one_prepared_model(trained: Trained) -> None:
    shap, model = prepared(trained), trained.model()
    expected = shap.explain_batch(trained.rows)[1]
    margins = model.predict(trained.rows).margins

    def one(number: int) -> bool:
        row = trained.rows[number % len(trained.rows)]
        same_phi = np.array_equal(shap.explain(row)[1], expected[number % len(expected)])
        return same_phi and model.margins(row[np.newaxis])[0] == margins[number % len(margins)]

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(one, range(1200)))


@pytest.mark.parametrize("shape", [(0, 10), (5, 9), (10,)])
def test_references_and_rows_of_another_shape_are_refused(trained: Trained, shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="reference of shape"):
        TreeShap.prepare(trained.model(), np.zeros(shape), cache_dir=None)
    with pytest.raises(ValueError, match="rows of shape"):
        prepared(trained).explain_batch(np.zeros((2, 9)))
