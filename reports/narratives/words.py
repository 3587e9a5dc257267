"""The words of narratives in each language, read once and checked strictly."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Annotated

from pydantic import Field, ValidationError

from registry.documents import DocumentError, read_yaml
from reports.narratives.errors import NarrativeLanguageUnknown, NarrativeWordsMalformed
from schemas.base import Many, Wire
from schemas.problem import pointed_errors

FOLDER = Path(__file__).parent / "wording"

Phrase = Annotated[str, Field(min_length=1, max_length=300)]
WEIGHTS = ("strong", "moderate", "slight")
MARKERS = (
    *("against", "favour", "missing", "out_of_range", "tie", "average"),
    *("change", "condition", "instead", "strongest"),
)


class _File(Wire):
    """One wording file."""

    sentences: dict[str, Phrase]
    parts: dict[str, Phrase]
    weights: dict[str, Phrase]
    connecting: Many[Phrase]
    markers: dict[str, Many[Phrase]]
    percent: Many[Phrase]
    negations: Many[Phrase]
    promises: Many[Phrase]
    advice: Many[Phrase]
    protected: Many[Many[Phrase]]
    numbers: dict[str, int]
    vocabulary: Annotated[str, Field(max_length=4000)]


@dataclass(frozen=True, slots=True)
class NarrativeWords:
    """One language: what the template says, and the words a checked sentence may be made of."""

    language: str
    sentences: Mapping[str, str]
    parts: Mapping[str, str]
    weights: Mapping[str, str]
    connecting: tuple[str, ...]
    markers: Mapping[str, tuple[str, ...]]
    percent: tuple[str, ...]
    refused: Mapping[str, tuple[str, ...]]  # why -> words: negations, promises, advice, protected attributes
    numbers: Mapping[str, int]
    vocabulary: frozenset[str]


def words_of(language: str) -> NarrativeWords:
    """Return the words of a language; those of `es` serve `es-MX`. Raises NarrativeLanguageUnknown."""
    found = _shipped().get(language) or _shipped().get(language.partition("-")[0])
    if found is None:
        raise NarrativeLanguageUnknown(language)
    return found


def languages() -> tuple[str, ...]:
    """Return the languages in which narratives are worded."""
    return tuple(_shipped())


def load(folder: Path) -> Mapping[str, NarrativeWords]:
    """Read every wording file of a folder; raise NarrativeWordsMalformed for the first fault."""
    found = {file.stem: _words(file) for file in sorted(folder.glob("*.yaml"))}
    for words in found.values():
        for other in found.values():
            if words.sentences.keys() != other.sentences.keys() or words.parts.keys() != other.parts.keys():
                raise NarrativeWordsMalformed(f"{words.language}.yaml", f"differs from {other.language}.yaml")
    return MappingProxyType(found)


@cache
def _shipped() -> Mapping[str, NarrativeWords]:
    return load(FOLDER)


def _words(file: Path) -> NarrativeWords:
    try:
        given = _File.model_validate(read_yaml(file.read_text(encoding="utf-8")))
    except (OSError, UnicodeDecodeError, DocumentError) as error:
        raise NarrativeWordsMalformed(file.name, str(error)) from error
    except ValidationError as error:
        first = pointed_errors(error)[0]
        raise NarrativeWordsMalformed(file.name, f"{first.pointer} {first.detail}") from error
    if given.weights.keys() != set(WEIGHTS) or given.markers.keys() != set(MARKERS):
        raise NarrativeWordsMalformed(file.name, "must have exactly the known weights and markers")
    return NarrativeWords(
        language=file.stem,
        sentences=MappingProxyType(given.sentences),
        parts=MappingProxyType(given.parts),
        weights=MappingProxyType(given.weights),
        connecting=given.connecting,
        markers=MappingProxyType(given.markers),
        percent=given.percent,
        refused=MappingProxyType(
            {
                "negation": given.negations,
                "promise": given.promises,
                "advice": given.advice,
                "protected-attribute": tuple(word for group in given.protected for word in group),
            }
        ),
        numbers=MappingProxyType({word.lower(): number for word, number in given.numbers.items()}),
        vocabulary=frozenset(given.vocabulary.lower().split()),
    )
