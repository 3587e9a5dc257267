"""What an example hands over: everything that a registration and a first explanation need."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pandas import DataFrame

FeatureValue = float | int | bool | str | None


@dataclass(frozen=True, slots=True)
class ExampleBundle:
    """A trained model with its catalogue, manifest, reference rows and one adverse decision to explain.

    `auc` is the area under the ROC curve over the `held_out_rows` that the model was not trained on.
    """

    model: str
    version: str
    manifest_yaml: bytes
    catalogue_yaml: bytes
    artifact: bytes
    reference_csv: bytes
    declined: Mapping[str, object]
    auc: float
    held_out_rows: int


def plain_value(value: Any) -> FeatureValue:
    """Return one cell of a table as a JSON scalar; NaN is missing."""
    item = value.item() if hasattr(value, "item") else value
    if isinstance(item, float) and item != item:  # noqa: PLR0124  NaN is the one number unequal to itself
        return None
    if item is None or isinstance(item, bool | int | float | str):
        return item
    raise TypeError(f"{type(item).__name__} is no JSON scalar")


def features_of(table: DataFrame, row: int) -> dict[str, FeatureValue]:
    """Return one row of a table as the features of a request."""
    return {str(name): plain_value(table[name].iloc[row]) for name in table.columns}


def csv_of(table: DataFrame, rows: Sequence[int]) -> bytes:
    """Write these rows of a table as a reference file, an empty cell for a missing value."""
    columns = [[plain_value(value) for value in table[name].iloc[list(rows)]] for name in table.columns]
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(table.columns)
    writer.writerows([_cell(value) for value in cells] for cells in zip(*columns, strict=True))
    return out.getvalue().encode()


def _cell(value: FeatureValue) -> str:
    if value is None:
        return ""
    return str(value).lower() if isinstance(value, bool) else str(value)
