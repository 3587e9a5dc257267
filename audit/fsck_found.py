"""What a check finds: faults by kind, counted all and told up to a hundred; payloads that are not there."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import date

FAULTS_LIMIT = 100

Clock = tuple[str, date]
"""What a payload expires by: its retention class, and the first day of its month."""


@dataclass(slots=True)
class Findings:
    """Faults in the order they were found. `counted` goes on where `told` stops."""

    told: list[tuple[str, str]] = field(default_factory=list)
    counted: Counter[str] = field(default_factory=Counter)

    def add(self, kind: str, problem: str) -> None:
        """Note one fault."""
        self.counted[kind] += 1
        if len(self.told) < FAULTS_LIMIT:
            self.told.append((kind, problem))

    def join(self, other: Findings) -> None:
        """Take over what another check found."""
        self.counted.update(other.counted)
        self.told.extend(other.told[: FAULTS_LIMIT - len(self.told)])


@dataclass(slots=True)
class Missing:
    """Payloads that are not there, by what they would have expired by; the first hundred of each in words."""

    counted: Counter[Clock] = field(default_factory=Counter)
    told: dict[Clock, list[str]] = field(default_factory=dict)

    def add(self, clock: Clock, problem: str) -> None:
        """Note one that is missing."""
        self.counted[clock] += 1
        told = self.told.setdefault(clock, [])
        if len(told) < FAULTS_LIMIT:
            told.append(problem)

    def join(self, other: Missing) -> None:
        """Take over what another check missed."""
        self.counted.update(other.counted)
        for clock, problems in other.told.items():
            told = self.told.setdefault(clock, [])
            told.extend(problems[: FAULTS_LIMIT - len(told)])
