"""A letter while it is being written: the record, the words, and how values, days and reasons are put."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property

from explain.catalogue import FeatureWords, Language
from explain.errors import ReasonUnmapped
from explain.features import Value
from explain.wording import component_text, format_number, format_value, text_of
from records.counterfactual_parts import ChangeRow, CounterfactualItem
from records.private_parts import ApplicationPart, PrivatePart, ReasonPart
from reports.letters.errors import LanguageUnknown
from reports.letters.phrases import Phrases
from reports.letters.plain import one_line
from reports.letters.recourse import tellable
from reports.letters.source import LetterSource
from reports.requirements.citing import CitedRule, cite, status_words
from schemas.manifest_sections import ManifestFeature

MOST_DECIMALS = 9
SHORT = ".6g"  # significant digits where nobody has said how to round
MOST_ENUMERATED = 50


@dataclass(frozen=True)
class Draft:
    """One letter in one language; everything asked of it comes from the record."""

    source: LetterSource
    phrases: Phrases
    language: str

    @property
    def part(self) -> PrivatePart:
        """The private part of the record."""
        return self.source.part

    @cached_property
    def application(self) -> ApplicationPart:
        """What is on record about the application; empty where nothing is."""
        return self.part.get("application") or {}

    @cached_property
    def decided_at(self) -> datetime:
        """When it was decided, in UTC: as the caller said, otherwise when it was recorded."""
        stated = (self.part.get("decided") or {}).get("at")
        moment = datetime.fromisoformat(stated) if stated else self.source.recorded_at
        return moment.astimezone(UTC)

    @cached_property
    def favourable(self) -> bool:
        """Whether the whole decision is favourable."""
        return (self.part.get("combined") or self.part["decision"])["favourable"]

    @cached_property
    def outcome(self) -> str:
        """The outcome of the whole decision, in the manifest's words."""
        return one_line((self.part.get("combined") or self.part["decision"])["outcome"])

    @property
    def others_failed(self) -> bool:
        """Whether a component other than the model stood against the favourable decision."""
        combined = self.part.get("combined")
        others = [] if combined is None else [one for one in combined["components"] if one["kind"] != "model"]
        return any(one["result"] == "failed" for one in others)

    @property
    def model_unused(self) -> bool:
        """Whether another component had decided before the model."""
        combined = self.part.get("combined")
        components = [] if combined is None else combined["components"]
        return any(one["kind"] == "model" and one["result"] == "not_used" for one in components)

    @cached_property
    def marks(self) -> Language:
        """How the letter's language writes numbers."""
        return self.source.words.languages[self.language]

    @cached_property
    def features(self) -> Mapping[str, ManifestFeature]:
        """The manifest's features by name."""
        return {feature.name: feature for feature in self.source.manifest.features}

    def say(self, name: str, /, **slots: str) -> str:
        """Return one of the letter's phrases."""
        return self.phrases.say(name, **slots)

    def day(self, moment: datetime) -> str:
        """Write a day of UTC in words."""
        return status_words(self.phrases.language).day(moment.astimezone(UTC).date())

    def cite(self, requirement_ids: Iterable[str]) -> tuple[CitedRule, ...]:
        """Cite rules with the status they had on the day of the decision."""
        on = self.decided_at.date()
        return tuple(cite(one, on, self.phrases.language) for one in requirement_ids)

    def number(self, value: float, decimals: int | None = None) -> str:
        """Write a number as the language does."""
        return format_number(value, decimals, self.marks)

    def percent(self, share: float) -> str:
        """Write a share of one as whole percent; what is not nothing is not written as nothing."""
        if 0 < share <= 0.005:
            return self.say("percent_below_one", number=self.number(1, 0))
        return self.say("percent", number=self.number(100 * share, 0))

    def short(self, value: float) -> str:
        """Write a number that nobody rounded, with no more digits than a reader takes in."""
        whole = float(value).is_integer()
        return self.number(value if whole else float(format(value, SHORT)))

    def on_its_side(self, value: float, limit: float) -> str:
        """Write a number with as many decimals, from two up, as keep it on its own side of a limit."""
        for decimals in range(2, MOST_DECIMALS + 1):
            rounded = round(value, decimals)
            if (rounded > limit, rounded < limit) == (value > limit, value < limit):
                return self.number(value, decimals)
        return self.number(value)

    def enumerated(self, labels: Sequence[str]) -> str:
        """Write labels one after the other; of very many the first, and how many more there are."""
        shown = ", ".join(labels[:MOST_ENUMERATED])
        if len(labels) <= MOST_ENUMERATED:
            return shown
        return self.say("and_more", labels=shown, count=self.number(len(labels) - MOST_ENUMERATED))

    def label(self, feature: str) -> str:
        """Return what a reader calls a feature."""
        return one_line(self._called(self._words_of(feature).labels, feature))

    def factor_label(self, factor: str) -> str:
        """Return what a reader calls a factor."""
        words = self.source.words.factors.get(factor)
        declared = {one.name: one.label for one in self.source.manifest.factors}.get(factor)
        return one_line(self._called({} if words is None else words.labels, declared or factor))

    def value(self, feature: str, value: Value, *, exact: bool = False) -> str:
        """Write a feature's value with its unit and rounding, or say that it is missing."""
        if value is None:
            return self.say("missing_value")
        words = self._words_of(feature)
        if isinstance(value, bool) and not (words.categories or {}).get(str(value).lower()):
            return self.say("yes" if value else "no")
        return one_line(format_value(replace(words, decimals=None) if exact else words, value, self.marks))

    def change(self, change: ChangeRow) -> str:
        """Write one change of a counterfactual; a rounded value is said to be rounded."""
        feature, before, after = change["feature"], change["from"], change["to"]
        exact = self.value(feature, before) == self.value(feature, after)
        written = self.value(feature, after, exact=exact)
        if not exact and isinstance(after, float) and not after.is_integer():
            decimals = self._words_of(feature).decimals
            rounded = float(format(after, SHORT if decimals is None else f".{decimals}f"))
            if rounded != after:
                written = self.say("about", value=self.value(feature, rounded))
        return self.say(
            "change",
            label=self.label(feature),
            before=self.value(feature, before, exact=exact),
            after=written,
        )

    def changes(self, item: CounterfactualItem) -> str:
        """Write one counterfactual in words, and after it what follows from it by the manifest's links."""
        chosen = [change for change in item["changes"] if not change.get("derived", False)]
        following = [change for change in item["changes"] if change.get("derived", False)]
        text = "; ".join(self.change(change) for change in chosen)
        if not following:
            return text
        derived = "; ".join(self.change(change) for change in following)
        return self.say("change_with_derived", changes=text, derived=derived)

    def reason_text(self, reason: ReasonPart) -> str:
        """Return a reason's words: those of the answer, or the same wording in the letter's language."""
        words = self.source.words
        if self.language == words.default_language:
            return one_line(reason["text"])
        try:
            if reason["contribution"] is None:  # another component than the model gave it
                return one_line(component_text(words, reason["code"], self.language))
            values = {row["feature"]: row["value"] for row in reason["observed"]}
            means = dict.fromkeys(values, reason["reference_value"])
            found = text_of(
                words, reason["factor"], reason.get("wording", 0), values, means, language=self.language
            )
        except ReasonUnmapped as fault:
            raise LanguageUnknown(self.language, (words.default_language,)) from fault
        return one_line(found)

    def reasons(self) -> list[dict[str, object]]:
        """Return the reasons for machines, in their order and in the letter's words."""
        return [
            {
                "rank": reason["rank"],
                "code": reason["code"],
                "factor": reason["factor"],
                "component": reason.get("component"),
                "text": self.reason_text(reason),
            }
            for reason in self.part["reasons"]
        ]

    def counterfactuals(self) -> list[CounterfactualItem]:
        """Return the counterfactuals that may be told: with each the model's own answer is favourable."""
        return tellable(self.source)

    def _words_of(self, feature: str) -> FeatureWords:
        """The catalogue's words for a feature; the manifest's where the catalogue does not speak of it."""
        found = self.source.words.features.get(feature)
        if found is not None:
            return found
        declared = self.features[feature]
        units = {} if declared.unit is None else {self.language: declared.unit}
        return FeatureWords(
            feature, {self.language: declared.label or feature}, units, decimals=declared.decimals
        )

    def _called(self, labels: Mapping[str, str], otherwise: str) -> str:
        return labels.get(self.language) or labels.get(self.source.words.default_language) or otherwise
