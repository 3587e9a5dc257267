"""Rows at which a model and its explanation are most likely to part: thresholds, zeros, gaps, categories."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from explain.features import LARGEST_FLOAT32, FeatureSpace
from explain.models.base import Form
from explain.models.ensemble import LEAF, MISSING_ZERO, NUMERIC, ZERO_WINDOW, TreeEnsemble
from explain.models.linear import LinearForm

Reals = NDArray[np.float64]
Change = tuple[int, float]

REFERENCE_ROWS = 128
THRESHOLDS = 128
CATEGORIES = 4_096


def probe_rows(form: Form, space: FeatureSpace, reference: Reals, generator: np.random.Generator) -> Reals:
    """Draw reference rows, and rows changed in one feature each; shape (n, features).

    The changes: a threshold itself and one unit in the last place (of 32 bits, and of 64) on either side
    of it; zero, and the edges of what counts as zero where that is missing; a weight's feature at
    zero; the ends of declared ranges; missing, where the feature may be; every category, also those that no
    split lists (of more than 4,096, so many at random).
    """
    count = min(REFERENCE_ROWS, len(reference))
    rows = [reference[generator.choice(len(reference), count, replace=False)]]
    changes = [*_numbers(form, space, generator), *_ends(space), *_gaps(space)]
    changes += _categories(space, generator)
    if changes:
        changed = reference[generator.integers(len(reference), size=len(changes))]
        for row, (feature, value) in zip(changed, changes, strict=True):
            row[feature] = value
        rows.append(changed)
    return np.concatenate(rows)


def _numbers(form: Form, space: FeatureSpace, generator: np.random.Generator) -> list[Change]:
    """Return the numbers at which the form itself turns."""
    if isinstance(form, LinearForm):
        return [(int(at), 0.0) for at in np.flatnonzero(np.any(form.weights != 0.0, axis=0))]
    categories = np.array([feature.type == "category" for feature in space.features], dtype=np.bool_)
    splits = (form.left != LEAF) & (form.category_start == NUMERIC) & np.isfinite(form.threshold)
    nodes = np.flatnonzero(splits & ~categories[form.feature])
    drawn = generator.choice(nodes, min(THRESHOLDS, len(nodes)), replace=False)
    at_thresholds = [
        (int(form.feature[node]), value) for node in drawn.tolist() for value in _beside(form.threshold[node])
    ]
    changes = [*at_thresholds, *_zeros(form, nodes)]
    return [change for change in changes if abs(change[1]) <= _largest(space)]


def _zeros(trees: TreeEnsemble, nodes: NDArray[np.intp]) -> list[Change]:
    """Return zero for every number that these nodes test, and the zero window's edges where one has it."""
    windowed = set(trees.feature[nodes[trees.missing[nodes] == MISSING_ZERO]].tolist())
    edges = [*_beside(-ZERO_WINDOW), *_beside(ZERO_WINDOW)]
    return [
        (at, value)
        for at in np.unique(trees.feature[nodes]).tolist()
        for value in [0.0, *(edges if at in windowed else [])]
    ]


def _beside(number: float) -> list[float]:
    """Return a number and its neighbours in 32 bits and in 64: a form may be wrong about its own width."""
    near = [math.nextafter(number, -math.inf), float(number), math.nextafter(number, math.inf)]
    with np.errstate(over="ignore"):
        narrow = np.float32(number)
        sides = (np.float32(-np.inf), narrow, np.float32(np.inf))
        near += [float(np.nextafter(narrow, side)) for side in sides]
    return [value for value in dict.fromkeys(near) if math.isfinite(value)]


def _largest(space: FeatureSpace) -> float:
    return LARGEST_FLOAT32 if space.float_width == 32 else sys.float_info.max


def _ends(space: FeatureSpace) -> Iterator[Change]:
    for position, feature in enumerate(space.features):
        for end in (feature.minimum, feature.maximum):
            if end is not None and abs(end) <= _largest(space):
                yield position, end


def _gaps(space: FeatureSpace) -> Iterator[Change]:
    return ((position, math.nan) for position, feature in enumerate(space.features) if feature.nullable)


def _categories(space: FeatureSpace, generator: np.random.Generator) -> list[Change]:
    every = [
        (position, float(code))
        for position, feature in enumerate(space.features)
        for code in range(len(feature.categories))
    ]
    if len(every) <= CATEGORIES:
        return every
    return [every[at] for at in generator.choice(len(every), CATEGORIES, replace=False).tolist()]
