"""Reason catalogues: the words for each factor, frozen with the entries that used them."""

from __future__ import annotations

from dataclasses import dataclass

from registry.digests import canonical_json, digest_of
from schemas.manifest import Manifest


@dataclass(frozen=True, slots=True)
class Catalogue:
    """One version of a reason catalogue; `body` is canonical JSON."""

    name: str
    version: str
    digest: str
    body: bytes


def inline_catalogue(manifest: Manifest) -> Catalogue:
    """Make the texts that a manifest carries into version 1 of a catalogue of its own."""
    name, version = f"{manifest.model}@{manifest.version}", "1"
    reasons = [
        {"factor": factor.name, "code": factor.reason.code, "text": factor.reason.text}
        for factor in manifest.factors
        if factor.reason is not None
    ]
    body = canonical_json({"name": name, "version": version, "reasons": reasons})
    return Catalogue(name, version, digest_of(body), body)
