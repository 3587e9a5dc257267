"""Models with several classes: how far the best class of one side stands above the best of the other.

A decision among several classes is adverse because some adverse class has a larger margin than every
favourable one. What is explained is therefore a difference of two margins: of the adverse class with the
largest margin and of the favourable class with the largest. For the two classes of one row it is a linear
function of the margins, so its Shapley values are the differences of theirs (Shapley 1953, additivity),
exact where theirs are.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

FloatArray = NDArray[np.float64]
IntArray = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Contrast:
    """The classes of a model, in its own order, and which of them are adverse."""

    classes: tuple[str, ...]
    adverse: tuple[int, ...]

    def __post_init__(self) -> None:
        sides = set(self.adverse)
        if not sides or len(sides) == len(self.classes) or not sides <= set(range(len(self.classes))):
            raise ValueError("some classes must be adverse, and some must not")

    @property
    def favourable(self) -> tuple[int, ...]:
        """The classes that are not adverse."""
        return tuple(number for number in range(len(self.classes)) if number not in self.adverse)

    def best(self, margins: FloatArray) -> tuple[IntArray, IntArray]:
        """Return per row of margins (n, classes) the best adverse and the best favourable class.

        Of equal margins the earlier class counts, as the libraries' own choice of a class does.
        """
        adverse, favourable = np.array(self.adverse), np.array(self.favourable)
        return (
            adverse[np.argmax(margins[:, adverse], axis=1)],
            favourable[np.argmax(margins[:, favourable], axis=1)],
        )

    def margins(self, margins: FloatArray) -> FloatArray:
        """Return per row of margins (n, classes) the difference of the two best, positive where adverse."""
        rows = np.arange(len(margins))
        adverse, favourable = self.best(margins)
        return np.asarray(margins[rows, adverse] - margins[rows, favourable])
