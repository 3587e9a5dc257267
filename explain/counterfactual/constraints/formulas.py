"""Formulas that derive nothing: without a value anywhere in the declared ranges, or always with the same one.

They are tried at points of the declared ranges: whole numbers and booleans in every combination where those
are few, all else at the ends and at points drawn between them. Where a divisor is not zero everywhere it is
zero almost nowhere, so that a formula which can be computed somewhere is computed at some point drawn.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from explain.counterfactual.constraints.checker import Constraints
from explain.counterfactual.constraints.links import Link
from explain.errors import FieldError
from explain.features import Feature

FloatArray = NDArray[np.float64]

_POINTS = 4096
_DRAWS = 16  # of what has many values, at least, beside each combination of what has few
_SMALLEST, _LARGEST = -6.0, 9.0  # powers of ten that a range without an end is drawn from
_SAME = 1e-9  # values that lie within this share of each other are one


def empty_formulas(constraints: Constraints) -> tuple[FieldError, ...]:
    """List the links that derive nothing, with pointers relative to the manifest's `counterfactuals`."""
    found = []
    for index, link in enumerate(constraints.links):
        features = [constraints.space.features[constraints.space.index(name)] for name in link.parts]
        if detail := _fault(link, _points(features)):
            found.append(FieldError(f"/links/{index}/equals", f"{link.feature}: {detail}"))
    return tuple(found)


def _fault(link: Link, points: Mapping[str, FloatArray]) -> str | None:
    values = link.expression.evaluate(points)
    values = values[np.isfinite(values)]
    if not len(values):
        return "the formula has no value anywhere in the declared ranges"
    if len(values) > 1 and np.ptp(values) <= _SAME * np.abs(values).max():
        return "the formula always comes to the same value in the declared ranges"
    return None


def _points(features: Sequence[Feature]) -> dict[str, FloatArray]:
    """Return values of each feature (n,): every combination of those that have few, the others drawn."""
    listed = {feature.name: values for feature in features if (values := _all_values(feature)) is not None}
    drawn = [feature for feature in features if feature.name not in listed]
    combinations = math.prod(map(len, listed.values()))
    if combinations > (_POINTS // _DRAWS if drawn else _POINTS):
        listed, drawn, combinations = {}, list(features), 1
    which = np.arange(_POINTS if drawn else combinations) % combinations
    tables = np.meshgrid(*listed.values(), indexing="ij")
    generator = np.random.default_rng(0)
    return {
        **{name: table.ravel()[which] for name, table in zip(listed, tables, strict=True)},
        **{feature.name: _drawn(feature, generator) for feature in drawn},
    }


def _all_values(feature: Feature) -> FloatArray | None:
    """Return every declared value of a feature that has few, or None."""
    low, high = _range(feature)
    if low == high:
        return np.array([low])
    if feature.type == "number" or high - low >= _POINTS or math.ceil(low) > math.floor(high):
        return None
    return np.arange(math.ceil(low), math.floor(high) + 1, dtype=np.float64)


def _drawn(feature: Feature, generator: np.random.Generator) -> FloatArray:
    """Draw values between the ends, whole or not; the ends come first, and about each fourth is one."""
    low, high = _range(feature)
    far = 10.0 ** generator.uniform(_SMALLEST, _LARGEST, _POINTS)
    if math.isinf(low) and math.isinf(high):
        drawn, low, high = far * generator.choice([-1.0, 1.0], _POINTS), 0.0, 1.0
    elif math.isinf(high):
        drawn, high = low + far, low
    elif math.isinf(low):
        drawn, low = high - far, high
    else:
        drawn = low + (high - low) * generator.random(_POINTS)
    which = generator.integers(0, 8, _POINTS)
    which[:2] = 0, 1
    return np.where(which == 0, low, np.where(which == 1, high, drawn))


def _range(feature: Feature) -> tuple[float, float]:
    if feature.type == "boolean":
        return 0.0, 1.0
    low, high = feature.minimum, feature.maximum
    return -math.inf if low is None else low, math.inf if high is None else high
