"""Two accounts of one decision, the recorded one and one computed again: where they differ, and by how much.

Reals may differ within the tolerance of the record's own reconciliation; everything else is equal or
different. Differences come in one order: that of the parts, then that of the members as they are declared.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

Verdict = Literal["identical", "within_tolerance", "different"]

# In margin space: the tolerance of the reconciliation itself.
_MARGINS = frozenset({"margin", "base_value", "phi", "expected", "sum", "error", "contribution"})
# In units of their own: the same tolerance, relative to the number where that is above 1.
_OTHERS = frozenset({"score", "share", "reference_value", "cost", "least_cost", "tolerance"})
# What records of earlier forms do not say: where one lacks it, there is nothing to compare with.
_LATER = frozenset(
    {
        *("band", "sensitive", "proxy", "component", "wording", "given", "reasons", "reference_value"),
        *("derived", "margin", "evaluations", "seed", "effort", "proof", "dropped", "least_cost", "asked"),
    }
)


@dataclass(frozen=True, slots=True)
class Tolerance:
    """How far two reals may be apart: `margins` in margin space, `relative` times max(1, |recorded|) else."""

    margins: float
    relative: float

    @classmethod
    def of(cls, margin: float, reconciliation: float) -> Tolerance:
        """The tolerance with which this margin was reconciled: 1e-4 or 1e-8 times max(1, |margin|)."""
        return cls(reconciliation, reconciliation / max(1.0, abs(margin)))

    def allows(self, name: str, recorded: float) -> float | None:
        """How far a member of this name may be off; None where it may not be off at all."""
        if name in _MARGINS:
            return self.margins
        return self.relative * max(1.0, abs(recorded)) if name in _OTHERS else None


@dataclass(frozen=True, slots=True)
class Difference:
    """One place where the two accounts differ; `difference` and `tolerance` are those of reals."""

    pointer: str
    recorded: object
    recomputed: object
    difference: float | None = None
    tolerance: float | None = None

    @property
    def tolerated(self) -> bool:
        """Whether it is one of reals that the tolerance allows."""
        return (
            self.difference is not None and self.tolerance is not None and self.difference <= self.tolerance
        )


def differences(
    recorded: object, recomputed: object, tolerance: Tolerance, pointer: str = ""
) -> Iterator[Difference]:
    """Every place where they differ, in order.

    A member that one of them lacks counts as null there, unless it is one that records of earlier forms lack.
    """
    if isinstance(recorded, Mapping) and isinstance(recomputed, Mapping):
        known = [name for name in recomputed if name in recorded or name not in _LATER]
        names = [*known, *sorted(recorded.keys() - recomputed.keys())]
        for name in names:
            below = f"{pointer}/{escape(str(name))}"
            yield from _of_member(str(name), recorded.get(name), recomputed.get(name), tolerance, below)
    elif _is_list(recorded) and _is_list(recomputed):
        assert isinstance(recorded, Sequence) and isinstance(recomputed, Sequence)  # noqa: S101, PT018
        for at in range(max(len(recorded), len(recomputed))):
            ours = recorded[at] if at < len(recorded) else None
            theirs = recomputed[at] if at < len(recomputed) else None
            yield from differences(ours, theirs, tolerance, f"{pointer}/{at}")
    elif type(recorded) is not type(recomputed) or recorded != recomputed:
        yield Difference(pointer, recorded, recomputed)


def _of_member(
    name: str, recorded: object, recomputed: object, tolerance: Tolerance, pointer: str
) -> Iterator[Difference]:
    if isinstance(recorded, float) and isinstance(recomputed, float):
        if recorded != recomputed:
            off = abs(recorded - recomputed)
            yield Difference(pointer, recorded, recomputed, off, tolerance.allows(name, recorded))
        return
    yield from differences(recorded, recomputed, tolerance, pointer)


def verdict_of(found: Sequence[Difference]) -> Verdict:
    """What these differences amount to."""
    if not found:
        return "identical"
    return "within_tolerance" if all(one.tolerated for one in found) else "different"


def first_of(found: Sequence[Difference]) -> Difference | None:
    """The first that is not tolerated; where all are, the first."""
    return next((one for one in found if not one.tolerated), found[0] if found else None)


def escape(step: str) -> str:
    """One step of a JSON pointer (RFC 6901)."""
    return step.replace("~", "~0").replace("/", "~1")


def _is_list(value: object) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str | bytes)
