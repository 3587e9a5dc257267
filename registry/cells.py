"""Cells and columns of a reference population, read strictly, whatever file they come from."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from registry.errors import ReferenceInvalid
from schemas.manifest import Manifest
from schemas.manifest_sections import ManifestFeature
from schemas.problem import PointedError, pointer

FloatArray = NDArray[np.float64]

BYTES_LIMIT = 64 * 1024 * 1024
ROWS_LIMIT = 200_000
CELL_LIMIT = 1024
SHOWN_ERRORS = 20
LARGEST_FLOAT32 = float(np.finfo(np.float32).max)
LARGEST_INTEGER = 2**53


class Faults:
    """Collects faults up to a number worth reading."""

    def __init__(self) -> None:
        self.found: list[PointedError] = []

    def add(self, parts: Sequence[str | int], detail: str) -> None:
        """Note one fault; the last one worth reading ends the search."""
        self.found.append(PointedError(pointer=pointer(parts), detail=detail))
        if len(self.found) >= SHOWN_ERRORS:
            self.stop()

    def stop(self) -> None:
        """Refuse if anything was found."""
        if self.found:
            raise ReferenceInvalid(self.found)


def refuse(detail: str) -> ReferenceInvalid:
    """Return the refusal of a whole document."""
    return ReferenceInvalid([PointedError(pointer="", detail=detail)])


def column_places(header: Sequence[str], manifest: Manifest) -> list[int]:
    """Return where each feature's column is; missing, extra and repeated columns are refused by name."""
    faults = Faults()
    known = {feature.name for feature in manifest.features}
    seen: dict[str, int] = {}
    for place, name in enumerate(header):
        if name in seen:
            faults.add(("columns", name), "is given twice")
        elif name not in known:
            faults.add(("columns", name[:CELL_LIMIT]), "is not a feature of the manifest")
        seen[name] = place
    for feature in manifest.features:
        if feature.name not in seen:
            faults.add(("columns", feature.name), "is missing")
    faults.stop()
    return [seen[feature.name] for feature in manifest.features]


def category_reader(feature: ManifestFeature) -> Callable[[object], float]:
    """Return what turns a category into its code, its place in the manifest's list."""
    codes: dict[object, float] = {name: float(code) for code, name in enumerate(feature.categories or ())}

    def read(value: object) -> float:
        if value not in codes:
            raise ValueError("is not one of the feature's categories")
        return codes[value]

    return read


def missing(feature: ManifestFeature) -> float:
    """Return NaN for a missing value, if it may be missing."""
    if not feature.nullable:
        raise ValueError("must not be missing")
    return float("nan")


def bounded(number: float) -> float:
    """Return the number if a model can hold it, without a negative zero."""
    if not abs(number) <= LARGEST_FLOAT32:
        raise ValueError("is too large")
    return number + 0.0


def whole(number: float) -> float:
    """Return the number if it is a whole one that float64 keeps apart from its neighbours."""
    if not number.is_integer():
        raise ValueError("must be a whole number")
    if abs(number) > LARGEST_INTEGER:
        raise ValueError("is beyond the integers that can be told apart (2^53)")
    return number
