"""Checking foreign sentences against the record, one by one: what is not known to be true is refused.

A sentence passes in three ways: it is word for word one of the template's own, it is a known sentence that
only connects, or everything in it is accounted for. In the last case each label, outcome, value, direction
and weight has to be the record's, belong together as the record has it, and the words between them have to be
known ones that state nothing. One sentence that fails refuses all of them.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence

from reports.narratives.errors import SentenceRefused
from reports.narratives.facts import FactorFact, GivenFact, NarrativeFacts
from reports.narratives.judging import judge
from reports.narratives.narrator import SINCE, Sentence, Stated
from reports.narratives.numerals import Numerals
from reports.narratives.reading import Names, blot, markers_in, whole_words
from reports.narratives.words import NarrativeWords

MOST_SENTENCES = 80
MOST_SIGNS = 600
_PUNCTUATION = frozenset(" .,;:()'’\"“”„«»–-")
_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")


class Checker:
    """The check of one narrative; `known` are the template's sentences for the same facts."""

    def __init__(self, facts: NarrativeFacts, words: NarrativeWords, known: Sequence[Sentence]) -> None:
        self.facts, self.words = facts, words
        self._known: Mapping[str, Sentence] = {
            **{text: Sentence(text) for text in words.connecting},
            **{sentence.text: sentence for sentence in known},
        }
        self._names = Names(facts)
        self._numerals = Numerals(facts, words)
        self._elsewhere = whole_words(facts.elsewhere)
        self._refused = {why: whole_words(texts) for why, texts in words.refused.items()}

    def check(self, texts: Sequence[str]) -> tuple[Sentence, ...]:
        """Return the sentences with the facts they state; raise SentenceRefused for the first fault."""
        if not texts:
            raise SentenceRefused("empty")
        if len(texts) > MOST_SENTENCES:
            raise SentenceRefused("too-long")
        sentences = tuple(self._sentence(text) for text in texts)
        self._complete(sentences)
        self._introduced(sentences)
        return sentences

    def _sentence(self, given: str) -> Sentence:
        if len(given) > MOST_SIGNS:
            raise SentenceRefused("too-long")
        text = " ".join(unicodedata.normalize("NFC", given).split())
        if not text:
            raise SentenceRefused("empty")
        known = self._known.get(text)
        return known if known is not None else Sentence(text, self._accounted(text))

    def _accounted(self, text: str) -> tuple[Stated, ...]:
        """Everything in the sentence is the record's, or a word that states nothing."""
        mentions = self._names.mentions(text)
        rest = blot(text, ((one.start, one.end) for one in mentions))
        if self._elsewhere.search(rest):
            raise SentenceRefused("other-factor")
        markers = markers_in(rest, self.words)
        rest = blot(rest, (place for places in markers.values() for place in places))
        judged = judge(rest, mentions, markers, self.facts, self._numerals)
        self._words_between(blot(rest, judged.figures))
        return judged.stated

    def _words_between(self, rest: str) -> None:
        for why, pattern in self._refused.items():
            if pattern.search(rest):
                raise SentenceRefused(why)
        rest = rest.replace("\0", " ")
        for match in _WORD.finditer(rest):
            if match[0].lower() not in self.words.vocabulary:
                raise SentenceRefused("unknown-word")
        if any(sign not in _PUNCTUATION for sign in _WORD.sub("", rest)):
            raise SentenceRefused("unknown-sign")

    def _complete(self, sentences: Sequence[Sentence]) -> None:
        """The outcome is said, what people did since, and every principal reason in the order of ranks."""
        stated = [fact for sentence in sentences for fact in sentence.facts]
        if not any(fact.kind == "outcome" and fact.name == self.facts.outcome for fact in stated):
            raise SentenceRefused("outcome-missing")
        self._reviewed(stated)
        said = [
            (fact.kind, fact.name)
            for fact in stated
            if fact.kind in ("factor", "reason") and fact.direction == "against"
        ]
        due = [_key(reason) for reason in self.facts.reasons]
        if set(due) - set(said):
            raise SentenceRefused("reason-missing")
        if list(dict.fromkeys(said)) != due:
            raise SentenceRefused("order")

    def _reviewed(self, stated: Sequence[Stated]) -> None:
        """What people did about the decision is told whole, in its order, and what holds after it."""
        due = [fact for sentence in self._known.values() for fact in sentence.facts if fact.kind in SINCE]
        said = [fact for fact in stated if fact.kind in SINCE]
        if set(due) - set(said):
            raise SentenceRefused("review-missing")
        if list(dict.fromkeys(said)) != list(dict.fromkeys(due)):
            raise SentenceRefused("order")

    def _introduced(self, sentences: Sequence[Sentence]) -> None:
        """What a sentence announces comes right after it."""
        for name, direction in (("against_intro", "against"), ("favour_intro", "favour")):
            for at, sentence in enumerate(sentences):
                if sentence.text == self.words.sentences[name]:
                    following = sentences[at + 1].facts if at + 1 < len(sentences) else ()
                    if not any(fact.direction == direction for fact in following):
                        raise SentenceRefused("order")


def _key(reason: FactorFact | GivenFact) -> tuple[str, str]:
    if isinstance(reason, GivenFact):
        return "reason", reason.code
    return "factor", reason.factor
