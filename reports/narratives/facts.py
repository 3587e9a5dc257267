"""What a narrative may say: facts of one record, in one language, without anything that names a person."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Literal

from records.reviews import ReviewKind

Direction = Literal["against", "favour"]
Weight = Literal["strong", "moderate", "slight"]


@dataclass(frozen=True, slots=True)
class Shown:
    """One value as it is shown; `number` is the shown number by itself, None for a value in words."""

    text: str
    number: str | None = None
    unit: str = ""


@dataclass(frozen=True, slots=True)
class FeatureFact:
    """One input: its value, and the comparison group's mean where the record holds it.

    `value` is None where it is missing and where it is not to be told (a sensitive input).
    """

    feature: str
    label: str
    value: Shown | None = None
    mean: Shown | None = None
    missing: bool = False
    out_of_range: bool = False


@dataclass(frozen=True, slots=True)
class FactorFact:
    """One factor of the model; `rank` and `text` are those of a principal reason."""

    factor: str
    label: str
    direction: Direction
    weight: Weight
    rank: int | None = None
    text: str = ""
    features: tuple[FeatureFact, ...] = ()
    tied_with: str | None = None  # label of the next reason, about as important
    tied_unlisted: bool = False  # about as important as a factor that is not among the reasons


@dataclass(frozen=True, slots=True)
class GivenFact:
    """A reason that another component gave."""

    code: str
    rank: int
    kind: str  # knockout or judgmental
    text: str


@dataclass(frozen=True, slots=True)
class ChangeFact:
    """One input that would have been different."""

    feature: str
    label: str
    before: Shown | None
    after: Shown


@dataclass(frozen=True, slots=True)
class GroupFact:
    """The comparison group."""

    kind: str
    rows: str


@dataclass(frozen=True, slots=True)
class ComponentFact:
    """One component of a combined decision: its kind and result, not the name that the caller gave it."""

    kind: str
    result: str


@dataclass(frozen=True, slots=True)
class ReviewFact:
    """What a person did about the decision since; `remade` where it names the decision made again."""

    kind: ReviewKind
    day: date  # of UTC
    outcome: str | None
    remade: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class NarrativeFacts:
    """Everything that a narrative may state; nothing else of the record is known to a narrator.

    `reviews` are those that count, oldest first; `standing` is the outcome that holds after them, None where
    there were none. `elsewhere` holds labels and names of the manifest that are no facts here: they are never
    told to a narrator, and a sentence that uses one is refused.
    """

    outcome: str
    favourable: bool
    outcomes: tuple[str, ...]
    score: Shown
    threshold: Shown
    reasons: tuple[FactorFact | GivenFact, ...]
    in_favour: tuple[FactorFact, ...]
    group: GroupFact
    flagged: tuple[FeatureFact, ...]  # missing or out of range, in the model's order
    changes: tuple[ChangeFact, ...]
    changed_outcome: str | None
    counterfactuals: str  # status on record, as it may be told
    components: tuple[ComponentFact, ...]
    reviews: tuple[ReviewFact, ...]
    standing: str | None
    elsewhere: tuple[str, ...]
    decimal_mark: str
    group_mark: str

    @property
    def factors(self) -> tuple[FactorFact, ...]:
        """The model's factors that may be named, reasons first."""
        return tuple(one for one in self.reasons if isinstance(one, FactorFact)) + self.in_favour
