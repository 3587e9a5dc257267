"""What a caller may ask for beyond the manifest: less. What would allow more is refused by name."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from explain.counterfactual.constraints.freedoms import Freedom
from explain.errors import FieldError
from explain.features import pointer_to

PermittedRange = tuple[float, float] | tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Narrowing:
    """Tighter limits for one request.

    `features_to_vary`: of the mutable features only these; None for all. `permitted_range`: least and
    greatest of a number, or the categories that a category may become. `max_changes`: fewer than the
    manifest's.
    """

    features_to_vary: tuple[str, ...] | None = None
    permitted_range: Mapping[str, PermittedRange] = field(default_factory=dict)
    max_changes: int | None = None

    def faults(self, freedoms: Sequence[Freedom], max_changes: int) -> list[FieldError]:
        """List everything in which it is not narrower, with pointers relative to the request's own part."""
        by_name = {freedom.name: freedom for freedom in freedoms}
        found = list(self._faults_of_features(by_name))
        for name, given in self.permitted_range.items():
            at = "/permitted_range" + pointer_to(name)
            freedom = by_name.get(name)
            if freedom is None:
                found.append(FieldError(at, "is not a feature of this model"))
            else:
                found.extend(
                    FieldError(at + place, detail) for place, detail in _faults_of_range(freedom, given)
                )
        if self.max_changes is not None and not 1 <= self.max_changes <= max_changes:
            found.append(FieldError("/max_changes", f"must be between 1 and the manifest's {max_changes}"))
        return found

    def _faults_of_features(self, by_name: Mapping[str, Freedom]) -> Iterator[FieldError]:
        for index, name in enumerate(self.features_to_vary or ()):
            at = f"/features_to_vary/{index}"
            if name not in by_name:
                yield FieldError(at, "is not a feature of this model")
            elif not by_name[name].mutable:
                yield FieldError(at, "may not change")
        if self.features_to_vary is not None and not self.features_to_vary:
            yield FieldError("/features_to_vary", "leaves nothing that may change")

    def applied(self, freedoms: Sequence[Freedom]) -> tuple[Freedom, ...]:
        """Return all features' freedoms within these limits; only for a narrowing without faults.

        What it says nothing about is the same object, so that a request pays for what it names.
        """
        vary = None if self.features_to_vary is None else frozenset(self.features_to_vary)
        return tuple(self._applied(freedom, vary) for freedom in freedoms)

    def _applied(self, freedom: Freedom, vary: frozenset[str] | None) -> Freedom:
        constraint, given = freedom.constraint, self.permitted_range.get(freedom.name)
        closed = vary is not None and constraint.mutable and freedom.name not in vary
        if given is None and not closed:
            return freedom
        if closed:
            constraint = replace(constraint, mutable=False)
        if given is not None and freedom.feature.type == "category":
            constraint = replace(constraint, allowed=frozenset(map(str, given)))
        elif given is not None:
            low, high = map(float, given)
            constraint = replace(constraint, minimum=low, maximum=high)
        return freedom.narrowed(constraint)


def _faults_of_range(freedom: Freedom, given: PermittedRange) -> list[tuple[str, str]]:
    """List what is wrong with one permitted range, each with its place in it; nothing if it is narrower."""
    labels = tuple(one for one in given if isinstance(one, str))
    fault: str | None
    if not (freedom.mutable or freedom.derived):
        fault = "may not change"
    elif freedom.feature.type == "boolean":
        fault = "is for numbers, integers and categories, not for true and false"
    elif freedom.feature.type == "category":
        if len(labels) == len(given) and labels:
            return list(_faults_of_categories(freedom, labels))
        fault = "must be categories" if given else "is empty"
    elif not given:
        fault = "is empty"
    elif labels or len(given) != 2:
        fault = "must be least and greatest"
    else:
        fault = _fault_of_numbers(freedom, *map(float, given))
    return [("", fault)] if fault else []


def _fault_of_numbers(freedom: Freedom, low: float, high: float) -> str | None:
    if not low <= high:
        return "is empty: it must be ordered, least and greatest"
    if low < freedom.low or high > freedom.high:
        return f"must lie within the manifest's: {_written(freedom.low, freedom.high)}"
    if low > freedom.counted or high < -freedom.counted:
        return "is empty: values so large have no steps that can be counted"
    least, greatest = max(low, -freedom.counted), min(high, freedom.counted)
    if freedom.grid is not None and not freedom.grid.meets(least, greatest):
        return f"is empty: no multiple of {_exact(freedom.grid.step)} lies in it"
    return None


def _written(low: float, high: float) -> str:
    """Write a range as somebody says it who knows of no infinity."""
    if math.isinf(high):
        return f"at least {_exact(low)}"
    return f"at most {_exact(high)}" if math.isinf(low) else f"{_exact(low)} to {_exact(high)}"


def _exact(number: float) -> str:
    """Write a number with all its digits, a whole one without a point."""
    return repr(float(number)).removesuffix(".0")


def _faults_of_categories(freedom: Freedom, labels: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    wanted = frozenset(labels)
    codes = {name: code for code, name in enumerate(freedom.feature.categories) if name in wanted}
    reachable = freedom.reachable_codes()
    for index, label in enumerate(labels):
        if label not in codes:
            yield f"/{index}", "is not a category known to the model"
        elif codes[label] not in reachable:
            yield f"/{index}", "is a category that nothing may become"
