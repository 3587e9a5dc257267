"""What rows of real people say of the constraints that are declared for them: how many keep each.

Nothing here tells a value of a row: counts, the largest difference, and what the differences have in common.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from explain.counterfactual.constraints.checker import Constraints, one_hot
from explain.counterfactual.constraints.grid import Grid
from explain.counterfactual.constraints.inequalities import Inequality
from explain.counterfactual.constraints.links import Link
from explain.counterfactual.constraints.tied import Columns

FloatArray = NDArray[np.float64]
Mask = NDArray[np.bool_]

_FINEST = 9  # decimals that a link can declare
_ALIKE, _MOST = 0.02, 0.9  # a common ratio: so far from the median at most, in so many of the rows at least
_ENOUGH = 20  # rows compared, and at least half of all: of fewer it may be those rows that are wrong


@dataclass(frozen=True, slots=True, kw_only=True)
class Observed:
    """One group, link or inequality beside the rows.

    `pointer` is relative to the manifest's `counterfactuals`. `compared` counts the rows that have every part
    it needs, and of a link those where its formula has a value; `agreeing` those of them that keep it, and
    `contradicted` all rows that do not, also because a value is missing where it should not be. `difference`
    is the largest of a link from its formula, or of a sum beyond its bound; None where there is none.
    `remark` says what the contradictions have in common.
    """

    kind: Literal["group", "link", "inequality"]
    pointer: str
    rule: str
    features: tuple[str, ...]
    rows: int
    compared: int
    agreeing: int
    contradicted: int
    difference: float | None = None
    remark: str = ""

    @property
    def hopeless(self) -> bool:
        """Tell whether it, and not a few rows, is wrong.

        No row that can be compared keeps it, and either every row contradicts it, or enough of them do.
        """
        if self.agreeing or not self.contradicted:
            return False
        return self.contradicted == self.rows or self.compared >= max(_ENOUGH, self.rows / 2)


def observe(constraints: Constraints, rows: FloatArray) -> tuple[Observed, ...]:
    """Compare rows (n, features) with every group, link and inequality, each list in the declared order."""
    columns = Columns(constraints.space, rows)
    return (
        *_groups(constraints, rows),
        *(_link(at, link, columns, len(rows)) for at, link in enumerate(constraints.links)),
        *(_sum(at, one, columns, len(rows)) for at, one in enumerate(constraints.inequalities)),
    )


def _groups(constraints: Constraints, rows: FloatArray) -> Iterator[Observed]:
    for at, (names, members) in enumerate(zip(constraints.groups, constraints.members, strict=True)):
        own = rows[:, members]
        valid, compared = one_hot(own), ~np.isnan(own).any(axis=1)
        ones, strange = (own == 1.0).sum(axis=1), ((own != 0.0) & (own != 1.0)).any(axis=1)
        kinds = {
            "no 1": ~strange & (ones == 0),
            "more than one 1": ~strange & (ones > 1),
            "a missing value": ~compared,
            "another value than 0 and 1": strange & compared,
        }
        counted = [f"{int(mask.sum())} with {what}" for what, mask in kinds.items() if mask.any()]
        yield Observed(
            kind="group",
            pointer=f"/one_hot/{at}",
            rule=f"exactly one of {', '.join(names)} is 1, and all others are 0",
            features=names,
            rows=len(rows),
            compared=int(compared.sum()),
            agreeing=int(valid.sum()),
            contradicted=int((~valid).sum()),
            remark=", ".join(counted),
        )


def _link(at: int, link: Link, columns: Columns, rows: int) -> Observed:
    given, expected = columns[link.feature], link.expression.evaluate(columns)
    agrees = link.agrees(given, columns)
    compared = ~np.isnan(expected)  # a missing part leaves it without a value
    both = ~agrees & compared & ~np.isnan(given)
    half = int((~agrees & (np.isnan(given) | link.incomplete(columns))).sum())
    remarks = [f"{half} with the value or a part missing alone"] if half else []
    if both.any():
        remarks += _common(link, given[both], expected[both])
    return Observed(
        kind="link",
        pointer=f"/links/{at}",
        rule=f"{link.feature} = {link.expression.text}",
        features=(link.feature, *link.parts),
        rows=rows,
        compared=int(compared.sum()),
        agreeing=int((agrees & compared).sum()),
        contradicted=int((~agrees).sum()),
        difference=_largest(np.abs(given[both] - expected[both])),
        remark="; ".join(remarks),
    )


def _common(link: Link, given: FloatArray, expected: FloatArray) -> Iterator[str]:
    """Yield what would explain all of the differences: another unit, or values that were rounded before."""
    with np.errstate(all="ignore"):
        ratios = given / expected
        ratio = float(np.median(ratios))
        alike = np.abs(ratios - ratio) <= _ALIKE * abs(ratio)
    if len(ratios) > 1 and alike.mean() >= _MOST and not 0.9 <= ratio <= 1.1:
        yield f"the rows have about {ratio:.3g} times the formula's value: is it another unit?"
    for decimals in range(_FINEST if link.decimals is None else link.decimals):
        grid = Grid.decimals(decimals)
        if grid.holds(given).all():
            slack = 0.5 * grid.step + 8.0 * np.spacing(np.maximum(np.abs(given), np.abs(expected)))
            if (np.abs(given - expected) <= slack).all():
                yield f"they would agree with `decimals: {decimals}`"
            return


def _sum(at: int, inequality: Inequality, columns: Columns, rows: int) -> Observed:
    broken = ~np.broadcast_to(inequality.holds(columns), (rows,))
    with np.errstate(over="ignore", invalid="ignore"):
        total = sum((weight * columns[name] for name, weight in inequality.terms), np.zeros(rows))
    compared = ~np.isnan(total)
    return Observed(
        kind="inequality",
        pointer=f"/inequalities/{at}",
        rule=str(inequality),
        features=tuple(name for name, _ in inequality.terms),
        rows=rows,
        compared=int(compared.sum()),
        agreeing=int((compared & ~broken).sum()),
        contradicted=int(broken.sum()),
        difference=_largest(total[broken] - inequality.at_most),
    )


def _largest(differences: FloatArray) -> float | None:
    """Return the largest, in three digits: it need not be exact to be telling."""
    return float(f"{differences.max():.3g}") if len(differences) else None
