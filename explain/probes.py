"""Rows at which a model and its explanation are most likely to part: thresholds, gaps and rare categories."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from explain.features import FeatureSpace
from explain.models.base import Form
from explain.models.ensemble import TreeEnsemble

Reals = NDArray[np.float64]

REFERENCE_ROWS = 128
THRESHOLDS = 128
CATEGORIES = 64


def probe_rows(form: Form, space: FeatureSpace, reference: Reals, generator: np.random.Generator) -> Reals:
    """Draw reference rows, and rows changed in one feature each; shape (n, features).

    The changes: a threshold itself and one unit in the last place (of the model's own width) on either side
    of it; missing, where the feature may be; every category, also those that no split lists.
    """
    count = min(REFERENCE_ROWS, len(reference))
    rows = [reference[generator.choice(len(reference), count, replace=False)]]
    changes = [*_thresholds(form, generator), *_gaps(space), *_categories(space)]
    if changes:
        changed = reference[generator.integers(len(reference), size=len(changes))]
        for row, (feature, value) in zip(changed, changes, strict=True):
            row[feature] = value
        rows.append(changed)
    return np.concatenate(rows)


def _thresholds(trees: Form, generator: np.random.Generator) -> list[tuple[int, float]]:
    if not isinstance(trees, TreeEnsemble):
        return []
    nodes = np.flatnonzero(np.isfinite(trees.threshold))
    nodes = generator.choice(nodes, min(THRESHOLDS, len(nodes)), replace=False)
    width = np.float32 if trees.input_width == 32 else np.float64
    changes = []
    for node in nodes.tolist():
        threshold = width(trees.threshold[node])
        beside = (np.nextafter(threshold, width(-np.inf)), threshold, np.nextafter(threshold, width(np.inf)))
        changes += [(int(trees.feature[node]), float(value)) for value in beside if np.isfinite(value)]
    return changes


def _gaps(space: FeatureSpace) -> list[tuple[int, float]]:
    return [(position, float("nan")) for position, feature in enumerate(space.features) if feature.nullable]


def _categories(space: FeatureSpace) -> list[tuple[int, float]]:
    return [
        (position, float(code))
        for position, feature in enumerate(space.features)
        for code in range(min(CATEGORIES, len(feature.categories)))
    ]
