"""Features that follow from others: recomputed whenever one of their parts changes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from explain.counterfactual.constraints.expressions import Expression, Range
from explain.counterfactual.constraints.grid import Grid
from explain.errors import ConstraintError

FloatArray = NDArray[np.float64]
Mask = NDArray[np.bool_]

ALIKE = 1e-6
"""How far a derived value without decimals that a caller sends may lie from its formula's, relatively."""


@dataclass(frozen=True, slots=True)
class Link:
    """A derived feature, its formula, and to how many decimals the result is rounded; None: not at all."""

    feature: str
    expression: Expression
    decimals: int | None = None

    @property
    def parts(self) -> tuple[str, ...]:
        """The features it is computed from."""
        return self.expression.parts

    @property
    def grid(self) -> Grid | None:
        """The decimals that its values lie on."""
        return None if self.decimals is None else Grid.decimals(self.decimals)

    def values(self, columns: Mapping[str, FloatArray]) -> FloatArray:
        """Return its value for each row, rounded; NaN where a part is missing or the formula has none."""
        return self._rounded(self.expression.evaluate(columns))

    def interval(self, ranges: Mapping[str, Range]) -> Range:
        """Return bounds of `values` over a box of ranges of its parts (rounding is monotone)."""
        low, high = (float(self._rounded(np.array([end]))[0]) for end in self.expression.interval(ranges))
        return low, high

    def agrees(self, given: FloatArray, columns: Mapping[str, FloatArray]) -> Mask:
        """Tell for each row whether a caller's value (n,) is the formula's.

        It is within half a unit of the decimals, or ALIKE. A missing part makes it missing. Where all parts
        are there and the formula has no value all the same, any value will do.
        """
        expected = self.expression.evaluate(columns)
        with np.errstate(all="ignore"):
            size = np.maximum(np.abs(expected), np.abs(given))
            grid = self.grid
            tolerance = ALIKE * size if grid is None else 0.5 * grid.step + 8.0 * np.spacing(size)
            close = np.abs(given - expected) <= tolerance
        return np.where(self.incomplete(columns), np.isnan(given), np.isnan(expected) | close)

    def incomplete(self, columns: Mapping[str, FloatArray]) -> Mask:
        """Tell for each row whether a part is missing."""
        return np.asarray(np.logical_or.reduce([np.isnan(columns[part]) for part in self.parts]))

    def _rounded(self, values: FloatArray) -> FloatArray:
        grid = self.grid
        if grid is None:
            return values
        with np.errstate(over="ignore", invalid="ignore"):
            on_grid = grid.values(grid.nearest(values)) + 0.0
        return np.where(np.isfinite(on_grid), on_grid, values)


def chained(links: Sequence[Link]) -> tuple[Link, ...]:
    """Return the links so that each comes after those it builds on; ConstraintError for a circle."""
    left = {link.feature: link for link in links}
    ordered: list[Link] = []
    while left:
        ready = [link for link in left.values() if not any(part in left for part in link.parts)]
        if not ready:
            raise ConstraintError(f"links in a circle: {', '.join(sorted(left))}")
        ordered.extend(left.pop(link.feature) for link in ready)
    return tuple(ordered)
