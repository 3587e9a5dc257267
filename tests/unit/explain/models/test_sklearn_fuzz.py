"""skops files injured at random: refused by name, or read by us as scikit-learn reads them."""

from __future__ import annotations

import time
import warnings

import numpy as np
import pytest
import skops.io
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sklearn.ensemble import (
    ExtraTreesRegressor,
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
)

from explain.errors import ExplainError
from explain.models import load_model
from explain.models.sklearn_native import TRUSTED
from tests.oracles.sklearn_files import Opened, opened
from tests.oracles.sklearn_frames import on_frame
from tests.oracles.sklearn_models import Trained, train
from tests.oracles.trees import margins

SECONDS = 1.0
TEXTS = ["null", "true", "-1", "0", "1", "2", "1e308", "NaN", "Infinity", '"zero"', '"prior"', "[]", "x", ""]
NAMES = ["builtins", "eval", "os", "system", "numpy", "ndarray", "int64", "str", "ListNode", "TreeNode"]
NAMES += ["MethodNode", "OperatorFuncNode", "PartialNode", "JsonNode", "CachedNode", "TypeNode"]
SOURCES = {
    "forest": lambda: train(ExtraTreesRegressor(n_estimators=3, max_depth=3, random_state=0)),
    "boosting": lambda: train(
        GradientBoostingClassifier(n_estimators=2, random_state=0), missing=0.0, outputs=3
    ),
    "histogram": lambda: on_frame(HistGradientBoostingClassifier(max_iter=3, random_state=0)),
}


@pytest.fixture(scope="module")
def sources() -> dict[str, Trained]:
    return {name: make() for name, make in SOURCES.items()}


def mutants(artifact: bytes) -> st.SearchStrategy[bytes]:
    """Files with one to three injuries: nodes changed, swapped or lost, bytes of arrays or of the file."""

    @st.composite
    def one(draw: st.DrawFn) -> bytes:
        file = opened(artifact)
        for _ in range(draw(st.integers(1, 3))):
            kind = draw(st.sampled_from(["text", "name", "swap", "lose", "array", "header"]))
            _injure(draw, file, kind)
        mutated = file.packed()
        if draw(st.integers(0, 9)) == 0:
            at = draw(st.integers(0, len(mutated) - 1))
            mutated = mutated[:at] + bytes([mutated[at] ^ 1 << draw(st.integers(0, 7))]) + mutated[at + 1 :]
        return mutated

    return one()


def _injure(draw: st.DrawFn, file: Opened, kind: str) -> None:
    nodes = [one for one in file.nodes() if one is not file.schema]
    if not nodes:
        return
    node = nodes[draw(st.integers(0, len(nodes) - 1))]
    if kind == "text":
        plain = [one for one in nodes if one["__loader__"] == "JsonNode"]
        one = plain[draw(st.integers(0, len(plain) - 1))] if plain else node
        one["content"] = draw(st.sampled_from(TEXTS))
    elif kind == "name":
        node[draw(st.sampled_from(["__class__", "__module__", "__loader__"]))] = draw(st.sampled_from(NAMES))
    elif kind == "swap":
        other = nodes[draw(st.integers(0, len(nodes) - 1))]
        if "content" in other:
            node["content"] = other["content"] if not _inside(other, node) else None
    elif kind == "lose":
        node.pop(draw(st.sampled_from(sorted(node))))
    else:
        name = draw(st.sampled_from(sorted(file.members)))
        content = bytearray(file.members[name])
        start = 0 if kind == "header" else 10 + int.from_bytes(content[8:10], "little")
        if start < len(content):
            at = draw(st.integers(start, len(content) - 1))
            content[at] = draw(st.sampled_from([0, 1, 2, 0x7F, 0x80, 0xFF, content[at] ^ 1]))
        file.members[name] = bytes(content)


def _inside(outer: dict, node: dict) -> bool:
    waiting: list = [outer]
    while waiting:
        value = waiting.pop()
        if value is node:
            return True
        waiting += value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return False


def assert_refused_or_read_as_the_library_reads(source: Trained, mutant: bytes) -> None:
    """A named refusal, or a model that predicts to the bit what skops makes of the very same file."""
    started = time.process_time()
    try:
        model = load_model("sklearn", mutant, source.space)
    except ExplainError:
        assert time.process_time() - started < SECONDS
        return
    rows = source.rows[:40]
    walked = margins(model.form(), rows)
    ours = model.margins(rows).reshape(walked.shape)
    assert np.allclose(walked, ours, rtol=1e-12, atol=1e-300)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        trusted = [*TRUSTED, "functools.partial", "sklearn.utils.validation.check_array"]
        try:  # what we dropped unseen may keep skops from loading the whole
            theirs = Trained(
                skops.io.loads(mutant, trusted=trusted), source.rows, source.space, source.labels
            )
            expected = theirs.native(rows)
        except Exception:  # noqa: BLE001  the library's many ways to refuse a file
            return
    assert np.array_equal(expected.reshape(walked.shape), ours)


@pytest.mark.parametrize("kind", SOURCES)
def test_injured_files(sources: dict[str, Trained], kind: str) -> None:
    run(sources[kind], examples=60)


@pytest.mark.prove
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("kind", SOURCES)
def test_many_injured_files(sources: dict[str, Trained], kind: str) -> None:
    run(sources[kind], examples=3000)


def run(source: Trained, *, examples: int) -> None:
    artifact = source.artifact

    @settings(max_examples=examples, deadline=None, suppress_health_check=list(HealthCheck), database=None)
    @given(mutants(artifact))
    def attempt(mutant: bytes) -> None:
        assert_refused_or_read_as_the_library_reads(source, mutant)

    attempt()
