"""The features a model was trained on, and the strict reading of what a caller sends."""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from explain.errors import FieldError, InvalidFeatures

FeatureType = Literal["number", "integer", "boolean", "category"]
FloatWidth = Literal[32, 64]
Value = float | int | bool | str | None

LARGEST_FLOAT32 = float(np.finfo(np.float32).max)
LARGEST_INTEGER = 2**53  # beyond it neither JSON nor float64 keeps every integer apart


@dataclass(frozen=True, slots=True)
class Feature:
    """One input of the model: its type, its declared range and whether it may be missing."""

    name: str
    type: FeatureType
    unit: str | None = None
    minimum: float | None = None
    maximum: float | None = None
    categories: tuple[str, ...] = ()
    nullable: bool = False
    sensitive: bool = False

    def __post_init__(self) -> None:
        if (self.type == "category") != bool(self.categories):
            raise ValueError(
                f"feature {self.name!r}: categories belong to the type category, and to it alone"
            )
        if len(set(self.categories)) != len(self.categories):
            raise ValueError(f"feature {self.name!r}: a category is listed twice")


@dataclass(frozen=True, slots=True)
class Warning_:  # noqa: N801  `Warning` is Python's own
    """Something worth telling about an accepted input."""

    code: str
    pointer: str
    detail: str


@dataclass(frozen=True, slots=True, eq=False)
class Instance:
    """One row as the model sees it.

    `values` are what the caller sent, typed and in model order; `row` is the same as float64, with NaN for
    missing, the category's code and 0 or 1 for a boolean.
    """

    values: tuple[Value, ...]
    row: NDArray[np.float64]
    warnings: tuple[Warning_, ...] = ()


@dataclass(frozen=True, slots=True)
class FeatureSpace:
    """The features in the model's own order, and the width in which the model reads their numbers."""

    features: tuple[Feature, ...]
    float_width: FloatWidth = 32
    _positions: Mapping[str, int] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        positions = {feature.name: position for position, feature in enumerate(self.features)}
        if len(positions) != len(self.features):
            raise ValueError("a feature is listed twice")
        object.__setattr__(self, "_positions", positions)

    @property
    def names(self) -> tuple[str, ...]:
        """The feature names in model order."""
        return tuple(feature.name for feature in self.features)

    def index(self, name: str) -> int:
        """Return the position of a feature in model order; KeyError if there is none of that name."""
        return self._positions[name]

    def read(self, given: Mapping[str, object]) -> Instance:
        """Read a caller's features strictly, in whatever order they come.

        Every fault is collected, then raised at once as InvalidFeatures. A value outside the declared range
        is accepted and flagged; an unseen category is refused.
        """
        errors = self._unknown_names(given)
        values: list[Value] = []
        for feature in self.features:
            value: Value = None
            if feature.name not in given:
                errors.append(FieldError(pointer_to(feature.name), "is missing"))
            else:
                try:
                    value = _read_value(feature, given[feature.name], self.float_width)
                except ValueError as fault:
                    errors.append(FieldError(pointer_to(feature.name), str(fault)))
            values.append(value)
        if errors:
            raise InvalidFeatures(errors)
        return self._assemble(tuple(values))

    def instance(self, row: NDArray[np.float64]) -> Instance:
        """Rebuild the typed values of a float64 row in model order, as `read` would have made it."""
        if row.shape != (len(self.features),):
            raise InvalidFeatures(
                [FieldError("", f"{len(self.features)} values are needed, not shape {row.shape}")]
            )
        given = {
            feature.name: _value_of_number(feature, float(number))
            for feature, number in zip(self.features, row, strict=True)
        }
        return self.read(given)

    def _unknown_names(self, given: Mapping[str, object]) -> list[FieldError]:
        """Name the fields that are no features, with the likeliest intended one."""
        errors = []
        for name in given:
            if name in self._positions:
                continue
            close = difflib.get_close_matches(
                name, [known for known in self.names if known not in given], n=1
            )
            hint = f"; did you mean {close[0]!r}?" if close else ""
            errors.append(FieldError(pointer_to(name), f"is not a feature of this model{hint}"))
        return errors

    def _assemble(self, values: tuple[Value, ...]) -> Instance:
        pairs = tuple(zip(self.features, values, strict=True))
        row = np.array([_number_of_value(feature, value) for feature, value in pairs], dtype=np.float64)
        row.setflags(write=False)
        warnings = tuple(warning for feature, value in pairs if (warning := _range_warning(feature, value)))
        return Instance(values, row, warnings)


def pointer_to(name: str) -> str:
    """Return the JSON pointer (RFC 6901) of a member of the features object."""
    return "/" + name.replace("~", "~0").replace("/", "~1")


def _read_value(feature: Feature, given: object, float_width: FloatWidth) -> Value:
    """Type one given value; ValueError says what is wrong with it."""
    if given is None:
        if not feature.nullable:
            raise ValueError("must not be null")
        return None
    if feature.type == "category":
        return _read_category(feature, given)
    if feature.type == "boolean":
        if not isinstance(given, bool):
            raise ValueError("must be true or false")
        return given
    if isinstance(given, bool) or not isinstance(given, int | float):
        raise ValueError(f"must be {'an integer' if feature.type == 'integer' else 'a number'}")  # noqa: TRY004
    if feature.type == "integer":
        return _read_integer(given)
    return _read_number(given, float_width)


def _read_category(feature: Feature, given: object) -> str:
    if not isinstance(given, str):
        raise ValueError("must be a string naming a category")  # noqa: TRY004
    if given not in feature.categories:
        shown = ", ".join(feature.categories[:20]) + (", ..." if len(feature.categories) > 20 else "")
        raise ValueError(f"is not a category known to the model (known: {shown})")
    return given


def _read_integer(given: float) -> int:
    if isinstance(given, float) and not given.is_integer():
        raise ValueError("must be an integer")
    number = int(given)
    if abs(number) > LARGEST_INTEGER:
        raise ValueError("is beyond the integers that can be told apart (2^53)")
    return number


def _read_number(given: float, float_width: FloatWidth) -> float:
    try:
        number = float(given)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise ValueError("must be a finite number")
    if float_width == 32 and abs(number) > LARGEST_FLOAT32:
        raise ValueError("is too large for the model's 32-bit numbers")
    return number + 0.0  # turns -0.0 into 0.0: equal numbers must give equal bytes


def _value_of_number(feature: Feature, number: float) -> object:
    """Give a number of a model-order row the type a caller would have sent."""
    if math.isnan(number):
        return None
    if feature.type == "boolean" and number in (0.0, 1.0):
        return number == 1.0
    if feature.type == "category" and number.is_integer() and 0 <= number < len(feature.categories):
        return feature.categories[int(number)]
    return number


def _number_of_value(feature: Feature, value: Value) -> float:
    if value is None:
        return math.nan
    if isinstance(value, str):
        return float(feature.categories.index(value))
    return float(value)


def _range_warning(feature: Feature, value: Value) -> Warning_ | None:
    if value is None or isinstance(value, str | bool):
        return None
    below = feature.minimum is not None and value < feature.minimum
    above = feature.maximum is not None and value > feature.maximum
    if not (below or above):
        return None
    bounds = f"[{_bound(feature.minimum)}, {_bound(feature.maximum)}]"
    return Warning_("out_of_range", pointer_to(feature.name), f"lies outside the declared range {bounds}")


def _bound(limit: float | None) -> str:
    return "unbounded" if limit is None else f"{limit:g}"
