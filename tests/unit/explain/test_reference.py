"""The reference: who is in it, in which order, and bytes that cannot be anything else."""

from __future__ import annotations

import io

import numpy as np
import pytest
from numpy.typing import NDArray

from explain.errors import ReferenceTooSmall
from explain.features import Feature, FeatureSpace
from explain.models.base import Prediction
from explain.outcome import OutcomeRule
from explain.reference import Reference, ReferenceCorrupt, select_reference

FloatArray = NDArray[np.float64]

RULE = OutcomeRule("probability_of_adverse", 0.3, "decline", "approve")


class FirstColumnIsTheScore:
    """A model whose score is its first feature."""

    family = "by_hand"
    digest = "sha256:" + "0" * 64
    float_width = 64
    space = FeatureSpace((Feature("score", "number"), Feature("other", "number", nullable=True)), 64)

    def predict(self, rows: FloatArray) -> Prediction:
        return Prediction(rows[:, 0] * 10.0, rows[:, 0].copy())


MODEL = FirstColumnIsTheScore()


def rows_with(scores: FloatArray) -> FloatArray:
    return np.column_stack([scores, np.arange(len(scores), dtype=np.float64)])


def test_near_cutoff_takes_the_approved_within_the_band_in_their_order() -> None:
    rng = np.random.default_rng(1)
    rows = rows_with(rng.permutation(np.linspace(0.0, 1.0, 1001)))
    chosen = select_reference(MODEL, RULE, rows, "near_cutoff_approved", 0.0505, minimum_rows=40)
    expected = [row for row in rows.tolist() if 0.3 - 0.0505 <= row[0] < 0.3]
    assert chosen.rows.tolist() == expected
    assert len(expected) == 50
    assert chosen.band == 0.0505


def test_too_few_in_the_band_are_filled_up_with_the_nearest_approved() -> None:
    scores = np.concatenate([np.linspace(0.0, 0.29, 59), np.linspace(0.3, 0.9, 200)])
    chosen = select_reference(MODEL, RULE, rows_with(scores), "near_cutoff_approved", 0.02, minimum_rows=40)
    assert chosen.rows[:, 0].tolist() == scores[19:59].tolist()
    assert chosen.band == pytest.approx(0.3 - scores[19])


def test_ties_go_to_the_earlier_row() -> None:
    scores = np.array([0.2, 0.1] * 50)
    chosen = select_reference(MODEL, RULE, rows_with(scores), "near_cutoff_approved", 0.0, minimum_rows=60)
    assert (chosen.rows[:, 0] == 0.2).sum() == 50
    assert chosen.rows[chosen.rows[:, 0] == 0.1, 1].tolist() == [1.0 + 2 * k for k in range(10)]


def test_all_approved_when_there_are_fewer_than_asked_for() -> None:
    scores = np.concatenate([np.linspace(0.0, 0.29, 31), np.full(10, 0.9)])
    chosen = select_reference(MODEL, RULE, rows_with(scores), "near_cutoff_approved", 0.05)
    assert len(chosen.rows) == 31
    assert chosen.band == pytest.approx(0.3)


def test_fewer_than_thirty_approved_are_refused() -> None:
    scores = np.concatenate([np.linspace(0.0, 0.29, 29), np.full(500, 0.9)])
    with pytest.raises(ReferenceTooSmall, match="29 approved rows; at least 30"):
        select_reference(MODEL, RULE, rows_with(scores), "near_cutoff_approved", 0.5)
    with pytest.raises(ReferenceTooSmall, match="29 rows"):
        select_reference(MODEL, RULE, rows_with(scores[:29]), "all_applicants")
    with pytest.raises(ReferenceTooSmall, match="no rows"):
        select_reference(MODEL, RULE, np.empty((0, 2)), "given")


def test_the_approved_side_follows_the_rule() -> None:
    """With a probability of the favourable class, or a margin, the upper side is approved."""
    rows = rows_with(np.linspace(0.0, 1.0, 101))
    favourable = OutcomeRule("probability_of_favourable", 0.5, "no", "yes")
    assert select_reference(MODEL, favourable, rows, "near_cutoff_approved", 0.4).rows[:, 0].min() == 0.5
    margin = OutcomeRule("margin", 5.0, "no", "yes", "low_is_adverse")
    chosen = select_reference(MODEL, margin, rows, "near_cutoff_approved", 3.05, minimum_rows=5)
    assert (chosen.rows[:, 0].min(), round(chosen.rows[:, 0].max(), 9)) == (0.5, 0.8)


@pytest.mark.parametrize("kind", ["all_applicants", "given"])
def test_other_kinds_keep_every_row(kind: str) -> None:
    rows = rows_with(np.linspace(0.0, 1.0, 40))
    chosen = select_reference(MODEL, RULE, rows, kind)
    np.testing.assert_array_equal(chosen.rows, rows)
    assert chosen.band is None


def test_the_wrong_number_of_columns_is_refused() -> None:
    with pytest.raises(ReferenceCorrupt, match="one column per feature"):
        select_reference(MODEL, RULE, np.zeros((50, 3)), "given")


def test_bytes_are_plain_npy_and_come_back_identical() -> None:
    rows = np.array([[1.5, np.nan], [-0.0, 3.0]])
    reference = Reference.of("near_cutoff_approved", rows, 0.05)
    data = reference.to_bytes()
    np.testing.assert_array_equal(np.load(io.BytesIO(data), allow_pickle=False), rows)
    again = Reference.from_bytes(data, kind="near_cutoff_approved", band=0.05)
    assert again.to_bytes() == data
    assert (again.kind, again.band, again.digest) == (reference.kind, reference.band, reference.digest)
    np.testing.assert_array_equal(again.rows, reference.rows)


def test_equal_rows_have_one_digest_whatever_their_memory() -> None:
    rows = np.arange(12.0).reshape(4, 3)
    other = np.asfortranarray(rows)
    assert Reference.of("given", rows).digest == Reference.of("given", other).digest
    assert Reference.of("given", rows).digest != Reference.of("given", rows.T.copy()).digest


def test_the_frozen_rows_are_a_read_only_copy() -> None:
    rows = np.ones((3, 2))
    reference = Reference.of("given", rows)
    rows[0, 0] = 7.0
    assert reference.rows[0, 0] == 1.0
    with pytest.raises(ValueError, match="read-only"):
        reference.rows[0, 0] = 2.0


def test_infinite_values_are_refused() -> None:
    with pytest.raises(ReferenceCorrupt, match="infinite"):
        Reference.of("given", np.array([[np.inf]]))


def npy(array: NDArray[np.generic], version: tuple[int, int] = (1, 0)) -> bytes:
    stream = io.BytesIO()
    np.lib.format.write_array(stream, array, version=version)
    return stream.getvalue()


GOOD = Reference.of("given", np.ones((3, 2))).to_bytes()
OTHER_NAN = np.frombuffer(b"\x01\x00\x00\x00\x00\x00\xf8\xff" * 2, dtype="<f8").reshape(1, 2)


@pytest.mark.parametrize(
    ("data", "match"),
    [
        (b"", "no readable NPY header"),
        (b"\x93NUMPY\x01\x00\xff\xff", "no readable NPY header"),
        (GOOD[:-1], "shorter or longer"),
        (GOOD + b"\0", "shorter or longer"),
        (GOOD.replace(b"(3, 2)", b"(9, 2)"), "shorter or longer"),
        (GOOD.replace(b"(3, 2)", b"(0, 2)"), "impossible shape"),
        (GOOD.replace(b"(3, 2), }     ", b"(3, 99999999)}"), "impossible shape"),
        (npy(np.ones((3, 2)), (2, 0)), "version"),
        (npy(np.ones((3, 2), dtype=np.float32)), "not a two-dimensional float64"),
        (npy(np.ones(6)), "not a two-dimensional"),
        (npy(np.asfortranarray(np.ones((3, 2)))), "C order"),
        (npy(OTHER_NAN), "canonical"),
        (npy(np.full((1, 2), np.inf)), "infinite"),
    ],
)
def test_anything_else_is_refused(data: bytes, match: str) -> None:
    with pytest.raises(ReferenceCorrupt, match=match):
        Reference.from_bytes(data, kind="given")


def test_an_object_array_never_reaches_unpickling() -> None:
    stream = io.BytesIO()
    np.save(stream, np.array([["x"]], dtype=object), allow_pickle=True)
    with pytest.raises(ReferenceCorrupt, match="float64"):
        Reference.from_bytes(stream.getvalue(), kind="given")


def test_the_mean_is_of_what_is_not_missing() -> None:
    rows = np.array([[1.0, 0.1, np.nan, 1e308], [2.0, 0.1, np.nan, 1.5e308], [np.nan, 0.1, np.nan, 1e308]])
    reference = Reference.of("given", rows)
    assert [reference.mean(at) for at in (0, 1, 2)] == [1.5, 0.1, None]  # 0.1 thrice sums to more than 0.3
    beyond = reference.mean(3)  # a sum above the largest double has a mean all the same
    assert beyond == pytest.approx(1.1666666666666667e308, rel=1e-15)


def test_the_mean_is_the_sum_rounded_once() -> None:
    column = np.array([1e16, 1.0, -1e16, 1.0])  # adding one by one loses both ones
    assert Reference.of("given", column[:, np.newaxis]).mean(0) == 0.5
