"""Letters rendered again from the record: the same environment must give the same bytes."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import cast

from registry.loading import LoadedVersion
from reports.letters.errors import LetterError
from reports.letters.letter import TemplateName
from reports.letters.source import LetterSource
from reports.letters.writing import write_letter
from reports.rendering.errors import RenderingError
from service.renderer import Renderer
from service.replaying.recorded import Recorded, RecordedLetter

ANOTHER_ENVIRONMENT = "rendered-in-another-environment"


def letter_told(letter: RecordedLetter) -> Mapping[str, object]:
    """Which letter it is, and the digest of its bytes."""
    body = letter.entry.body
    named = {name: body[name] for name in ("template", "language", "media_type")}
    return {**named, "sha256": None if letter.content is None else _digest(letter.content)}


def letter_again(
    renderer: Renderer, loaded: LoadedVersion, recorded: Recorded, letter: RecordedLetter
) -> Mapping[str, object] | str:
    """The same letter rendered now; or why that says nothing."""
    told = letter_told(letter)
    media_type = str(told["media_type"])
    if letter.content is None:
        return "erased"
    if letter.entry.body["environment"] != dict(renderer.environment_of(media_type)):
        return ANOTHER_ENVIRONMENT
    source = LetterSource(
        explanation_id=str(recorded.explanation_id),
        model=recorded.model,
        version=recorded.version,
        recorded_at=recorded.entry.time,
        body=recorded.entry.body,
        part=recorded.part,
        manifest=loaded.manifest,
        words=loaded.words,
        reviews=letter.reviews,
    )
    try:
        written = write_letter(source, cast("TemplateName", told["template"]), str(told["language"]))
        content = renderer.render(written, media_type).content
    except (LetterError, RenderingError):
        return {**told, "sha256": None}
    return {**told, "sha256": _digest(content)}


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
