"""Reason texts that say nothing: Regulation B calls them insufficient (12 CFR 1002.9(b)(2)).

That the action rests on internal standards or policies, or that the applicant failed to achieve a qualifying
score, hides the reason instead of giving it. The words of the regulation's own sample forms pass as they are.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping

from registry.insufficient import INSUFFICIENT, NAMELESS, OTHER
from registry.shipped import seeds
from schemas.catalogue import CatalogueDocument
from schemas.catalogue_checks import Location, slots_of
from schemas.manifest import Manifest
from schemas.manifest_sections import ManifestFactor
from schemas.problem import PointedError, pointer

_WORD = re.compile(r"\w+")
# What turns the text around it, marks nobody sees as letters, private use, noncharacters.
_NEVER_SHOWN = re.compile(
    "[\x80-\x9f\u202a-\u202e\u2066-\u2069\ue000-\uf8ff\ufdd0-\ufdef\ufeff\ufffe\uffff\U000e0000-\U000e007f"
    "\U000f0000-\U0010ffff]"
)
_PATTERNS = {
    language: tuple((re.compile(pattern, re.IGNORECASE), what) for pattern, what in patterns)
    for language, patterns in INSUFFICIENT.items()
}


def faults_of(text: str, language: str) -> tuple[str, ...]:
    """Return what a text speaks of instead of a reason, in no order; nothing for a specific reason."""
    plain = _plain(text)
    spoken = language.partition("-")[0]
    found = {what for pattern, what in _PATTERNS.get(spoken, ()) if pattern.search(plain)}
    words = " ".join(_WORD.findall(plain))
    if spoken in NAMELESS and re.fullmatch(NAMELESS[spoken], words, re.IGNORECASE):
        found.add(OTHER)
    return tuple(found)


def lint_catalogue(document: CatalogueDocument) -> Iterator[PointedError]:
    """Find texts that are insufficient as a statement of specific reasons, in every language.

    Texts must be there in full: seeds come before lints.
    """
    for index, factor in enumerate(document.factors):
        for place, wording in enumerate(factor.wordings):
            at: Location = ("factors", index, "wordings", place, "texts")
            yield from _lint(wording.texts, wording.seed, at)
    for index, component in enumerate(document.components):
        yield from _lint(component.texts, component.seed, ("components", index, "texts"))


def lint_signs(document: CatalogueDocument) -> Iterator[PointedError]:
    """Find characters that no letter can show: told once here, instead of to each applicant's letter."""
    yield from _lint_signs(document.model_dump(exclude_defaults=True), ())


def _lint_signs(value: object, at: Location) -> Iterator[PointedError]:
    if isinstance(value, str) and (sign := _NEVER_SHOWN.search(value)):
        yield PointedError(
            pointer=pointer(at), detail=f"holds U+{ord(sign[0]):04X}, which no letter can show"
        )
    members: Iterable[tuple[str | int, object]] = ()
    if isinstance(value, Mapping):
        members = ((name, one) for name, one in value.items() if name != "when")  # data, never shown
    elif isinstance(value, list | tuple):
        members = enumerate(value)
    for step, one in members:
        yield from _lint_signs(one, (*at, step))


def lint_reasons(manifest: Manifest) -> Iterator[PointedError]:
    """Find insufficient texts among those that a manifest carries itself, and slots of other factors."""
    for index, factor in enumerate(manifest.factors):
        reason = factor.reason
        if reason is None:
            continue
        at: Location = ("factors", index, "reason")
        yield from _lint_inline(reason.text, factor, (*at, "text"))
        if reason.missing is not None:
            yield from _lint_inline(reason.missing.text, factor, (*at, "missing", "text"))


def _lint_inline(text: str, factor: ManifestFactor, at: Location) -> Iterator[PointedError]:
    fault = _fault(text, "en", frozenset())
    if fault is not None:
        yield PointedError(pointer=pointer(at), detail=fault)
    try:
        slots_of(text, factor.features)
    except ValueError as error:
        yield PointedError(pointer=pointer(at), detail=str(error))


def _lint(texts: Mapping[str, str], seed: str | None, at: Location) -> Iterator[PointedError]:
    """A translation of a sample form's words may say what those say, and nothing worse."""
    allowed = frozenset() if seed is None else frozenset(faults_of(seeds()[seed], "en"))
    for language, text in texts.items():
        fault = _fault(text, language, allowed)
        if fault is not None:
            yield PointedError(pointer=pointer((*at, language)), detail=fault)


def _fault(text: str, language: str, allowed: frozenset[str]) -> str | None:
    plain = _plain(text)
    if not any(sign.isalpha() for sign in re.sub(r"\{[^{}]*\}", "", plain)):
        return "must be a reason in words"
    if language == "en" and plain.rstrip(".") in seeds().values():
        return None
    found = sorted(set(faults_of(text, language)) - allowed)
    return f"speaks of {found[0]} instead of a specific reason" if found else None


def _plain(text: str) -> str:
    """Return the text as a reader sees it: no invisible signs, one space between words."""
    seen = unicodedata.normalize("NFKC", text)
    return " ".join("".join(sign for sign in seen if unicodedata.category(sign) != "Cf").split())
