"""From a record to the facts of its narrative."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import UTC

from explain.catalogue import Language
from explain.errors import ReasonUnmapped
from explain.reasons import NEAR_TIE, NEGLIGIBLE
from explain.wording import component_text, format_number, format_value, text_of
from records.counterfactual_parts import CounterfactualItem, Value
from records.private_parts import ReasonPart
from records.reviews import CountedReview, standing
from registry.conversions import rule_of
from reports.letters.recourse import status_told, tellable
from reports.letters.source import LetterSource
from reports.narratives.errors import NarrativeLanguageUnknown
from reports.narratives.facts import (
    ChangeFact,
    ComponentFact,
    FactorFact,
    FeatureFact,
    GivenFact,
    GroupFact,
    NarrativeFacts,
    ReviewFact,
    Shown,
    Weight,
)

MOST_IN_FAVOUR = 2
MOST_FOR_AN_APPROVAL = 4
MEAN_DECIMALS = 2
SCORE_DECIMALS = 3
_STRONG, _MODERATE = 2 / 3, 1 / 3


def facts_of(source: LetterSource, language: str) -> NarrativeFacts:
    """Gather what may be said about one record; raise NarrativeLanguageUnknown where its words are missing.

    A factor's weight compares its contribution with the largest of any factor, in either direction: strong
    from two thirds of it, moderate from one third.
    """
    if language not in source.words.languages:
        raise NarrativeLanguageUnknown(language)
    try:
        return _Gathering(source, language).facts()
    except ReasonUnmapped as error:
        raise NarrativeLanguageUnknown(language) from error


class _Gathering:
    """One record in one language."""

    def __init__(self, source: LetterSource, language: str) -> None:
        self.source, self.part, self.words = source, source.part, source.words
        self.language: Language = source.words.languages[language]
        self.values: dict[str, Value] = {row["name"]: row["value"] for row in self.part["features"]}
        self.hidden = {one.name for one in source.manifest.features if one.sensitive or one.proxy_for}
        self.flags = {(row["code"], row["feature"]) for row in self.part["warnings"]}
        sign = rule_of(source.manifest).adverse_sign()
        phi = {row["feature"]: row["phi"] for row in self.part["attribution"]["values"]}
        self.adverse = {
            factor.name: sign * math.fsum(phi[name] for name in factor.features)
            for factor in source.manifest.factors
        }
        self.largest = max((abs(one) for one in self.adverse.values()), default=0.0)

    def facts(self) -> NarrativeFacts:
        decision, combined = self.part["decision"], self.part.get("combined")
        outcome, favourable = decision["outcome"], decision["favourable"]
        if combined:
            outcome, favourable = combined["outcome"], combined["favourable"]
        declared = self.source.manifest.outcome
        reference, told = self.part["attribution"]["reference"], tellable(self.source)
        changes, changed = self._changes(told)
        reasons = tuple(self._reason(at) for at in range(len(self.part["reasons"])))
        in_favour, flagged = self._in_favour(favourable), tuple(self._flagged())
        features = list(flagged)
        for reason in reasons:
            features += reason.features if isinstance(reason, FactorFact) else ()
        named = [one.label for one in features]
        named += [one.label for one in in_favour] + [one.label for one in changes]
        named += [one.label for one in reasons if isinstance(one, FactorFact)]
        return NarrativeFacts(
            outcome=outcome,
            favourable=favourable,
            outcomes=tuple(
                dict.fromkeys((declared.adverse, declared.favourable, *(declared.classes or ()), outcome))
            ),
            score=self._number(decision["score"], SCORE_DECIMALS),
            threshold=self._number(decision["threshold"], SCORE_DECIMALS),
            reasons=reasons,
            in_favour=in_favour,
            group=GroupFact(reference["kind"], format_number(reference["rows"], 0, self.language)),
            flagged=flagged,
            changes=changes,
            changed_outcome=changed,
            counterfactuals=status_told(self.source, told),
            components=tuple(
                ComponentFact(one["kind"], one["result"])
                for one in (combined["components"] if combined else ())
            ),
            reviews=tuple(_review(one) for one in self.source.reviews),
            standing=_standing(self.source, outcome),
            elsewhere=self._elsewhere({one.lower() for one in named}),
            decimal_mark=self.language.decimal_mark,
            group_mark=self.language.group_mark,
        )

    def _reason(self, at: int) -> FactorFact | GivenFact:
        reason = self.part["reasons"][at]
        component = reason.get("component")
        if reason["contribution"] is None:
            kinds = {
                one["name"]: one["kind"]
                for one in (self.part.get("combined") or {"components": []})["components"]
            }
            text = component_text(self.words, reason["code"], self.language.tag)
            return GivenFact(reason["code"], reason["rank"], kinds.get(component or "", "judgmental"), text)
        tied_with, tied_unlisted = self._ties(at)
        return FactorFact(
            factor=reason["factor"],
            label=self._factor_label(reason["factor"]),
            direction="against",
            weight=self._weight(abs(reason["contribution"])),
            rank=reason["rank"],
            text=self._text(reason),
            features=tuple(
                self._feature(row["feature"], reason["reference_value"]) for row in reason["observed"]
            ),
            tied_with=tied_with,
            tied_unlisted=tied_unlisted,
        )

    def _text(self, reason: ReasonPart) -> str:
        """The wording that was taken then, in this language."""
        if "wording" not in reason and self.language.tag == self.words.default_language:
            return reason["text"]
        values = {row["feature"]: row["value"] for row in reason["observed"]}
        means = dict.fromkeys(values, reason["reference_value"])
        at = reason.get("wording", 0)
        return text_of(self.words, reason["factor"], at, values, means, language=self.language.tag)

    def _ties(self, at: int) -> tuple[str | None, bool]:
        """The next reason if it is about as important; whether a factor that is not listed is."""
        reasons = self.part["reasons"]
        own = reasons[at]
        if not own["near_tie"]:
            return None, False
        near = [other for other in reasons if other is not own and _close(own, other)]
        following = [self._factor_label(other["factor"]) for other in near if other["rank"] > own["rank"]]
        return (following[0] if following else None), not near

    def _in_favour(self, favourable: bool) -> tuple[FactorFact, ...]:
        most = MOST_FOR_AN_APPROVAL if favourable else MOST_IN_FAVOUR
        floor = NEGLIGIBLE * self.largest
        ranked = sorted((one for one in self.adverse.items() if -one[1] > floor), key=lambda one: one[1])
        return tuple(
            FactorFact(factor, self._factor_label(factor), "favour", self._weight(-adverse))
            for factor, adverse in ranked[:most]
        )

    def _flagged(self) -> list[FeatureFact]:
        found = (self._feature(name, None) for name in self.values)
        return [one for one in found if one.missing or one.out_of_range]

    def _changes(self, items: Sequence[CounterfactualItem]) -> tuple[tuple[ChangeFact, ...], str | None]:
        """The first change that can be told: to values, and not of an input that is not to be.

        What only follows from it by a link is left out: whoever makes the change need do nothing for it.
        """
        for item in items:
            chosen = [change for change in item["changes"] if not change.get("derived", False)]
            if all(change["to"] is not None and change["feature"] not in self.hidden for change in chosen):
                changes = tuple(
                    ChangeFact(
                        change["feature"],
                        self._feature_label(change["feature"]),
                        self._shown(change["feature"], change["from"]),
                        self._present(change["feature"], change["to"]),
                    )
                    for change in chosen
                )
                return changes, item["outcome"]
        return (), None

    def _feature(self, name: str, mean: float | None) -> FeatureFact:
        value = self.values[name]
        told = name not in self.hidden
        return FeatureFact(
            feature=name,
            label=self._feature_label(name),
            value=self._shown(name, value) if told else None,
            mean=self._mean(name, mean) if told and value is not None else None,
            missing=value is None,
            out_of_range=("out_of_range", name) in self.flags,
        )

    def _shown(self, name: str, value: Value) -> Shown | None:
        return None if value is None else self._present(name, value)

    def _present(self, name: str, value: Value) -> Shown:
        words = self.words.features.get(name)
        text = format_value(words, value, self.language)
        if isinstance(value, bool | str) or value is None:
            return Shown(text)
        number = format_number(value, None if words is None else words.decimals, self.language)
        return Shown(text, number, text.removeprefix(number).strip())

    def _mean(self, name: str, mean: float | None) -> Shown | None:
        if mean is None:
            return None
        words = self.words.features.get(name)
        decimals = MEAN_DECIMALS if words is None or words.decimals is None else words.decimals
        unit = "" if words is None else words.units.get(self.language.tag, "")
        number = format_number(mean, decimals, self.language)
        return Shown(f"{number} {unit}" if unit[:1].isalnum() else number + unit, number, unit)

    def _number(self, value: float, decimals: int) -> Shown:
        text = format_number(value, decimals, self.language)
        return Shown(text, text)

    def _weight(self, size: float) -> Weight:
        share = size / self.largest if self.largest else 0.0
        return "strong" if share >= _STRONG else "moderate" if share >= _MODERATE else "slight"

    def _factor_label(self, name: str) -> str:
        words = self.words.factors.get(name)
        declared = next((one.label for one in self.source.manifest.factors if one.name == name), None)
        return self._label(None if words is None else words.labels, declared, name)

    def _feature_label(self, name: str) -> str:
        words = self.words.features.get(name)
        declared = next((one.label for one in self.source.manifest.features if one.name == name), None)
        return self._label(None if words is None else words.labels, declared, name)

    def _label(self, labels: Mapping[str, str] | None, declared: str | None, name: str) -> str:
        return (labels or {}).get(self.language.tag) or declared or name

    def _elsewhere(self, known: set[str]) -> tuple[str, ...]:
        """What the manifest names and this narrative does not."""
        manifest = self.source.manifest
        names = [text for one in manifest.factors for text in (one.name, self._factor_label(one.name))]
        names += [text for one in manifest.features for text in (one.name, self._feature_label(one.name))]
        names += list(manifest.protected)
        return tuple(dict.fromkeys(name for name in names if name.lower() not in known))


def _review(one: CountedReview) -> ReviewFact:
    return ReviewFact(one.kind, one.at.astimezone(UTC).date(), one.outcome, one.superseded_by is not None)


def _standing(source: LetterSource, outcome: str) -> str | None:
    """The outcome that holds today, where somebody looked at the decision since."""
    if not source.reviews:
        return None
    holds = standing(source.reviews)
    return outcome if holds is None else holds.outcome


def _close(one: ReasonPart, other: ReasonPart) -> bool:
    """Whether two reasons are about as important, as the ranking itself counts it."""
    if abs(one["rank"] - other["rank"]) != 1 or one["contribution"] is None or other["contribution"] is None:
        return False
    own, theirs = abs(one["contribution"]), abs(other["contribution"])
    return abs(own - theirs) <= NEAR_TIE * max(own, theirs)
