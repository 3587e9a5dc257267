"""Reducing a reference to what the kernel reads, inside a memory cap.

Every unit has its full table if the cap allows: of float64 numbers, or else of float32 ones (each rounded
once from its float64 sum, and still summed in float64). Beyond that the smallest tables are kept, and the
other units keep only the reference's counts per state, exact all the same but slower. What is chosen
depends on the trees and the cap alone.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from explain.attribution.kernel_preparation import count_states, fill_tables, reference_margins
from explain.attribution.layout import constant_part, lay_out, state_counts, table_entries
from explain.attribution.listing import list_leaves
from explain.attribution.structures import (
    ABSENT,
    STATE_SLOTS,
    Ints,
    Listed,
    Nodes,
    Numbers,
    Prepared,
    Reals,
    TableType,
    narrowed,
)
from explain.attribution.table_files import kept_tables, read_only, table_file
from explain.errors import ModelUnsupported
from explain.models.ensemble import TreeEnsemble

LAYOUT = b"ofrecord-treeshap/1"  # part of every table file's name; changed whenever the numbers in it change

COUNT_BYTES = 4


@dataclass(frozen=True, slots=True, eq=False)
class Kernel:
    """Everything `explain_rows` needs, and how it is stored."""

    nodes: Nodes
    prepared: Prepared
    listed: Listed
    base_value: float
    table_bytes: int
    count_bytes: int
    pattern_bytes: int
    table_units: int
    listed_leaves: int


@dataclass(frozen=True, slots=True)
class TableCache:
    """Where table files go, and the digests of what they are made from."""

    directory: Path
    parts: tuple[bytes, ...]


def prepare_kernel(
    trees: TreeEnsemble, reference: Reals, memory_cap_bytes: int, cache: TableCache | None
) -> Kernel:
    """Lay the trees out and reduce the reference to tables, counts and patterns within the cap."""
    nodes = lay_out(trees)
    rows = narrowed(reference, trees.input_width)
    listed = list_leaves(nodes, rows, memory_cap_bytes)
    pattern_bytes = listed.pattern_words.nbytes + listed.pattern_count.nbytes + listed.pattern_ones.nbytes
    plan = _plan(nodes, memory_cap_bytes - pattern_bytes)
    counts = np.zeros(_total(plan.count_at, state_counts(nodes)), dtype=np.uint32)
    if len(counts):
        count_states(nodes, rows, plan.count_at, counts)
    prepared = Prepared(
        tables=read_only(np.zeros(0, dtype=plan.dtype)),
        table_at=plan.table_at,
        counts=counts,
        count_at=plan.count_at,
        ones=_ones_below(2**STATE_SLOTS + 1),
        bits=_bits_of(2**STATE_SLOTS),
        weights=shapley_weights(max(STATE_SLOTS, int(nodes.slots.max(initial=0))) + 2),
        rows=len(rows),
    )
    prepared = prepared._replace(tables=_tables(nodes, rows, prepared, plan.dtype, cache))
    margins = reference_margins(nodes, rows)
    return Kernel(
        nodes=nodes,
        prepared=prepared,
        listed=listed,
        base_value=constant_part(trees) + math.fsum(margins.tolist()) / len(rows),
        table_bytes=prepared.tables.nbytes,
        count_bytes=counts.nbytes,
        pattern_bytes=pattern_bytes,
        table_units=int(np.count_nonzero(plan.table_at != ABSENT)),
        listed_leaves=len(listed.value),
    )


def shapley_weights(size: int) -> Reals:
    """Return w[a, b] = (a-1)! b! / (a+b)! for 1 <= a < size, 0 <= b < size (0 for a = 0).

    By w[1, b] = 1 / (b + 1) and w[a + 1, b] = w[a, b] * a / (a + b + 1): products only, so nothing cancels
    and nothing overflows at any depth.
    """
    weights = np.zeros((size, size))
    b = np.arange(size, dtype=np.float64)
    if size > 1:
        weights[1] = 1.0 / (b + 1.0)
    for a in range(1, size - 1):
        weights[a + 1] = weights[a] * a / (a + b + 1.0)
    return weights


@dataclass(frozen=True, slots=True, eq=False)
class _Plan:
    """Where each unit's table or counts begin (ABSENT for neither), and the width of table numbers."""

    table_at: Ints
    count_at: Ints
    dtype: TableType


def _plan(nodes: Nodes, cap_bytes: int) -> _Plan:
    """Decide for each unit between table and counts."""
    entries, states = table_entries(nodes), state_counts(nodes)
    dtype: TableType = np.float64 if 8 * int(entries.sum()) <= cap_bytes else np.float32
    units = np.flatnonzero(states)
    order = units[np.argsort(entries[units], kind="stable")]
    tables = np.concatenate([[0], np.cumsum(entries[order] * np.dtype(dtype).itemsize)])
    counts = np.concatenate([[0], np.cumsum(states[order] * COUNT_BYTES)])
    total = tables + counts[-1] - counts  # bytes when the first n units have tables; it never falls with n
    if total[0] > cap_bytes:
        raise ModelUnsupported(f"reference counts of {total[0]} bytes above the memory cap")
    has_table = np.zeros(len(states), dtype=np.bool_)
    has_table[order[: int(np.searchsorted(total, cap_bytes, side="right")) - 1]] = True
    return _Plan(_places(has_table, entries), _places((states > 0) & ~has_table, states), dtype)


def _places(chosen: NDArray[np.bool_], sizes: Ints) -> Ints:
    sizes = np.where(chosen, sizes, 0)
    return np.where(chosen, np.cumsum(sizes) - sizes, ABSENT)


def _total(places: Ints, sizes: Ints) -> int:
    return int(sizes[places != ABSENT].sum())


def _tables(
    nodes: Nodes, rows: Reals, prepared: Prepared, dtype: TableType, cache: TableCache | None
) -> Numbers:
    count = _total(prepared.table_at, table_entries(nodes))

    def fill(tables: Numbers) -> None:
        fill_tables(nodes, rows, prepared, tables)

    if cache is None or count == 0:
        values = np.zeros(count, dtype=dtype)
        fill(values)
        return read_only(values)
    chosen = np.packbits(prepared.table_at != ABSENT).tobytes()
    return kept_tables(table_file(cache.directory, (LAYOUT, *cache.parts, chosen)), count, dtype, fill)


def _ones_below(size: int) -> Ints:
    """Return for each u < size the number of set bits in 0, 1, ..., u - 1 together."""
    ones = np.bitwise_count(np.arange(size, dtype=np.uint64)).astype(np.int64)
    return np.cumsum(ones) - ones


def _bits_of(size: int) -> NDArray[np.uint8]:
    """Return the set bits of each u < size, ascending, one mask after the other."""
    masks, positions = np.nonzero(np.arange(size)[:, np.newaxis] >> np.arange(size.bit_length()) & 1)
    ascending: NDArray[np.uint8] = positions[np.argsort(masks, kind="stable")].astype(np.uint8)
    return ascending
