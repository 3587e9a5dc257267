"""Exact interventional Shapley values of tree ensembles against a whole frozen reference.

The value of a coalition S is the mean margin over the reference rows, each with the features of S taken
from the explained row (Janzing et al. 2020; Lundberg et al. 2020, "interventional"). It is the mean of
single-reference games, computed for all reference rows at once (see `kernel`).
"""

from __future__ import annotations

import hashlib
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from explain.models.base import Model, tree_form
from explain.models.ensemble import TreeEnsemble

if TYPE_CHECKING:
    from explain.attribution.preparation import Kernel

Reals = NDArray[np.float64]

METHOD = "interventional_treeshap"
MEMORY_CAP_BYTES = 256 << 20
BLOCK_ROWS = 128  # so many rows walk one tree's tables before the next tree's push them out of the cache


@dataclass(frozen=True, slots=True)
class Storage:
    """How the reference is held (see `planning`): units with full rows, units as pairs, and listed leaves.

    `table_width` is the number of bits of a table's numbers: 64 or 32.
    """

    table_units: int
    pair_units: int
    listed_leaves: int
    table_width: int
    table_bytes: int
    other_bytes: int


@dataclass(frozen=True, slots=True, eq=False)
class TreeShap:
    """Interventional Shapley values of one model against one reference, prepared once; thread-safe.

    `base_values`, shape (outputs,), are the mean margins of the reference rows. Values are in margin space.
    """

    base_values: Reals
    storage: Storage
    features: int
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

        With `cache_dir` the tables are files there, shared by every process that prepares the same model
        and reference. Raises ModelUnsupported if the reference cannot be held inside the memory cap.
        """
        # numba takes most of a second to import: saved by a process that explains nothing.
        from explain.attribution.preparation import TableCache, prepare_kernel  # noqa: PLC0415

        trees = tree_form(model)
        rows = np.array(reference, dtype=np.float64, order="C")
        if rows.ndim != 2 or rows.shape[1] != trees.n_features or not len(rows):
            raise ValueError(f"a reference of shape (n, {trees.n_features}) is needed, not {rows.shape}")
        digest = hashlib.sha256(rows.astype("<f8").data).digest()
        parts = (model.digest.encode(), _digest_of(trees), digest, str(rows.shape).encode())
        cache = None if cache_dir is None else TableCache(cache_dir, parts)
        kernel = prepare_kernel(trees, rows, memory_cap_bytes, cache)
        storage = Storage(
            table_units=kernel.full_units,
            pair_units=kernel.pair_units,
            listed_leaves=len(kernel.listed.value),
            table_width=8 * kernel.tables.numbers.itemsize,
            table_bytes=kernel.tables.numbers.nbytes,
            other_bytes=kernel.pattern_bytes,
        )
        return cls(kernel.base_values, storage, trees.n_features, kernel)

    @property
    def base_value(self) -> float:
        """The base value of a model with one output."""
        (value,) = self.base_values.tolist()
        return float(value)

    @property
    def intact(self) -> bool:
        """Whether the prepared tables are what they were; if not, nothing can be explained any more."""
        return self.kernel.tables.intact

    def explain(self, row: Reals, output: int = 0) -> tuple[float, Reals]:
        """Return the base value and the Shapley values, shape (features,), of one float64 row.

        They are those of one output's margin. Raises TablesChanged if the tables are not what they were.
        """
        base_value, phi = self.explain_batch(row[np.newaxis, :], output)
        return base_value, phi[0]

    def explain_batch(self, rows: Reals, output: int = 0, *, threads: int = 1) -> tuple[float, Reals]:
        """Return the base value and the Shapley values, shape (n, features), of n float64 rows.

        Each row gets, bit for bit, what it would get alone, on any number of threads. The GIL is released.
        """
        if rows.ndim != 2 or rows.shape[1] != self.features:
            raise ValueError(f"rows of shape (n, {self.features}) are needed, not {rows.shape}")
        if not 0 <= output < len(self.base_values):
            raise ValueError(f"there is no output {output} among {len(self.base_values)}")
        given = np.array(
            rows, dtype=np.float64, order="C"
        )  # a frozen array would be another type to compile for
        phi = np.zeros(given.shape)
        blocks = [slice(at, at + BLOCK_ROWS) for at in range(0, len(given), BLOCK_ROWS)]
        self.kernel.tables.check()
        if threads > 1 and len(blocks) > 1:
            with ThreadPoolExecutor(min(threads, len(blocks))) as pool:
                list(pool.map(lambda block: self._explain(given[block], output, phi[block]), blocks))
        else:
            for block in blocks:
                self._explain(given[block], output, phi[block])
        self.kernel.tables.check()
        return float(self.base_values[output]), phi

    def _explain(self, rows: Reals, output: int, phi: Reals) -> None:
        """Add the values of a block of rows to `phi`."""
        from explain.attribution.kernel import explain_block  # noqa: PLC0415  as above

        kernel = self.kernel
        first, end = kernel.output_at[output], kernel.output_at[output + 1]
        explain_block(
            kernel.columns, kernel.trees, kernel.listed, kernel.tables.numbers, rows, first, end, phi
        )


def _digest_of(trees: TreeEnsemble) -> bytes:
    """Digest the trees as they are read, which an artifact's bytes alone do not say.

    CatBoost's files know categories by their text, and which code has which text stands in the manifest.
    """
    digest = hashlib.sha256()
    for one in fields(trees):
        value = np.ascontiguousarray(getattr(trees, one.name))
        digest.update(f"{one.name} {value.dtype.str} {value.shape} ".encode())
        digest.update(value.view(np.uint8).data if value.size else b"")
    return digest.digest()
