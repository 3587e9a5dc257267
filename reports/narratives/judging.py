"""Judging what one sentence says of the things it names: belong direction, value and condition together?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from reports.narratives.errors import SentenceRefused
from reports.narratives.facts import FactorFact, NarrativeFacts, Shown
from reports.narratives.narrator import Stated
from reports.narratives.numerals import Figure, NumberUnreadable, Numerals
from reports.narratives.reading import Mention

Span = tuple[int, int]
Markers = Mapping[str, Sequence[Span]]
_TOPICS = ("missing", "out_of_range", "tie", "change")


@dataclass(frozen=True, slots=True)
class Judged:
    """What a sentence states, and where its values stand."""

    stated: tuple[Stated, ...]
    figures: tuple[Span, ...]


def judge(
    text: str, mentions: Sequence[Mention], markers: Markers, facts: NarrativeFacts, numerals: Numerals
) -> Judged:
    """Return what the sentence states if the record has it so; raise SentenceRefused otherwise."""
    return _Judging(text, mentions, markers, facts, numerals).judged()


class _Judging:
    def __init__(
        self,
        text: str,
        mentions: Sequence[Mention],
        markers: Markers,
        facts: NarrativeFacts,
        numerals: Numerals,
    ) -> None:
        self.text, self.markers, self.facts, self.numerals = text, markers, facts, numerals
        self.outcomes = [one for one in mentions if one.named.outcome is not None]
        self.things = [one for one in mentions if one.named.outcome is None]
        self.mentions = mentions
        self.figures: list[Span] = []

    def judged(self) -> Judged:
        directions = [name for name in ("against", "favour") if name in self.markers]
        topics = [name for name in _TOPICS if name in self.markers]
        if len(directions) > 1:
            raise SentenceRefused("mixed-directions")
        if len(directions) + len(topics) > 1:
            raise SentenceRefused("mixed-statements")
        if "condition" in self.markers and topics != ["change"]:
            raise SentenceRefused("condition")
        if any(name.startswith("weight:") or name == "strongest" for name in self.markers) and not directions:
            raise SentenceRefused("weight")
        if topics == ["change"]:
            return Judged(self._changed(), tuple(self.figures))
        stated = self._values()
        if directions:
            stated = (*self._directed(directions[0]), *stated)
        elif topics == ["tie"]:
            stated = self._tied(stated)
        elif topics:
            stated = self._flagged(topics[0], stated)
        else:
            stated = self._plain(stated)
        return Judged(stated, tuple(self.figures))

    def _plain(self, stated: tuple[Stated, ...]) -> tuple[Stated, ...]:
        """Neither direction nor condition: the outcome alone, or inputs with their values."""
        if self.outcomes:
            if self.things or any(one.named.outcome != self.facts.outcome for one in self.outcomes):
                raise SentenceRefused("outcome")
            return (Stated("outcome", self.facts.outcome),)
        if not stated:
            raise SentenceRefused("states-nothing")
        return stated

    def _directed(self, direction: str) -> tuple[Stated, ...]:
        """Every factor named is said to count in the direction, and with the weight, that it has."""
        if self.outcomes:
            raise SentenceRefused("outcome")
        stated: list[Stated] = []
        named: list[FactorFact] = []
        for one in self.things:
            named += one.named.factors
            stated += [Stated("factor", factor.factor, direction=direction) for factor in one.named.factors]
            stated += [Stated("reason", given.code, direction=direction) for given in one.named.given]
            if any(factor.direction != direction for factor in one.named.factors):
                raise SentenceRefused("direction")
            if one.named.given and direction != "against":
                raise SentenceRefused("direction")
        own = {feature.feature for factor in named for feature in factor.features}
        for one in self.things:
            inputs = {feature.feature for feature in one.named.features}
            inputs |= {change.feature for change in one.named.changes}
            if not one.named.factors and not one.named.given and not inputs <= own:
                raise SentenceRefused("direction")
        if not stated:
            raise SentenceRefused("states-nothing")
        # The words of a reason belong to its own factor: beside another one they would say something else.
        worded = any(one.named.is_reason_text or one.named.given for one in self.things)
        if worded and len(set(stated)) > 1:
            raise SentenceRefused("reason")
        self._weighed(direction, named)
        return tuple(stated)

    def _weighed(self, direction: str, named: Sequence[FactorFact]) -> None:
        said = {name.partition(":")[2] for name in self.markers if name.startswith("weight:")}
        # With two of them in one sentence it would be open which one belongs to whom.
        if said and (len(said) > 1 or {factor.weight for factor in named} != said):
            raise SentenceRefused("weight")
        if "strongest" in self.markers and (direction != "against" or {one.rank for one in named} != {1}):
            raise SentenceRefused("weight")

    def _tied(self, stated: tuple[Stated, ...]) -> tuple[Stated, ...]:
        labels = {one.named.text.lower() for one in self.things}
        pairs = [
            {factor.label.lower(), factor.tied_with.lower()}
            for factor in self.facts.factors
            if factor.tied_with is not None
        ]
        if stated or self.outcomes or labels not in pairs:
            raise SentenceRefused("tie")
        return tuple(Stated("tie", one.named.text) for one in self.things)

    def _flagged(self, topic: str, stated: tuple[Stated, ...]) -> tuple[Stated, ...]:
        """Every input named is missing, or out of range, as the sentence says."""
        if stated or self.outcomes or not self.things:
            raise SentenceRefused(topic.replace("_", "-"))
        found = []
        for one in self.things:
            flagged = [feature for feature in one.named.features if getattr(feature, topic)]
            if not flagged or len(flagged) < len(one.named.features):
                raise SentenceRefused(topic.replace("_", "-"))
            found += [Stated(topic, feature.feature) for feature in flagged]
        return tuple(dict.fromkeys(found))

    def _values(self) -> tuple[Stated, ...]:
        """Every value belongs to the input named last before it, as its value or its group's mean."""
        stated: list[Stated] = []
        valued: set[str] = set()
        last = 0
        for one, figures in self._by_mention():
            for figure in figures:
                role = "mean" if self._between("average", last, figure.start) else "feature"
                last = figure.end
                found = [
                    Stated(role, feature.feature, number=shown.text)
                    for feature in one.named.features
                    if (shown := feature.mean if role == "mean" else feature.value) is not None
                    and self.numerals.says(figure, shown)
                ]
                if not found:
                    raise SentenceRefused("number")
                stated += found
                valued.add(one.named.text)
        silent = [one for one in self.things if one.named.features and one.named.text not in valued]
        if stated and silent:
            raise SentenceRefused("number")
        if len(self.markers.get("average", ())) != sum(one.kind == "mean" for one in stated):
            raise SentenceRefused("average")
        if "instead" in self.markers:
            raise SentenceRefused("condition")
        return tuple(stated)

    def _changed(self) -> tuple[Stated, ...]:
        """The condition names exactly the changes on record, each with its new value, and the new outcome."""
        facts = self.facts
        if facts.components or {one.named.outcome for one in self.outcomes} != {facts.changed_outcome}:
            raise SentenceRefused("change")
        if len(self.outcomes) != 1 or "condition" not in self.markers or "average" in self.markers:
            raise SentenceRefused("change")
        stated: list[Stated] = []
        for one, figures in self._by_mention():
            if len(one.named.changes) != 1 or not figures:
                raise SentenceRefused("change")
            (change,) = one.named.changes
            before = [at for at in figures if self._between("instead", one.end, at.start)]
            after = [at for at in figures if at not in before]
            if len(after) != 1 or not self.numerals.says(after[0], change.after):
                raise SentenceRefused("number")
            if len(before) > 1 or bool(before) != self._between("instead", one.end, self._until(one)):
                raise SentenceRefused("number")
            if before and (change.before is None or not self.numerals.says(before[0], change.before)):
                raise SentenceRefused("number")
            stated.append(Stated("change", change.feature, number=change.after.text))
        if sorted(one.name for one in stated) != sorted(change.feature for change in facts.changes):
            raise SentenceRefused("change")
        return (*stated, Stated("outcome", str(facts.changed_outcome)))

    def _by_mention(self) -> list[tuple[Mention, list[Figure]]]:
        """The inputs named, each with the values that follow it; a value that follows none is refused."""
        found: list[tuple[Mention, list[Figure]]] = []
        begin = min((one.start for one in self.mentions), default=len(self.text))
        if self._read(0, begin, ()):
            raise SentenceRefused("number")
        for one in self.mentions:
            shown = [each for feature in one.named.features for each in (feature.value, feature.mean)]
            shown += [each for change in one.named.changes for each in (change.before, change.after)]
            figures = self._read(one.end, self._until(one), [each for each in shown if each is not None])
            if one.named.outcome is None:
                found.append((one, figures))
            elif figures:
                raise SentenceRefused("number")
        return found

    def _until(self, mention: Mention) -> int:
        return min((one.start for one in self.mentions if one.start > mention.start), default=len(self.text))

    def _read(self, start: int, end: int, shown: Sequence[Shown]) -> list[Figure]:
        try:
            figures = self.numerals.figures(self.text[start:end], shown)
        except NumberUnreadable:
            raise SentenceRefused("number") from None
        moved = [
            Figure(one.start + start, one.end + start, one.text, one.number, one.unit) for one in figures
        ]
        self.figures += [(one.start, one.end) for one in moved]
        return moved

    def _between(self, marker: str, start: int, end: int) -> bool:
        return any(start <= place[0] and place[1] <= end for place in self.markers.get(marker, ()))
