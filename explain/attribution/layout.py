"""Laying the trees out for the kernel: inner nodes, then units, then the places of their tables."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from explain.attribution.compiling import compiled
from explain.attribution.planning import opened_by, tests_of
from explain.attribution.structures import Ints, Small, Traced, Units, Words

MASK_SLOTS = 31  # later slots share a bit: leaves that far down are listed and never read their mask


def lay_out(traced: Traced, tops: Ints, full: NDArray[np.bool_]) -> Units:
    """Lay the trees out with these units; every leaf outside them must be listed."""
    trees = len(traced.offsets) - 1
    tree_of = np.repeat(np.arange(trees), np.diff(traced.offsets))
    order = np.lexsort((tops, ~full, tree_of[tops]))
    tops, full = tops[order], full[order]
    inner = np.flatnonzero((traced.height > 0) & ~_inside(traced, tops))
    inner_count = np.bincount(tree_of[inner], minlength=trees)
    unit_count = np.bincount(tree_of[tops], minlength=trees)
    inner_at, unit_at = _starts(inner_count), _starts(unit_count)
    place = (inner_count + unit_count)[tree_of].astype(np.int32)  # a listed leaf's: never read
    place[inner] = np.arange(len(inner)) - inner_at[tree_of[inner]]
    place[tops] = np.arange(len(tops)) - unit_at[tree_of[tops]] + inner_count[tree_of[tops]]
    slots, tests, opened = traced.slots[tops], tests_of(traced)[tops], opened_by(traced)[tops]
    features = slots + opened
    width = np.where(full, features, 1 + opened)
    numbers = np.left_shift(np.int64(1), slots + tests) * np.where(full, width, width + 1)
    columns = [*_tests(traced, tops), tests, slots, width, _starts(features)[:-1]]
    return Units(
        inner_at=inner_at,
        inner=np.stack(
            [
                traced.column[inner],
                traced.cut[inner],
                np.minimum(traced.slot[inner], MASK_SLOTS),
                place[traced.left[inner]],
                place[traced.right[inner]],
            ],
            axis=1,
        ).astype(np.uint32),
        unit_at=unit_at,
        pair_at=unit_at[:-1] + np.bincount(tree_of[tops[full]], minlength=trees),
        units=np.stack(columns, axis=1).astype(np.uint32),
        table_at=_starts(numbers),
        features=unit_features(traced, tops, np.zeros(int(features.sum()), np.uint32)),
        top=tops.astype(np.uint32),
        places=int((inner_count + unit_count).max(initial=0)) + 1,
    )


def _inside(traced: Traced, tops: Ints) -> NDArray[np.bool_]:
    """Tell which nodes stand in a unit: at most two levels below its top."""
    inside = np.zeros(len(traced.parent), dtype=np.bool_)
    inside[tops] = True
    for _ in range(2):
        inside |= (traced.parent >= 0) & inside[traced.parent]
    return inside


def _tests(traced: Traced, tops: Ints) -> list[Small | Ints]:
    """Return the columns and cuts of each unit's tests: the top's, then those of its inner children."""
    none = np.zeros(len(tops), np.int32), np.ones(len(tops), np.int32)
    high = traced.height[tops] > 1
    left, right = traced.left[tops], traced.right[tops]
    has_left, has_right = high & (traced.height[left] > 0), high & (traced.height[right] > 0)
    second = np.where(has_left, left, right)
    top, below, last = (
        (np.where(there, traced.column[nodes], none[0]), np.where(there, traced.cut[nodes], none[1]))
        for nodes, there in (
            (tops, traced.height[tops] > 0),
            (second, has_left | has_right),
            (right, has_left & has_right),
        )
    )
    return [*top, *below, *last]


@compiled
def unit_features(traced: Traced, tops: Ints, features: Words) -> Words:
    """Fill in, unit by unit, the features of the slots above it and of those its own tests open."""
    at = 0
    for u in range(len(tops)):
        top = tops[u]
        node = traced.parent[top]
        while node >= 0:
            features[at + traced.slot[node]] = traced.feature[node]
            node = traced.parent[node]
        at += traced.slots[top]
        if traced.height[top] > 0:
            for node in (np.int32(top), traced.left[top], traced.right[top]):
                if traced.height[node] > 0 and traced.slot[node] == traced.slots[node]:
                    features[at] = traced.feature[node]
                    at += 1
    return features


def _starts(lengths: Ints) -> Ints:
    return np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
