"""A language model as a narrator: the one place that speaks to a chat endpoint.

It is told the facts of one narrative and nothing else: no name, no id, no subject. What it answers is text of
a stranger; `reports.narratives.checking` decides whether anybody sees it.
"""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, field

import httpx
from pydantic import Field, ValidationError

from registry.documents import DocumentError, Plain, read_json
from reports.narratives.errors import NarratorFailed
from reports.narratives.facts import ChangeFact, FactorFact, FeatureFact, GivenFact, NarrativeFacts, Shown
from reports.narratives.narrator import SINCE
from reports.narratives.template import TemplateNarrator
from runtime.addresses import is_private_channel
from schemas.base import Many, Wire

ANSWER_LIMIT_BYTES = 256 << 10
INSTRUCTIONS = (
    "You retell the facts of one automated decision in plain sentences, in the language that is named. "
    "Use only the facts given, with labels, texts and values exactly as they are written there. Name every "
    "reason in its order with its direction. Give no advice, promise nothing, add nothing, compute nothing. "
    "Take all sentences under `must_be_used` as they are, in their order; those under `may_be_used` may be. "
    'Answer with one JSON object and nothing else: {"sentences": ["...", "..."]}.'
)


class _Told(Wire):
    """What a language model has to answer."""

    sentences: Many[str] = Field(max_length=1000)


@dataclass(frozen=True, slots=True)
class LanguageModelNarrator:
    """A chat endpoint in the form that many servers share (`POST` of `model` and `messages`).

    Raises ValueError for an address that would carry facts in the clear: http is for this machine only.
    """

    url: str
    model: str
    timeout_seconds: float
    key: str = field(default="", repr=False)

    def __post_init__(self) -> None:
        if not is_private_channel(self.url):
            raise ValueError("a language model is reached by https, or by http on this machine")

    def narrate(self, facts: NarrativeFacts, language: str) -> tuple[str, ...]:
        """Ask once and return its sentences, unchecked; raise NarratorFailed with a word that says why."""
        try:
            content = asyncio.run(self._ask(self._request(facts, language)))
        except TimeoutError:
            raise NarratorFailed("timeout") from None
        except httpx.HTTPError:
            raise NarratorFailed("unreachable") from None
        return _sentences(content)

    def _request(self, facts: NarrativeFacts, language: str) -> dict[str, object]:
        told = json.dumps(_facts(facts, language), ensure_ascii=False)
        messages = [{"role": "system", "content": INSTRUCTIONS}, {"role": "user", "content": told}]
        return {"model": self.model, "temperature": 0, "messages": messages}

    async def _ask(self, request: dict[str, object]) -> bytes:
        """Post the facts; everything together, to the last byte, has to happen inside the time limit."""
        # Uncompressed: the limit on an answer's bytes is then one on what arrives.
        headers = {"Accept": "application/json", "Accept-Encoding": "identity"}
        if self.key:
            headers["Authorization"] = f"Bearer {self.key}"
        async with (
            asyncio.timeout(self.timeout_seconds),
            httpx.AsyncClient(
                trust_env=False, follow_redirects=False, timeout=self.timeout_seconds
            ) as client,
            client.stream("POST", self.url, json=request, headers=headers) as response,
        ):
            if response.status_code != 200:
                raise NarratorFailed("status")
            media_type = response.headers.get("content-type", "").partition(";")[0].strip().lower()
            if media_type != "application/json" or "content-encoding" in response.headers:
                raise NarratorFailed("media-type")
            content = b""
            async for piece in response.aiter_bytes(16 << 10):
                content += piece
                if len(content) > ANSWER_LIMIT_BYTES:
                    raise NarratorFailed("too-long")
            return content


def _sentences(content: bytes) -> tuple[str, ...]:
    """The sentences of an answer: `choices[0].message.content` is the JSON object that was asked for."""
    try:
        answer = read_json(content.decode("utf-8"))
        told = read_json(_message(answer))
        return _Told.model_validate(told).sentences
    except (UnicodeDecodeError, DocumentError, ValidationError):
        raise NarratorFailed("malformed") from None


def _message(answer: Plain) -> str:
    choices = answer.get("choices") if isinstance(answer, dict) else None
    first = choices[0] if isinstance(choices, list) and choices else None
    message = first.get("message") if isinstance(first, dict) else None
    text = message.get("content") if isinstance(message, dict) else None
    if not isinstance(text, str):
        raise NarratorFailed("malformed")
    return text


def _facts(facts: NarrativeFacts, language: str) -> dict[str, object]:
    """What leaves for the language model: labels, texts of the catalogue, and shown values."""
    told = TemplateNarrator().narrate(facts, language)
    return {
        "language": language,
        "outcome": facts.outcome,
        "reasons_in_order": [_reason(one) for one in facts.reasons],
        "in_favour": [{"label": one.label, "weight": one.weight} for one in facts.in_favour],
        "missing": [one.label for one in facts.flagged if one.missing],
        "out_of_range": [one.label for one in facts.flagged if one.out_of_range],
        "would_have_changed": {
            "outcome": facts.changed_outcome,
            "changes": [_change(one) for one in facts.changes],
        },
        "must_be_used": [one.text for one in told if any(fact.kind in SINCE for fact in one.facts)],
        "may_be_used": [one.text for one in told],
    }


def _reason(one: FactorFact | GivenFact) -> dict[str, object]:
    if isinstance(one, GivenFact):
        return {"text": one.text, "direction": "against"}
    return {
        "label": one.label,
        "text": one.text,
        "direction": one.direction,
        "weight": one.weight,
        "inputs": [_input(feature) for feature in one.features if feature.value is not None],
        "about_as_important_as": one.tied_with,
    }


def _input(one: FeatureFact) -> dict[str, object]:
    return {"label": one.label, "value": _text(one.value), "comparison_average": _text(one.mean)}


def _change(one: ChangeFact) -> dict[str, object]:
    return {"label": one.label, "before": _text(one.before), "after": one.after.text}


def _text(shown: Shown | None) -> str | None:
    return None if shown is None else shown.text
