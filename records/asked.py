"""What a request asked of the counterfactuals, from the record into the terms of the search.

The service searches by the very part that it puts on record, so that whoever repeats the search later, from
the record alone, asks the same question.
"""

from __future__ import annotations

from typing import Literal, cast

from explain.counterfactual.aim import Aim
from explain.counterfactual.constraints.narrowing import Narrowing, PermittedRange
from records.counterfactual_parts import AskedPart, PermittedRow


def narrowing_of(asked: AskedPart) -> Narrowing | None:
    """The limits that were asked for; None where the manifest's alone count."""
    features, ranges, most = asked["features_to_vary"], asked["permitted_range"], asked["max_changes"]
    if features is None and not ranges and most is None:
        return None
    return Narrowing(
        features_to_vary=None if features is None else tuple(features),
        permitted_range={row["feature"]: _range(row) for row in ranges},
        max_changes=most,
    )


def aim_of(asked: AskedPart) -> Aim | None:
    """The goal that was named; None for the favourable outcome."""
    target = asked["target"]
    if target is None:
        return None
    return Aim(
        score=target["score"],
        direction=cast("Literal['below', 'above'] | None", target["direction"]),
        wanted_class=target["wanted_class"],
    )


def _range(row: PermittedRow) -> PermittedRange:
    if row["categories"] is not None:
        return tuple(row["categories"])
    return cast("tuple[float, float]", (row["least"], row["greatest"]))
