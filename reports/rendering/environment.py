"""What a rendering depends on beside the letter: programs, fonts, layouts and words, each by its digest.

Where all of these are the same, the bytes must be the same; where one differs, other bytes are no fault.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from functools import cache
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType

import jinja2
import markupsafe

import reports
from reports.rendering import json, pdf
from reports.rendering.errors import MediaTypeUnknown

HTML = "text/html"
PDF = "application/pdf"
JSON = "application/json"
MEDIA_TYPES = (HTML, PDF, JSON)

REPORTS = Path(reports.__file__).parent
# Besides the layouts: the letters' words, the rules they cite, and the code that puts both into sentences.
SHAPING = ("letters", "rendering", "requirements")


@cache
def environment_of(media_type: str) -> Mapping[str, str]:
    """Return the environment of a media type; the same within one process. Raises MediaTypeUnknown."""
    renderers = {HTML: _html, PDF: _pdf, JSON: _json}
    if media_type not in renderers:
        raise MediaTypeUnknown(media_type)
    return MappingProxyType(renderers[media_type]() | {"template_digest": template_digest()})


@cache
def template_digest() -> str:
    """Return the digest of everything of ours that shapes a letter.

    Code counts as well as data: a page that another version of ours would lay out differently is another
    page.
    """
    return digest_of_files([*(REPORTS / room for room in SHAPING), *_wording_of_reasons()])


def digest_of_files(places: Iterable[Path]) -> str:
    """Return `sha256:` and the digest over the names and contents of all files in these places.

    Compiled copies do not count: they differ between versions of Python and say nothing of their own.
    """
    total = hashlib.sha256()
    for place in places:
        files = sorted(place.rglob("*")) if place.is_dir() else [place]
        for file in files:
            if file.is_file() and "__pycache__" not in file.parts:
                name = file.relative_to(place.parent).as_posix()
                total.update(f"{name}\0{_file_digest(file)}\n".encode())
    return "sha256:" + total.hexdigest()


def _wording_of_reasons() -> list[Path]:
    """Return the files that turn a wording and an observed value into a sentence."""
    found = [find_spec(name) for name in ("explain.catalogue", "explain.wording")]
    return [Path(spec.origin) for spec in found if spec is not None and spec.origin is not None]


def _pdf() -> dict[str, str]:
    library = Path(str(find_spec("typst._typst").origin))  # type: ignore[union-attr]
    digest = "sha256:" + _file_digest(library)
    # The fonts are inside the library: its digest is theirs.
    return {
        "renderer": f"typst {metadata.version('typst')}",
        "renderer_digest": digest,
        "fonts": ", ".join(pdf.fonts()),
        "fonts_digest": digest,
    }


def _html() -> dict[str, str]:
    """Compiled speed-ups are another file for each Python and are left out: their version stands for them."""
    packages = [Path(module.__file__ or "").parent for module in (jinja2, markupsafe)]
    sources = [file for package in packages for file in sorted(package.rglob("*.py"))]
    return {
        "renderer": f"jinja2 {metadata.version('jinja2')}, markupsafe {metadata.version('markupsafe')}",
        "renderer_digest": digest_of_files(sources),
        "fonts": "of the reader",
        "fonts_digest": "none",
    }


def _json() -> dict[str, str]:
    return {
        "renderer": json.FORMAT,
        "renderer_digest": digest_of_files([Path(json.__file__)]),
        "fonts": "none",
        "fonts_digest": "none",
    }


def _file_digest(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
