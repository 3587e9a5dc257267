"""The narrative of the template: the same facts always give the same sentences."""

from __future__ import annotations

from collections.abc import Iterator

from reports.narratives.facts import ChangeFact, FactorFact, FeatureFact, GivenFact, NarrativeFacts
from reports.narratives.narrator import Sentence, Stated
from reports.narratives.words import NarrativeWords, words_of
from reports.requirements.citing import status_words

_NOTHING_FOUND = ("unresolved", "partial")
_PROVED = ("no_recourse", "no_recourse_narrowed")


class TemplateNarrator:
    """Fills the sentences of the wording files."""

    def narrate(self, facts: NarrativeFacts, language: str) -> tuple[Sentence, ...]:
        """Return the sentences in their order; raise NarrativeLanguageUnknown where there are no words."""
        return tuple(_Telling(facts, words_of(language)).sentences())


class _Telling:
    """One narrative."""

    def __init__(self, facts: NarrativeFacts, words: NarrativeWords) -> None:
        self.facts, self.words = facts, words

    def sentences(self) -> Iterator[Sentence]:
        yield from self._decision()
        yield from self._reviewed()
        if self.facts.reasons:
            yield self._say("against_intro", ())
        for reason in self.facts.reasons:
            yield from self._given(reason) if isinstance(reason, GivenFact) else self._reason(reason)
        if self.facts.in_favour:
            yield self._say("favour_intro", ())
        for factor in self.facts.in_favour:
            yield self._factor("favour", factor)
        yield from self._comparison()
        for feature in self.facts.flagged:
            yield from self._flagged(feature)
        yield from self._change()

    def _say(self, name: str, stated: tuple[Stated, ...], **slots: str) -> Sentence:
        """Fill one sentence; what fills a slot is never read as a slot itself."""
        return Sentence(self.words.sentences[name].format_map(slots), stated)

    def _decision(self) -> Iterator[Sentence]:
        facts = self.facts
        name = "outcome_combined" if facts.components else "outcome"
        yield self._say(name, (Stated("outcome", facts.outcome),), outcome=facts.outcome)
        for one in facts.components:
            stated = (Stated("component", one.kind, direction=one.result),)
            yield self._say(f"component_{one.result}", stated, component=self.words.parts[one.kind])
        shown = (
            Stated("score", "score", number=facts.score.text),
            Stated("score", "threshold", number=facts.threshold.text),
        )
        yield self._say("score", shown, score=facts.score.text, threshold=facts.threshold.text)

    def _reviewed(self) -> Iterator[Sentence]:
        """What people did about the decision since, and what holds; nothing where nobody did anything."""
        facts, write = self.facts, status_words(self.words.language).day
        for one in facts.reviews:
            day = write(one.day)
            stated: tuple[Stated, ...] = (Stated("review", one.kind, number=day),)
            if one.outcome is None:
                yield self._say(f"review_{one.kind}", stated, day=day)
            else:
                stated = (*stated, Stated("review_outcome", one.outcome))
                yield self._say(f"review_{one.kind}_outcome", stated, day=day, outcome=one.outcome)
            if one.remade:
                yield self._say("review_remade", (Stated("review", "remade"),))
        if facts.standing is not None:
            name = "standing_same" if facts.standing == facts.outcome else "standing_other"
            yield self._say(name, (Stated("standing", facts.standing),), outcome=facts.standing)

    def _given(self, reason: GivenFact) -> Iterator[Sentence]:
        stated = (Stated("reason", reason.code, direction="against"),)
        component = self.words.parts[reason.kind]
        yield self._say("component_reason", stated, component=component, text=bare(reason.text))

    def _reason(self, reason: FactorFact) -> Iterator[Sentence]:
        yield self._factor("reason", reason)
        for feature in reason.features:
            if feature.value is not None:
                yield self._value(feature)
        if reason.tied_with is not None:
            ties = (Stated("tie", reason.label), Stated("tie", reason.tied_with))
            yield self._say("tie", ties, label=reason.label, other=reason.tied_with)
        if reason.tied_unlisted:
            yield self._say("tie_unlisted", (Stated("tie", reason.label),), label=reason.label)

    def _factor(self, name: str, factor: FactorFact) -> Sentence:
        stated = (Stated("factor", factor.factor, direction=factor.direction),)
        weight = self.words.weights[factor.weight]
        return self._say(name, stated, label=factor.label, weight=weight, text=bare(factor.text))

    def _value(self, feature: FeatureFact) -> Sentence:
        assert feature.value is not None  # noqa: S101  asked by the caller
        value = Stated("feature", feature.feature, number=feature.value.text)
        if feature.mean is None:
            return self._say("value", (value,), label=feature.label, value=feature.value.text)
        mean = Stated("mean", feature.feature, number=feature.mean.text)
        return self._say(
            "value_reference",
            (value, mean),
            label=feature.label,
            value=feature.value.text,
            reference=feature.mean.text,
        )

    def _comparison(self) -> Iterator[Sentence]:
        group = self.facts.group
        stated = (Stated("group", group.kind, number=group.rows),)
        yield self._say("group", stated, rows=group.rows, group=self.words.parts[group.kind])

    def _flagged(self, feature: FeatureFact) -> Iterator[Sentence]:
        if feature.missing:
            yield self._say("missing", (Stated("missing", feature.feature),), label=feature.label)
        if feature.out_of_range:
            yield self._say("out_of_range", (Stated("out_of_range", feature.feature),), label=feature.label)

    def _change(self) -> Iterator[Sentence]:
        facts = self.facts
        if facts.changes and facts.changed_outcome is not None:
            stated = tuple(Stated("change", one.feature, number=one.after.text) for one in facts.changes)
            changes = self.words.parts["and"].join(self._one_change(one) for one in facts.changes)
            yield self._say(
                "change",
                (*stated, Stated("outcome", facts.changed_outcome)),
                outcome=facts.changed_outcome,
                changes=changes,
            )
        elif facts.counterfactuals in (*_PROVED, "deferred"):
            yield self._say(facts.counterfactuals, (Stated("change", facts.counterfactuals),))
        elif facts.counterfactuals in _NOTHING_FOUND:
            yield self._say("unresolved", (Stated("change", facts.counterfactuals),))
        else:
            return
        if facts.components:
            yield self._say("change_alone", ())

    def _one_change(self, change: ChangeFact) -> str:
        if change.before is None:
            return self.words.parts["one_change_missing"].format_map(
                {"label": change.label, "after": change.after.text}
            )
        slots = {"label": change.label, "after": change.after.text, "before": change.before.text}
        return self.words.parts["one_change"].format_map(slots)


def bare(text: str) -> str:
    """Return a text without the stop at its end: the sentence around it brings its own."""
    return text.strip().rstrip(".")
