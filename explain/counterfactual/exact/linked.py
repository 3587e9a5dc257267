"""What a box of positions means for the features that follow from it, and whether it can be permitted."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from explain.counterfactual.constraints.checker import Constraints
from explain.counterfactual.constraints.inequalities import Inequality
from explain.counterfactual.constraints.links import Link
from explain.counterfactual.exact.domains import Domains

IntArray = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Extent:
    """The values that one feature can take in a box: a range, a missing value, or both.

    `may_stay` says that the value the applicant has is among them because nothing need change.
    """

    low: float
    high: float
    missing: bool
    may_stay: bool

    @property
    def present(self) -> bool:
        """Whether it can be there."""
        return self.low <= self.high

    @classmethod
    def only(cls, value: float) -> Extent:
        """Return the extent of what cannot change."""
        absent = math.isnan(value)
        return cls(math.inf, -math.inf, True, True) if absent else cls(value, value, False, True)


@dataclass(frozen=True, slots=True, eq=False)
class Ties:
    """The links and inequalities of one problem over its variables."""

    domains: Domains
    owners: Mapping[str, tuple[int, int]]  # the variable of a feature, and its column there

    @classmethod
    def of(cls, domains: Domains) -> Ties:
        """Find the variables that links and inequalities speak of."""
        features = domains.problem.constraints.space.features
        owners = {
            features[at].name: (v, column)
            for v, variable in enumerate(domains.variables)
            for column, at in enumerate(variable.features)
        }
        return cls(domains, owners)

    @property
    def needed(self) -> bool:
        """Whether there is any link or inequality."""
        return bool(self._constraints.links or self._constraints.inequalities)

    @property
    def _constraints(self) -> Constraints:
        return self.domains.problem.constraints

    def implied(self, low: IntArray, high: IntArray) -> list[Extent] | None:
        """Return the extents of the derived features, in the chain's order, in one box (variables,).

        None if no row of the box can be permitted.
        """
        known: dict[str, Extent] = {}
        for link in self._constraints.chain:
            parts = [self._extent(part, low, high, known) for part in link.parts]
            found = self._derived(link, dict(zip(link.parts, parts, strict=True)))
            if found is None:
                return None
            known[link.feature] = found
        for inequality in self._constraints.inequalities:
            terms = {name: self._extent(name, low, high, known) for name, _ in inequality.terms}
            if _broken(inequality, terms):
                return None
        return [known[link.feature] for link in self._constraints.chain]

    def _extent(self, name: str, low: IntArray, high: IntArray, known: Mapping[str, Extent]) -> Extent:
        if name in known:
            return known[name]
        if name not in self.owners:
            at = self._constraints.space.index(name)
            return Extent.only(float(self.domains.problem.instance.row[at]))
        v, column = self.owners[name]
        variable = self.domains.variables[v]
        may_stay = bool(low[v] <= variable.stay < high[v])
        if len(variable.features) == 1:  # ascending, a missing one first
            first, last = int(low[v]), int(high[v]) - 1
            missing = math.isnan(variable.values[first, 0])
            if missing and first == last:
                return Extent(math.inf, -math.inf, True, may_stay)
            ends = variable.values[first + missing, 0], variable.values[last, 0]
            return Extent(float(ends[0]), float(ends[1]), missing, may_stay)
        values = variable.values[low[v] : high[v], column]
        return Extent(float(values.min()), float(values.max()), False, may_stay)

    def _derived(self, link: Link, parts: Mapping[str, Extent]) -> Extent | None:
        """Return what a derived feature can be; None if it can be nothing that is permitted."""
        at = self._constraints.space.index(link.feature)
        before = float(self.domains.problem.instance.row[at])
        may_stay = all(part.may_stay for part in parts.values())
        low, high, missing = math.inf, -math.inf, any(part.missing for part in parts.values())
        if all(part.present for part in parts.values()):
            low, high = link.interval({name: (part.low, part.high) for name, part in parts.items()})
            least, most = self._constraints.limits(at)
            low, high = max(low, least), min(high, most)  # what lies beyond is not permitted
        if may_stay:
            if math.isnan(before):
                missing = True
            else:
                low, high = min(low, before), max(high, before)
        return Extent(low, high, missing, may_stay) if low <= high or missing else None


def _broken(inequality: Inequality, terms: Mapping[str, Extent]) -> bool:
    """Tell whether an inequality surely does not hold: no term can be missing, and the least is too much."""
    if any(extent.missing or not extent.present for extent in terms.values()):
        return False
    least = inequality.least({name: (extent.low, extent.high) for name, extent in terms.items()})
    size = sum(
        abs(weight) * max(abs(terms[name].low), abs(terms[name].high)) for name, weight in inequality.terms
    )
    slack = float(inequality.slack(np.array(size + abs(inequality.at_most))))
    return least - inequality.at_most > 2.0 * slack
