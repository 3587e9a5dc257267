"""What a model family shows of itself: artifacts that are explained exactly, artifacts that are refused.

A family's file under tests/conformance/explain/families lists them; the same tests run over all of them, and
the capability matrix in the documentation is drawn from them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from explain.features import FeatureSpace

Reals = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Example:
    """One trained model: its file, and the truth about it from its own library.

    `rows` (n, features) are explained, against `reference` (m, features). `margins64` gives the margin of
    rows as float64 sums of the native library's own leaves (or its own float64 margin), shape (n,) or
    (n, outputs); `native` the margin that the library's own Python package gives, to `native_error` where
    the package has no margin but only its image under a link.
    """

    artifact: bytes
    space: FeatureSpace
    rows: Reals
    reference: Reals
    margins64: Callable[[Reals], Reals]
    native: Callable[[Reals], Reals]
    native_error: float = 0.0


@dataclass(frozen=True)
class Construct:
    """One row of the capability matrix: a construct of a family and how an example of it is trained."""

    family: str
    name: str
    train: Callable[[], Example]


@dataclass(frozen=True)
class Refused:
    """One row of the capability matrix: a construct that is refused; `says` is a pattern of its message."""

    family: str
    name: str
    artifact: Callable[[], tuple[bytes, FeatureSpace]]
    says: str
