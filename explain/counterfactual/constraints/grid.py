"""The decimal grid on which changed values lie, so that they are shown exactly as they were scored."""

from __future__ import annotations

import math
from dataclasses import dataclass
from decimal import Decimal

import numpy as np
from numpy.typing import NDArray

from explain.errors import ConstraintError

FloatArray = NDArray[np.float64]

_LARGEST = 2**53
_COUNTED = 2.0**50  # units of the last decimal: three roundings of `nearest` stay well below half a step


@dataclass(frozen=True, slots=True)
class Grid:
    """The multiples of a decimal step, numerator / denominator.

    A grid value is one correctly rounded division, hence the float64 nearest to its decimal: 3 * 0.1 is 0.3.
    """

    numerator: int
    denominator: int

    @classmethod
    def of(cls, step: float) -> Grid:
        """Return the grid of a step as it is written in decimal; ConstraintError if it is none."""
        if not (math.isfinite(step) and step > 0):
            raise ConstraintError(f"a step is a positive number, not {step!r}")
        decimal = Decimal(repr(step))
        exponent = decimal.as_tuple().exponent
        places = max(0, -exponent) if isinstance(exponent, int) else 0
        denominator = 10**places
        numerator = int(decimal * denominator)
        if numerator > _LARGEST or denominator > 10**15:
            raise ConstraintError(f"the step {step!r} is too fine or too coarse for float64")
        return cls(numerator, denominator)

    @classmethod
    def decimals(cls, places: int) -> Grid:
        """Return the grid of all numbers with so many decimals; ConstraintError beyond 15."""
        if not 0 <= places <= 15:
            raise ConstraintError(f"{places} decimals are too many or too few for float64")
        return cls(1, 10**places)

    @property
    def step(self) -> float:
        """The step as a float64."""
        return self.numerator / self.denominator

    @property
    def counted(self) -> float:
        """The largest value up to which steps are counted exactly.

        Multiples and their products are whole numbers of float64 up to there, two neighbours are never one
        float64, and `nearest` finds the multiple of every value of the grid.
        """
        return _COUNTED / self.denominator

    def values(self, multiples: FloatArray) -> FloatArray:
        """Return the values of these whole multiples of the step."""
        return multiples * self.numerator / self.denominator

    def nearest(self, values: FloatArray) -> FloatArray:
        """Return the nearest whole multiples of the step."""
        return np.rint(values * (self.denominator / self.numerator))

    def holds(self, values: FloatArray) -> NDArray[np.bool_]:
        """Tell which values lie on the grid exactly."""
        return np.asarray(self.values(self.nearest(values)) == values)

    def meets(self, low: float, high: float) -> bool:
        """Tell whether some value of the grid lies in [low, high], ends included or infinite."""
        if math.isinf(low) or math.isinf(high):
            return low < high
        values = self.values(self.nearest(np.array([low])) + np.array([-1.0, 0.0, 1.0]))
        return bool(((values >= low) & (values <= high)).any())


def display_grids(spread: float) -> tuple[Grid, ...]:
    """Return the grids of a number without a declared step, coarse to fine: powers of ten.

    The first is at most 1 % of the spread; the others are for cells in which it has no value.
    """
    exponent = min(max(math.floor(math.log10(spread / 100.0)), -12), 12)
    powers = (exponent, exponent - 1, exponent - 2, exponent - 3)
    return tuple(Grid.of(float(Decimal(1).scaleb(max(power, -15)))) for power in powers)
