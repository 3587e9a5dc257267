"""Compiling the kernels ahead of the first explanation.

Compiling takes some ten seconds, loading what was compiled well under one. Done at install (see
`explain.warming`), and again by each process before it is ready.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from explain.attribution.compiling import keep_compiled_in
from explain.attribution.games import each_reference, interventional
from explain.attribution.kernel import explain_block
from explain.attribution.preparation import prepare_kernel
from explain.attribution.structures import Numbers
from explain.models.ensemble import TreeEnsemble

KERNELS = "kernels"


def warm(cache_dir: Path | None) -> None:
    """Compile every kernel, or load it from `cache_dir`/kernels if that can be written."""
    if cache_dir is not None:
        keep_compiled_in(cache_dir / KERNELS)
    rows = np.array([[0.0], [1.0]])
    kernel = prepare_kernel(stump(), rows, 1 << 20, None)
    for width in (np.float32, np.float64):
        numbers: Numbers = kernel.tables.numbers.astype(width)
        numbers.setflags(write=False)
        explain_block(kernel.columns, kernel.trees, kernel.listed, numbers, rows, 0, 1, np.zeros((2, 1)))


def warm_games(cache_dir: Path | None) -> None:
    """Do the same for what examinations and evaluations compute beside it."""
    if cache_dir is not None:
        keep_compiled_in(cache_dir / KERNELS)
    interventional(stump(), np.zeros(1), np.array([[0.0], [1.0]]))
    each_reference(stump(), np.zeros(1), np.array([[0.0], [1.0]]))


def stump() -> TreeEnsemble:
    """Return the smallest ensemble: one tree with one split."""
    return TreeEnsemble(
        offsets=np.array([0, 3], dtype=np.int64),
        left=np.array([1, -1, -1], dtype=np.int32),
        right=np.array([2, -1, -1], dtype=np.int32),
        feature=np.array([0, -1, -1], dtype=np.int32),
        threshold=np.array([0.5, np.nan, np.nan]),
        missing=np.zeros(3, dtype=np.uint8),
        default_left=np.array([True, False, False]),
        value=np.array([0.0, -1.0, 1.0]),
        cover=np.array([2.0, 1.0, 1.0]),
        category_start=np.full(3, -1, dtype=np.int64),
        category_size=np.zeros(3, dtype=np.int64),
        category_words=np.zeros(0, dtype=np.uint32),
        n_features=1,
        tree_output=np.zeros(1, dtype=np.int32),
        base_margins=np.zeros(1),
        comparison="<",
        listed_goes="right",
        input_width=32,
        float_width=32,
    )
