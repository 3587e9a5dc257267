"""In what the constraints of a model version contradict its features or each other, each by name."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from explain.counterfactual.constraints.expressions import Range
from explain.counterfactual.constraints.freedoms import Freedom
from explain.counterfactual.constraints.inequalities import Inequality
from explain.counterfactual.constraints.links import Link, chained
from explain.errors import ConstraintError, FieldError
from explain.features import pointer_to

Group = tuple[str, ...]


def contradictions(
    freedoms: Sequence[Freedom],
    protected: frozenset[str],
    groups: Sequence[Group],
    inequalities: Sequence[Inequality],
    links: Sequence[Link],
) -> tuple[FieldError, ...]:
    """List them with pointers relative to the manifest's `counterfactuals`; none: they can be kept."""
    by_name = {freedom.name: freedom for freedom in freedoms}
    found = [
        FieldError(f"/features{pointer_to(freedom.name)}{place}", f"{freedom.name}: {detail}")
        for freedom in freedoms
        for place, detail in _of_freedom(freedom, freedom.name in protected)
    ]
    relations = _Relations(by_name, frozenset(name for group in groups for name in group), protected)
    for index, group in enumerate(groups):
        found += [FieldError(f"/one_hot/{index}{at}", detail) for at, detail in relations.of_group(group)]
    found += _shared(groups)
    for index, link in enumerate(links):
        found += [FieldError(f"/links/{index}{at}", detail) for at, detail in relations.of_link(link)]
    found += _of_chain(links)
    for index, inequality in enumerate(inequalities):
        places = relations.of_inequality(inequality)
        found += [FieldError(f"/inequalities/{index}{at}", detail) for at, detail in places]
    found += _opposed(by_name, inequalities)
    return tuple(found)


def _of_freedom(freedom: Freedom, protected: bool) -> Iterator[tuple[str, str]]:
    """Yield what is wrong with one feature's own constraint."""
    feature, constraint = freedom.feature, freedom.constraint
    if constraint.transitions is not None:
        yield from _of_transitions(freedom)
    if constraint.fill and not (constraint.mutable and feature.nullable):
        yield "/missing", "only what is mutable and nullable can be filled"
    if not constraint.mutable:
        return
    if protected or feature.sensitive:
        yield "/mutable", "a sensitive or protected feature, or a proxy of one, cannot be mutable"
    if not freedom.numeric:
        if constraint.step is not None or constraint.minimum is not None or constraint.maximum is not None:
            yield "", f"a {feature.type} has neither range nor step"
        if feature.type == "category" and constraint.direction is not None:
            yield "/direction", "a category has no direction"
    yield from _of_range(freedom)


def _of_range(freedom: Freedom) -> Iterator[tuple[str, str]]:
    """Yield what is wrong with a permitted range, or with its steps."""
    low, high, grid = freedom.low, freedom.high, freedom.grid
    if low > high:
        yield "/range", "the permitted range is empty"
        return
    if grid is None:
        return
    farthest = max((abs(end) for end in (low, high) if math.isfinite(end)), default=0.0)
    if farthest > grid.counted:
        yield (
            "/step",
            (
                f"in [{low:g}, {high:g}] steps of {grid.step:g} are too fine to be counted exactly: "
                f"that goes up to {grid.counted:g}"
            ),
        )
    elif not grid.meets(low, high):
        yield "/range", f"the permitted range is empty: no multiple of {grid.step:g} lies in it"


def _of_transitions(freedom: Freedom) -> Iterator[tuple[str, str]]:
    transitions, known = freedom.constraint.transitions or {}, set(freedom.feature.categories)
    if freedom.feature.type != "category":
        yield "/transitions", f"transitions are for categories, not for the type {freedom.feature.type}"
        return
    for name, targets in transitions.items():
        at = f"/transitions{pointer_to(name)}"
        if name not in known:
            yield at, f"{name!r} is none of its categories"
        for other in sorted(targets - known):
            yield at, f"{other!r} is none of its categories"


def _shared(groups: Sequence[Group]) -> Iterator[FieldError]:
    seen: set[str] = set()
    for index, group in enumerate(groups):
        for place, name in enumerate(group):
            if name in seen:
                yield FieldError(f"/one_hot/{index}/{place}", f"{name} is in two groups, or twice in one")
            seen.add(name)


def _opposed(by_name: Mapping[str, Freedom], inequalities: Sequence[Inequality]) -> Iterator[FieldError]:
    """Yield inequalities that bound the same sum from both sides and leave nothing between.

    Where a feature may be missing both can hold.
    """
    bounds: dict[tuple[tuple[str, float], ...], tuple[int, float]] = {}
    for index, inequality in enumerate(inequalities):
        terms = sorted((name, weight) for name, weight in inequality.terms if weight)
        if not terms or any(name not in by_name or by_name[name].feature.nullable for name, _ in terms):
            continue
        size = abs(terms[0][1])
        key = tuple((name, weight / size) for name, weight in terms)
        opposite = bounds.get(tuple((name, -weight) for name, weight in key))
        if opposite is not None and inequality.at_most / size + opposite[1] < 0.0:
            yield FieldError(
                f"/inequalities/{index}", f"contradicts inequality {opposite[0]}: no sum satisfies both"
            )
        known = bounds.get(key)
        if known is None or inequality.at_most / size < known[1]:
            bounds[key] = (index, inequality.at_most / size)


def _of_chain(links: Sequence[Link]) -> Iterator[FieldError]:
    features = [link.feature for link in links]
    for index, name in enumerate(features):
        if name in features[:index]:
            yield FieldError(f"/links/{index}/feature", f"{name} is derived twice")
    try:
        chained(links)
    except ConstraintError as circle:
        yield FieldError("/links", str(circle))


@dataclass(frozen=True, slots=True)
class _Relations:
    """Checks of what ties several features together."""

    by_name: Mapping[str, Freedom]
    grouped: frozenset[str]
    protected: frozenset[str]

    def of_group(self, group: Group) -> Iterator[tuple[str, str]]:
        """Yield what is wrong with a one-hot group."""
        if len(group) < 2:
            yield "", "a group has at least two members"
        for place, name in enumerate(group):
            freedom = self.by_name.get(name)
            if freedom is None:
                yield f"/{place}", f"{name} is no feature"
            elif freedom.feature.type == "category":
                yield f"/{place}", f"{name}: a category is no member of a group"
            elif not freedom.mutable:
                yield f"/{place}", f"{name}: every member of a group must be mutable"
            elif freedom.constraint.fill:
                yield f"/{place}", f"{name}: a member of a group is never missing"
            elif freedom.low > 0.0 or freedom.high < 1.0:
                yield f"/{place}", f"{name}: its permitted range leaves out 0 or 1"
            elif freedom.grid is not None and freedom.grid.step != 1.0:
                yield f"/{place}", f"{name}: its step leaves out 1"

    def of_link(self, link: Link) -> Iterator[tuple[str, str]]:
        """Yield what is wrong with a derived feature."""
        freedom = self.by_name.get(link.feature)
        if freedom is None:
            yield "/feature", f"{link.feature} is no feature"
            return
        yield from self._of_derived(link, freedom)
        for name in link.parts:
            part = self.by_name.get(name)
            if part is None:
                yield "/equals", f"{name} is no feature"
            elif part.feature.type == "category":
                yield "/equals", f"{name} is a category, not a number"
            else:
                yield from self._countable(part, "/equals")
                if part.feature.nullable and not freedom.feature.nullable:
                    yield "/feature", f"{link.feature} must be nullable: {name}, its part, may be missing"
        if all(name in self.by_name for name in link.parts):
            low, high = link.interval({name: self._range(name) for name in link.parts})
            if low > freedom.high or high < freedom.low:
                yield "/equals", f"no values of the declared ranges bring {link.feature} into its own"

    def _of_derived(self, link: Link, freedom: Freedom) -> Iterator[tuple[str, str]]:
        if not freedom.numeric:
            yield "/feature", f"{link.feature} is a {freedom.feature.type}, not a number"
        if freedom.mutable:
            yield "/feature", f"{link.feature}: a derived feature is not mutable by itself"
        if freedom.feature.sensitive or link.feature in self.protected:
            yield "/feature", f"{link.feature}: a sensitive or protected feature never changes"
        if freedom.feature.type == "integer" and link.decimals != 0:
            yield "/decimals", f"{link.feature} is an integer: it needs 0 decimals"

    def of_inequality(self, inequality: Inequality) -> Iterator[tuple[str, str]]:
        """Yield what is wrong with a weighted sum."""
        if not inequality.terms or not any(weight for _, weight in inequality.terms):
            yield "/terms", "an inequality needs a term whose weight is not 0"
        known = True
        for name, weight in inequality.terms:
            at, freedom = f"/terms{pointer_to(name)}", self.by_name.get(name)
            if freedom is None or not freedom.numeric:
                known = False
                yield at, f"{name} is no feature" if freedom is None else f"{name} is no number"
            elif not math.isfinite(weight):
                yield at, f"the weight of {name} is not finite"
            else:
                yield from self._countable(freedom, at)
        if known and inequality.least({name: self._range(name) for name, _ in inequality.terms}) > (
            inequality.at_most
        ):
            yield "", f"no values of the declared ranges satisfy {inequality}"

    def _countable(self, freedom: Freedom, at: str) -> Iterator[tuple[str, str]]:
        """Require that a number which may change has finitely many values to change to."""
        if not (freedom.mutable and freedom.numeric) or freedom.name in self.grouped:
            return
        if freedom.grid is None:
            yield at, f"{freedom.name} needs a step: it is mutable and tied to other features"
        if math.isinf(freedom.low) or math.isinf(freedom.high):
            yield at, f"{freedom.name} needs a range: it is mutable and tied to other features"

    def _range(self, name: str) -> Range:
        """Return the declared range of a feature: where an applicant's values usually lie."""
        feature = self.by_name[name].feature
        if feature.type == "boolean":
            return 0.0, 1.0
        low, high = feature.minimum, feature.maximum
        return -math.inf if low is None else low, math.inf if high is None else high
