"""The letters' own words, read once from the wording files and checked strictly."""

from __future__ import annotations

import string
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import get_args

from registry.documents import DocumentError, read_yaml
from reports.letters.errors import LanguageUnknown, WordingMalformed
from reports.letters.letter import TemplateName

FOLDER = Path(__file__).parent / "wording"
ORIGINAL = "en"
"""The language in which the statutory notices are published."""

_Templates = Mapping[TemplateName, Mapping[str, "Phrases"]]


@dataclass(frozen=True, slots=True)
class Phrases:
    """One letter's phrases in one language."""

    template: TemplateName
    language: str
    texts: Mapping[str, str]

    def say(self, name: str, /, **slots: str) -> str:
        """Return a phrase with its slots filled; what fills them is never read as a phrase itself."""
        return self.texts[name].format_map(slots)


def phrases_of(template: TemplateName, language: str) -> Phrases:
    """Return a letter's phrases; those of `es` serve `es-MX`. Raises LanguageUnknown."""
    by_language = _shipped()[template]
    found = by_language.get(language) or by_language.get(language.partition("-")[0])
    if found is None:
        raise LanguageUnknown(language, by_language)
    return found


def languages_of(template: TemplateName) -> tuple[str, ...]:
    """Return the languages in which a letter is worded."""
    return tuple(_shipped()[template])


def load(folder: Path) -> _Templates:
    """Read every wording file of a folder; raise WordingMalformed for the first fault."""
    found: dict[TemplateName, dict[str, Phrases]] = {template: {} for template in get_args(TemplateName)}
    for file in sorted(folder.glob("*.yaml")):
        template, _, language = file.stem.partition(".")
        if template not in found or not language:
            raise WordingMalformed(file.name, "must be named after a letter and a language")
        found[template][language] = Phrases(template, language, _read(file))
    for template, by_language in found.items():
        original = by_language.get(ORIGINAL)
        if original is None:
            raise WordingMalformed(f"{template}.{ORIGINAL}.yaml", "is missing")
        for phrases in by_language.values():
            _compare(phrases, original)
    return MappingProxyType({name: MappingProxyType(words) for name, words in found.items()})


@cache
def _shipped() -> _Templates:
    return load(FOLDER)


def _read(file: Path) -> Mapping[str, str]:
    try:
        document = read_yaml(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, DocumentError) as error:
        raise WordingMalformed(file.name, str(error)) from error
    if not isinstance(document, dict):
        raise WordingMalformed(file.name, "must be an object")
    texts = {}
    for name, text in document.items():
        if not isinstance(text, str) or not text.strip() or text != text.strip():
            raise WordingMalformed(file.name, f"{name} must be a text without outer spaces")
        texts[name] = text
    return MappingProxyType(texts)


def _compare(phrases: Phrases, original: Phrases) -> None:
    """Every language has the same phrases with the same slots."""
    file = f"{phrases.template}.{phrases.language}.yaml"
    if different := phrases.texts.keys() ^ original.texts.keys():
        raise WordingMalformed(file, f"differs from {ORIGINAL} in {', '.join(sorted(different))}")
    for name, text in phrases.texts.items():
        if _slots(text, file) != _slots(original.texts[name], file):
            raise WordingMalformed(file, f"{name} has other slots than in {ORIGINAL}")


def _slots(text: str, file: str) -> set[str]:
    """Return the slots of a phrase: plain names, nothing that reaches into a value."""
    try:
        parts = list(string.Formatter().parse(text))
    except ValueError as error:
        raise WordingMalformed(file, f"{text!r}: {error}") from error
    slots = {slot for _, slot, _, _ in parts if slot is not None}
    if not all(slot.isidentifier() for slot in slots) or any(form or turn for *_, form, turn in parts):
        raise WordingMalformed(file, f"{text!r}: a slot is a plain name")
    return slots
