"""Reducing a reference to what the kernel reads, inside a memory cap (see `planning`)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from explain.attribution.columns import columns_of
from explain.attribution.compiling import compiled
from explain.attribution.filling import fill_tree
from explain.attribution.kernel import rank_rows
from explain.attribution.layout import lay_out
from explain.attribution.listing import Leaf, leaves_below, list_leaf, pack
from explain.attribution.planning import TABLE_SLOTS, Plan, find_bottoms, plan, unit_tops
from explain.attribution.structures import Columns, Ints, Listed, Numbers, Reals, Traced, Units, Words
from explain.attribution.table_files import Tables, kept_tables, private_tables, table_file
from explain.attribution.tracing import trace
from explain.attribution.weights import pair_weights, shapley_weights
from explain.errors import ModelUnsupported
from explain.models.ensemble import LEAF, TreeEnsemble

LAYOUT = b"ofrecord-treeshap/2"  # part of every table file's name; changed whenever the numbers in it change


@dataclass(frozen=True, slots=True, eq=False)
class Kernel:
    """Everything `explain_rows` needs, and how it is stored.

    The trees of output k are `output_at[k]:output_at[k + 1]`; `base_values` has shape (outputs,).
    """

    columns: Columns
    trees: Units
    listed: Listed
    tables: Tables
    output_at: Ints
    base_values: Reals
    full_units: int
    pair_units: int
    pattern_bytes: int


@dataclass(frozen=True, slots=True)
class TableCache:
    """Where table files go, and the digests of what they are made from."""

    directory: Path
    parts: tuple[bytes, ...]


def prepare_kernel(
    trees: TreeEnsemble, reference: Reals, memory_cap_bytes: int, cache: TableCache | None
) -> Kernel:
    """Lay the trees out and reduce the reference to tables and patterns within the cap."""
    columns, column, cut = columns_of(trees)
    traced = trace(trees, column, cut)
    ranks = ranks_of(columns, reference)
    chosen, leaves = _plan(traced, ranks, memory_cap_bytes, trees.float_width)
    tops, full = unit_tops(traced, chosen)
    units = lay_out(traced, tops, full)
    listed = pack(traced, leaves, len(ranks), shapley_weights(int(traced.slots.max(initial=0)) + 2))
    output_at = np.searchsorted(np.sort(trees.tree_output), np.arange(trees.outputs + 1)).astype(np.int64)
    return Kernel(
        columns=columns,
        trees=units,
        listed=listed,
        tables=_tables(traced, units, ranks, chosen, cache),
        output_at=output_at,
        base_values=_base_values(trees, traced, ranks, output_at),
        full_units=int(np.count_nonzero(full)),
        pair_units=int(np.count_nonzero(~full)),
        pattern_bytes=sum(leaf.patterns.nbytes for leaf in leaves),
    )


def ranks_of(columns: Columns, rows: Reals) -> Words:
    """Return the ranks of float64 rows of shape (n, features), shape (n, columns)."""
    ranks = np.empty((len(rows), len(columns.feature)), dtype=np.uint32)
    rank_rows(columns, rows, ranks)
    return ranks


def _plan(traced: Traced, ranks: Words, cap_bytes: int, float_width: int) -> tuple[Plan, list[Leaf]]:
    """Choose how each bottom is kept, and list the leaves that have no table."""
    bottoms = find_bottoms(traced)
    deep = (traced.height == 0) & (traced.slots > TABLE_SLOTS)
    leaves: list[Leaf] = []
    room = cap_bytes
    for node in np.flatnonzero(deep).tolist():
        leaves.append(list_leaf(traced, node, ranks))
        room -= leaves[-1].patterns.nbytes
        if room < 0:
            raise ModelUnsupported(f"patterns of deep leaves above the memory cap of {cap_bytes} bytes")
    found: dict[int, list[Leaf]] = {}

    def listed_bytes(top: int) -> int:
        found[top] = [list_leaf(traced, leaf, ranks) for leaf in leaves_below(traced, top)]
        return sum(leaf.patterns.nbytes for leaf in found[top])

    chosen = plan(traced, bottoms, room, float_width, listed_bytes)
    return chosen, leaves + [leaf for top in chosen.listed.tolist() for leaf in found[top]]


def _tables(traced: Traced, units: Units, ranks: Words, chosen: Plan, cache: TableCache | None) -> Tables:
    count = int(units.table_at[-1])

    def fill(tables: Numbers) -> None:
        weights = pair_weights(TABLE_SLOTS + 2)
        for tree in range(len(units.unit_at) - 1):
            first, end = (int(units.table_at[units.unit_at[at]]) for at in (tree, tree + 1))
            if end > first:
                made = np.zeros(end - first)
                fill_tree(traced, units, tree, ranks, weights, made)
                tables[first:end] = made

    if cache is None or count == 0:
        return private_tables(count, chosen.dtype, fill)
    parts = (LAYOUT, *cache.parts, np.dtype(chosen.dtype).str.encode(), chosen.form.tobytes())
    return kept_tables(table_file(cache.directory, parts), count, chosen.dtype, fill)


def _base_values(trees: TreeEnsemble, traced: Traced, ranks: Words, output_at: Ints) -> Reals:
    """Return each output's mean margin over the reference, summed exactly over the rows."""
    values = []
    for output, constant in enumerate(trees.base_margins.tolist()):
        sums = sum_leaves(traced, ranks, output_at[output], output_at[output + 1])
        values.append(constant + math.fsum(sums.tolist()) / len(ranks))
    return np.array(values)


@compiled
def sum_leaves(traced: Traced, ranks: Words, first: int, end: int) -> Reals:
    """Return each row's sum of the leaf values of trees `first` to `end - 1`, in float64."""
    sums = np.zeros(len(ranks))
    for t in range(first, end):
        for r in range(len(ranks)):
            node = traced.offsets[t]
            while traced.left[node] != LEAF:
                right = ranks[r, traced.column[node]] >= traced.cut[node]
                node = np.int64(traced.right[node] if right else traced.left[node])
            sums[r] += traced.value[node]
    return sums
