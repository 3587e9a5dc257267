"""Files injured at random: refused by name, or read by us as the native library reads them."""

from __future__ import annotations

import re
import time

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from explain.errors import ExplainError
from explain.models import load_model
from tests.oracles.lightgbm_models import Trained, resized, train
from tests.oracles.trees import margins

SECONDS = 1.0
NUMBERS = [b"0", b"-1", b"1", b"3", b"6", b"7", b"64", b"255", b"-2147483648", b"2147483647", b"4294967295"]
ODDITIES = [
    b"999999999",
    b"1e308",
    b"1e400",
    b"-1e-35",
    b"1e-320",
    b"nan",
    b"inf",
    b"-inf",
    b"0.5",
    b"",
    b"x",
]


@pytest.fixture(scope="module")
def source() -> Trained:
    return train(("c", "q", "q"), rounds=3, num_leaves=6, max_cat_to_onehot=1)


def mutants(text: bytes) -> st.SearchStrategy[bytes]:
    """Files with one to four injuries: cut, flipped bits, other numbers, copied lines."""
    spots = [
        match.span()
        for match in re.finditer(rb"-?\d+(?:\.\d+)?(?:e[-+]?\d+)?", text[: text.index(b"end of")])
    ]
    numbers = st.sampled_from([*NUMBERS, *ODDITIES])

    @st.composite
    def one(draw: st.DrawFn) -> bytes:
        mutated = text
        for _ in range(draw(st.integers(1, 4))):
            kind = draw(st.sampled_from(["number", "number", "number", "flip", "cut", "line"]))
            if kind == "number":
                start, stop = draw(st.sampled_from(spots))
                mutated = mutated[:start] + draw(numbers) + mutated[stop:]
            elif kind == "flip" and mutated:
                at = draw(st.integers(0, len(mutated) - 1))
                mutated = (
                    mutated[:at] + bytes([mutated[at] ^ 1 << draw(st.integers(0, 7))]) + mutated[at + 1 :]
                )
            elif kind == "cut":
                mutated = mutated[: draw(st.integers(0, len(mutated)))]
            else:
                lines = mutated.split(b"\n")
                source, target = (draw(st.integers(0, len(lines) - 1)) for _ in range(2))
                lines.insert(target, lines[source])
                mutated = b"\n".join(lines)
        whole = b"\n\n" in mutated and b"end of trees\n" in mutated
        return resized(mutated) if whole and draw(st.booleans()) else mutated

    return one()


def assert_refused_or_read_as_the_library_reads(trained: Trained, mutant: bytes) -> None:
    """A named refusal, or a model whose trees give to the bit what the native library predicts."""
    started = time.perf_counter()
    try:
        model = load_model("lightgbm", mutant, trained.space)
    except ExplainError:
        assert time.perf_counter() - started < SECONDS
        return
    rows = trained.telling_rows()
    with np.errstate(over="ignore", invalid="ignore"):  # leaves of 1e308 add up to infinity on both sides
        expected = model.margins(rows)
        found = margins(model.form(), rows)[:, 0]
    np.testing.assert_array_equal(found, expected)


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_mutants_are_refused_or_read_as_the_library_reads(data: st.DataObject, source: Trained) -> None:
    assert_refused_or_read_as_the_library_reads(source, data.draw(mutants(source.artifact)))


@pytest.mark.prove
@settings(max_examples=6000, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_many_mutants_are_refused_or_read_as_the_library_reads(data: st.DataObject, source: Trained) -> None:
    assert_refused_or_read_as_the_library_reads(source, data.draw(mutants(source.artifact)))
