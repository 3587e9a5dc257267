"""What a registration and its disposable child say to each other: JSON and raw bytes, each with its length.

A refusal travels as the name of its error and what that error was made of; only the errors listed here can
come back, each as itself.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from explain.errors import (
    AttributionUnreconciled,
    ConstraintError,
    ManifestContradiction,
    ModelCorrupt,
    ModelUnsupported,
    ReferenceTooSmall,
)
from registry.catalogues import Catalogue
from registry.digests import digest_of
from registry.errors import ReferenceContradiction, ReferenceInvalid
from schemas.problem import PointedError

_LENGTH = struct.Struct(">Q")

Plain = dict[str, Any]  # JSON, checked by whoever reads a member


class Garbled(Exception):
    """The bytes are not frames, or their content is not what it should be."""


def pack(frames: Sequence[bytes]) -> list[bytes]:
    """Put each frame's length in front of it; nothing is copied."""
    return [part for frame in frames for part in (_LENGTH.pack(len(frame)), frame)]


def unpack(data: bytes) -> list[bytes]:
    """Cut bytes into their frames; raises Garbled."""
    frames, at = [], 0
    while at < len(data):
        if at + _LENGTH.size > len(data):
            raise Garbled("a length is cut off")
        (length,) = _LENGTH.unpack_from(data, at)
        at += _LENGTH.size
        if length > len(data) - at:
            raise Garbled("a frame is cut off")
        frames.append(data[at : at + length])
        at += length
    return frames


@dataclass(frozen=True, slots=True)
class _Form:
    """How one error is written down, and made again from that."""

    write: Callable[[Any], object]
    make: Callable[[Any], Exception]


def _texts(error: type[Exception], attribute: str | None) -> _Form:
    """Write an error that is made of one text: of this attribute, or of its message."""
    return _Form(
        lambda raised: str(raised) if attribute is None else getattr(raised, attribute),
        lambda text: error(str(text)),
    )


def _pointed(error: type[ReferenceInvalid | ReferenceContradiction]) -> _Form:
    """Write an error that is made of faults, each at its place."""
    return _Form(
        lambda raised: [[fault.pointer, fault.detail] for fault in raised.errors],
        lambda faults: error(PointedError(pointer=pointer, detail=detail) for pointer, detail in faults),
    )


_FORMS: Mapping[type[Exception], _Form] = {
    ModelUnsupported: _texts(ModelUnsupported, "construct"),
    ModelCorrupt: _texts(ModelCorrupt, "detail"),
    ManifestContradiction: _texts(ManifestContradiction, "detail"),
    ReferenceTooSmall: _texts(ReferenceTooSmall, None),
    ConstraintError: _texts(ConstraintError, None),
    # JSON has no infinity and no NaN; an unreconciled sum may be either.
    AttributionUnreconciled: _Form(
        lambda raised: [float(x).hex() for x in (raised.expected, raised.total, raised.tolerance)],
        lambda numbers: AttributionUnreconciled(*map(float.fromhex, numbers)),
    ),
    ReferenceInvalid: _pointed(ReferenceInvalid),
    ReferenceContradiction: _pointed(ReferenceContradiction),
}
TRAVELLING = tuple(_FORMS)
_BY_NAME = {kind.__name__: form for kind, form in _FORMS.items()}


def write_error(error: Exception) -> bytes:
    """Write an error of a kind that may travel."""
    kind = next(kind for kind in type(error).__mro__ if kind in _FORMS)
    return json.dumps({"error": kind.__name__, "made_of": _FORMS[kind].write(error)}).encode()


def read_error(head: Plain) -> Exception:
    """Make the error again; raises Garbled."""
    form = _BY_NAME.get(str(head.get("error")))
    if form is None:
        raise Garbled("the error has no name")
    try:
        return form.make(head.get("made_of"))
    except (TypeError, ValueError) as fault:
        raise Garbled("the error is not made of what it should be") from fault


def write_catalogue(catalogue: Catalogue) -> tuple[bytes, bytes]:
    """Write a catalogue as two frames: its name and version, and its body."""
    return json.dumps({"name": catalogue.name, "version": catalogue.version}).encode(), catalogue.body


def read_catalogue_frames(head: bytes, body: bytes) -> Catalogue:
    """Read a catalogue back; raises Garbled."""
    named = read_head(head)
    return Catalogue(str(named.get("name")), str(named.get("version")), digest_of(body), body)


def read_head(frame: bytes) -> Plain:
    """Read a JSON object; raises Garbled."""
    try:
        head = json.loads(frame)
    except (ValueError, RecursionError) as fault:
        raise Garbled("the head is not JSON") from fault
    if not isinstance(head, dict):
        raise Garbled("the head is not an object")
    return head
