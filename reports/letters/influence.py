"""How far each factor moved a result, and which way, as a letter tells it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from registry.conversions import rule_of
from reports.letters.draft import Draft

Direction = Literal["adverse", "favourable"]

MAIN_SHARE = 0.01
"""A factor with less of the whole movement is told of only with the others together."""

MOST_MAIN = 10
STRONG, CLEAR = 0.3, 0.1


@dataclass(frozen=True, slots=True)
class Influence:
    """One factor's contribution; `share` is its part of the sum of all contributions' sizes."""

    factor: str
    label: str
    direction: Direction
    contribution: float
    share: float

    @property
    def weight(self) -> str:
        """The phrase for its weight."""
        if self.share >= STRONG:
            return "weight_strong"
        return "weight_clear" if self.share >= CLEAR else "weight_slight"

    @property
    def is_main(self) -> bool:
        """Whether it is told of by itself."""
        return self.share >= MAIN_SHARE


def influences(draft: Draft) -> tuple[Influence, ...]:
    """Return every factor, the largest contribution first; equal ones in the manifest's order."""
    phi = {row["feature"]: row["phi"] for row in draft.part["attribution"]["values"]}
    manifest = draft.source.manifest
    sign = rule_of(manifest).adverse_sign()
    sums = {one.name: math.fsum(phi[name] for name in one.features) for one in manifest.factors}
    whole = math.fsum(abs(contribution) for contribution in sums.values())
    found = [
        Influence(
            factor=factor,
            label=draft.factor_label(factor),
            direction="adverse" if contribution * sign > 0 else "favourable",
            contribution=contribution,
            share=abs(contribution) / whole if whole else 0.0,
        )
        for factor, contribution in sums.items()
    ]
    return tuple(sorted(found, key=lambda one: -one.share))


def main_of(all_of_them: Sequence[Influence], direction: Direction) -> tuple[Influence, ...]:
    """Return the main factors of one direction, the largest first."""
    return tuple(one for one in all_of_them if one.direction == direction and one.is_main)[:MOST_MAIN]
