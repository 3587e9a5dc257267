"""Exact interventional Shapley values of tree ensembles against a whole frozen reference.

The value of a coalition S is the mean margin over the reference rows, each with the features of S taken
from the explained row (Janzing et al. 2020; Lundberg et al. 2020, "interventional"). It is the mean of
single-reference games, computed for all reference rows at once (see `kernel`).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from explain.attribution.base import Attribution, reconcile
from explain.attribution.structures import narrowed
from explain.features import FloatWidth
from explain.models.base import Model, tree_form

if TYPE_CHECKING:
    from explain.attribution.preparation import Kernel

Reals = NDArray[np.float64]

METHOD = "interventional_treeshap"
MEMORY_CAP_BYTES = 256 << 20
BLOCK_ROWS = 128  # so many rows walk one tree's tables before the next tree's push them out of the cache


@dataclass(frozen=True, slots=True)
class Storage:
    """How the reference is held: units with full tables, with counts only, and leaves listed one by one.

    `table_width` is the number of bits of a table entry: 64, or 32 where the cap leaves no room for more.
    """

    table_units: int
    count_units: int
    listed_leaves: int
    table_width: int
    table_bytes: int
    other_bytes: int


@dataclass(frozen=True, slots=True, eq=False)
class TreeShap:
    """Interventional Shapley values of one model against one reference, prepared once; thread-safe.

    `base_value` is the mean margin of the reference rows. Values are in margin space.
    """

    base_value: float
    storage: Storage
    features: int
    input_width: FloatWidth
    kernel: Kernel = field(repr=False)

    @classmethod
    def prepare(
        cls,
        model: Model,
        reference: Reals,
        *,
        cache_dir: Path | None,
        memory_cap_bytes: int = MEMORY_CAP_BYTES,
    ) -> TreeShap:
        """Reduce a reference of shape (n, features) to what explaining a row needs.

        With `cache_dir` the tables are files there, read by every process that prepares the same model
        and reference. Raises ModelUnsupported if even the reference's counts exceed the memory cap.
        """
        # numba takes most of a second to import: saved by a process that explains nothing.
        from explain.attribution.preparation import TableCache, prepare_kernel  # noqa: PLC0415

        trees = tree_form(model)
        rows = np.ascontiguousarray(reference, dtype=np.float64)
        if rows.ndim != 2 or rows.shape[1] != trees.n_features or not len(rows):
            raise ValueError(f"a reference of shape (n, {trees.n_features}) is needed, not {rows.shape}")
        digest = hashlib.sha256(rows.astype("<f8").data).digest()
        parts = (model.digest.encode(), digest, str(rows.shape).encode())
        cache = None if cache_dir is None else TableCache(cache_dir, parts)
        kernel = prepare_kernel(trees, rows, memory_cap_bytes, cache)
        storage = Storage(
            table_units=kernel.table_units,
            count_units=int(np.count_nonzero(kernel.prepared.count_at >= 0)),
            listed_leaves=kernel.listed_leaves,
            table_width=8 * kernel.prepared.tables.itemsize,
            table_bytes=kernel.table_bytes,
            other_bytes=kernel.count_bytes + kernel.pattern_bytes,
        )
        return cls(kernel.base_value, storage, trees.n_features, trees.input_width, kernel)

    def explain(self, row: Reals) -> tuple[float, Reals]:
        """Return the base value and the Shapley values, shape (features,), of one float64 row."""
        base_value, phi = self.explain_batch(row[np.newaxis, :])
        return base_value, phi[0]

    def explain_batch(self, rows: Reals) -> tuple[float, Reals]:
        """Return the base value and the Shapley values, shape (n, features), of n float64 rows.

        Each row gets, bit for bit, what it would get alone. The GIL is released.
        """
        from explain.attribution.kernel import explain_rows  # noqa: PLC0415  as above

        if rows.ndim != 2 or rows.shape[1] != self.features:
            raise ValueError(f"rows of shape (n, {self.features}) are needed, not {rows.shape}")
        given = narrowed(rows, self.input_width)
        phi = np.zeros((len(given), self.features))
        kernel = self.kernel
        for start in range(0, len(given), BLOCK_ROWS):
            block = slice(start, start + BLOCK_ROWS)
            explain_rows(kernel.nodes, kernel.prepared, kernel.listed, given[block], phi[block])
        return self.base_value, phi


def attribute(model: Model, shap: TreeShap, row: Reals) -> Attribution:
    """Explain one float64 row and reconcile it with the native library's own margin of that row."""
    base_value, phi = shap.explain(row)
    expected = float(model.margins(row[np.newaxis, :])[0])
    return reconcile(base_value, phi, expected, model.float_width, method=METHOD)
