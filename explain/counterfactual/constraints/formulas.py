"""Formulas that derive nothing: without a value anywhere in the declared ranges, or always with the same one.

They are tried at points of the declared ranges: whole numbers and booleans in every combination where those
are few, all else at the ends and at points drawn between them, half of them by the order of magnitude of the
distance from an end or from zero: what people have may be a vanishing share of the range that is declared.
Where a divisor is not zero everywhere it is zero almost nowhere, so that a formula which can be computed
somewhere is computed at some point drawn. A value too large for float64 is no fault, and it is not constant.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from explain.counterfactual.constraints.checker import Constraints
from explain.counterfactual.constraints.links import Link
from explain.errors import FieldError
from explain.features import Feature

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]

_POINTS = 4096
_DRAWS = 16  # of what has many values, at least, beside each combination of what has few
_SMALLEST, _LARGEST = -6.0, 9.0  # powers of ten that a range without an end is drawn from
_ORDERS = 9.0  # powers of ten, at least, that the distances in a range with two ends are drawn from
_SAME = 4.0  # values within so many of the largest one's last places are one: no more than rounding does
_LOW, _HIGH, _FROM_LOW, _FROM_HIGH, _FROM_ZERO, _KINDS = 0, 1, 2, 3, 4, 8  # kinds of points; 5 to 7: evenly


def empty_formulas(constraints: Constraints) -> tuple[FieldError, ...]:
    """List the links that derive nothing, with pointers relative to the manifest's `counterfactuals`."""
    found = []
    for index, link in enumerate(constraints.links):
        features = [constraints.space.features[constraints.space.index(name)] for name in link.parts]
        if detail := _fault(link, _points(features)):
            found.append(FieldError(f"/links/{index}/equals", f"{link.feature}: {detail}"))
    return tuple(found)


def _fault(link: Link, points: Mapping[str, FloatArray]) -> str | None:
    values, divisors = link.expression.computed(points)
    undefined = np.zeros(values.shape, dtype=np.bool_)
    for divisor in divisors:
        undefined |= divisor == 0.0
    if undefined.all():
        return "the formula has no value anywhere in the declared ranges"
    values = values[~undefined]
    overflowed = not np.isfinite(values).all()
    if len(values) > 1 and not overflowed and _same(values):
        return "the formula always comes to the same value in the declared ranges"
    return None


def _same(values: FloatArray) -> bool:
    low, high = values.min(), values.max()
    with np.errstate(over="ignore"):
        return bool(high - low <= _SAME * np.spacing(max(abs(low), abs(high))))


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
    common = generator.integers(_FROM_LOW, _KINDS, _POINTS // 2)
    return {
        **{name: table.ravel()[which] for name, table in zip(listed, tables, strict=True)},
        **{feature.name: _drawn(feature, common, generator) for feature in drawn},
    }


def _all_values(feature: Feature) -> FloatArray | None:
    """Return every declared value of a feature that has few, or None."""
    low, high = _range(feature)
    if low == high:
        return np.array([low])
    if feature.type == "number" or high - low >= _POINTS or math.ceil(low) > math.floor(high):
        return None
    return np.arange(math.ceil(low), math.floor(high) + 1, dtype=np.float64)


def _drawn(feature: Feature, common: IntArray, generator: np.random.Generator) -> FloatArray:
    """Draw values between the ends; the ends come first, and about each eighth is one.

    `common` has the kinds that the first points have in every feature, so that all are small in some point.
    """
    low, high = _range(feature)
    kinds = np.concatenate([common, generator.integers(0, _KINDS, _POINTS - len(common))])
    kinds[:2] = _LOW, _HIGH
    if math.isinf(low) or math.isinf(high):
        drawn, low, high = _without_end(low, high, generator)
    else:
        whole = feature.type == "integer" and high - low >= _POINTS
        if whole:
            low, high = float(math.ceil(low)), float(math.floor(high))
        drawn = _within(low, high, whole, kinds, generator)
    return np.where(kinds == _LOW, low, np.where(kinds == _HIGH, high, drawn))


def _without_end(low: float, high: float, generator: np.random.Generator) -> tuple[FloatArray, float, float]:
    """Return values of a range without one end or both, and two to be taken for its ends."""
    far = 10.0 ** generator.uniform(_SMALLEST, _LARGEST, _POINTS)
    if math.isinf(low) and math.isinf(high):
        return far * generator.choice([-1.0, 1.0], _POINTS), 0.0, 1.0
    return (low + far, low, low) if math.isinf(high) else (high - far, high, high)


def _within(
    low: float, high: float, whole: bool, kinds: IntArray, generator: np.random.Generator
) -> FloatArray:
    """Return values of a range with two ends, each of its kind, whole numbers only where they are many."""
    zero = min(max(0.0, low), high)  # or what is next to it
    upward = generator.random(_POINTS) < 0.5 if low < zero < high else np.full(_POINTS, zero < high)
    share = generator.random(_POINTS)
    drawn = low * (1.0 - share) + high * share  # the width may be too large for float64
    for kind, start, up in ((_FROM_LOW, low, True), (_FROM_HIGH, high, False), (_FROM_ZERO, zero, upward)):
        orders = generator.random(_POINTS)
        away = np.where(
            up, start + _distances(start, high, whole, orders), start - _distances(start, low, whole, orders)
        )
        drawn = np.where(kinds == kind, away, drawn)
    return np.clip(np.rint(drawn) if whole else drawn, low, high)


def _distances(start: float, end: float, whole: bool, orders: FloatArray) -> FloatArray:
    """Return distances from one value towards another, of all orders of magnitude alike."""
    width = min(abs(end - start), sys.float_info.max)
    if width == 0.0:
        return np.zeros(len(orders))
    most = math.log10(width)
    least = 0.0 if whole else min(_SMALLEST, most - _ORDERS)
    return np.asarray(np.minimum(10.0 ** (least + (most - least) * orders), width))


def _range(feature: Feature) -> tuple[float, float]:
    if feature.type == "boolean":
        return 0.0, 1.0
    low, high = feature.minimum, feature.maximum
    return -math.inf if low is None else low, math.inf if high is None else high
