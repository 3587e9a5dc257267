"""Which subtrees become units, and how each is kept, inside a memory cap.

A *bottom* is a largest subtree with at most two levels of tests and few enough slots. It is kept in the
fastest form that there is room for:

- FULL: one unit whose table rows hold a number for every slot;
- PAIRS: one unit with two numbers per state and one per slot of its own (see `filling`);
- PARTS: the same, each child of the topmost test being a unit for itself: smaller, and slower to read;
- LISTED: no table, each leaf with the reference's patterns.

What is chosen depends on the trees, the reference and the cap alone.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from explain.attribution.structures import Ints, TableType, Traced
from explain.errors import ModelUnsupported

TABLE_SLOTS = 12  # a leaf with more slots has too many states to keep a number for each
LARGEST_WIDE_BYTES = 32 << 20
PARTS, PAIRS, FULL, LISTED = range(4)


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """The top node of each bottom, the form it is kept in, and the width of table numbers."""

    bottoms: Ints
    form: Ints
    dtype: TableType

    @property
    def listed(self) -> Ints:
        """The bottoms that have no table."""
        listed: Ints = self.bottoms[self.form == LISTED]
        return listed


def find_bottoms(traced: Traced) -> Ints:
    """Return the top nodes of all bottoms; a tree that is a single leaf has none."""
    fits = (traced.height <= 2) & (traced.deepest <= TABLE_SLOTS)
    has_parent = traced.parent >= 0
    highest = fits & ~(has_parent & fits[traced.parent])
    return np.flatnonzero(highest & ((traced.height > 0) | has_parent))


def plan(
    traced: Traced, bottoms: Ints, cap_bytes: int, float_width: int, listed_bytes: Callable[[int], int]
) -> Plan:
    """Choose a form for each bottom; `listed_bytes` says how much one takes when its leaves are listed.

    Models with 64-bit sums have 64-bit numbers. Models with 32-bit sums have them too while the tables are
    small, and 32-bit numbers otherwise (each rounded once from its 64-bit sum).
    Raises ModelUnsupported if the smallest forms together exceed the cap.
    """
    numbers = np.stack(
        [_parts_numbers(traced, bottoms), _pairs_numbers(traced)[bottoms], _full_numbers(traced)[bottoms]]
    )
    wide = float_width == 64 or 8 * int(numbers[FULL].sum()) <= min(cap_bytes, LARGEST_WIDE_BYTES)
    dtype: TableType = np.float64 if wide else np.float32
    sizes = numbers * np.dtype(dtype).itemsize
    form = 2 - np.argmin(sizes[::-1], axis=0)  # the smallest; of equals the fastest
    used = int(sizes[form, np.arange(len(bottoms))].sum())
    if used > cap_bytes:
        _list_largest(bottoms, form, sizes, used - cap_bytes, listed_bytes)
    else:
        for better in (PAIRS, FULL):
            used += _improve(form, sizes, better, cap_bytes - used)
    return Plan(bottoms, form, dtype)


def _improve(form: Ints, sizes: Ints, better: int, room: int) -> int:
    """Give the better form to as many bottoms as there is room for, the cheapest first; return its bytes."""
    worse = np.flatnonzero(form < better)
    extra = sizes[better, worse] - sizes[form[worse], worse]
    order = np.argsort(extra, kind="stable")
    total = np.cumsum(extra[order])
    beyond = np.flatnonzero(total > room)
    count = int(beyond[0]) if len(beyond) else len(order)
    form[worse[order[:count]]] = better
    return int(total[count - 1]) if count else 0


def _list_largest(
    bottoms: Ints, form: Ints, sizes: Ints, excess: int, listed_bytes: Callable[[int], int]
) -> None:
    """List the leaves of the largest bottoms until the rest fits."""
    kept = sizes[form, np.arange(len(bottoms))]
    for at in np.argsort(-kept, kind="stable").tolist():
        if excess <= 0:
            return
        saved = int(kept[at]) - listed_bytes(int(bottoms[at]))
        if saved > 0:
            form[at] = LISTED
            excess -= saved
    if excess > 0:
        raise ModelUnsupported(f"a reference {excess} bytes above the memory cap")


def tests_of(traced: Traced) -> Ints:
    """Return how many tests a unit has whose top is this node (of height 0 to 2)."""
    inner = (traced.height > 0).astype(np.int64)
    below = inner[traced.left] + inner[traced.right]
    return inner + np.where(traced.height > 1, below, 0)


def opened_by(traced: Traced) -> Ints:
    """Return how many new slots a unit's own tests open."""
    opens = ((traced.height > 0) & (traced.slot == traced.slots)).astype(np.int64)
    below = opens[traced.left] + opens[traced.right]
    opened: Ints = opens + np.where(traced.height > 1, below, 0)
    return opened


def states_of(traced: Traced) -> Ints:
    """Return how many states a unit has whose top is this node; 0 where there is no such unit."""
    possible = (traced.height <= 2) & (traced.deepest <= TABLE_SLOTS)
    bits = np.where(possible, traced.slots + tests_of(traced), 0)
    return np.where(possible, np.left_shift(np.int64(1), bits), 0)


def _full_numbers(traced: Traced) -> Ints:
    return states_of(traced) * (traced.slots + opened_by(traced))


def _pairs_numbers(traced: Traced) -> Ints:
    return states_of(traced) * (2 + opened_by(traced))


def _parts_numbers(traced: Traced, bottoms: Ints) -> Ints:
    whole = _pairs_numbers(traced)
    parts = whole[traced.left[bottoms]] + whole[traced.right[bottoms]]
    return np.where(traced.height[bottoms] == 2, parts, whole[bottoms])


def unit_tops(traced: Traced, chosen: Plan) -> tuple[Ints, NDArray[np.bool_]]:
    """Return the top node of every unit, and whether it has full rows."""
    parts = chosen.bottoms[(chosen.form == PARTS) & (traced.height[chosen.bottoms] == 2)]
    whole = chosen.bottoms[
        (chosen.form == PAIRS) | ((chosen.form == PARTS) & (traced.height[chosen.bottoms] < 2))
    ]
    full = chosen.bottoms[chosen.form == FULL]
    tops = np.concatenate([full, whole, traced.left[parts], traced.right[parts]]).astype(np.int64)
    return tops, np.arange(len(tops)) < len(full)
