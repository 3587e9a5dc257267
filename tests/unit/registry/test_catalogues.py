"""Catalogues read back: what a manifest carries itself, in its first and in its present form."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

from explain.catalogue import Condition, Language, Wording
from registry.catalogues import Catalogue, inline_catalogue, read_catalogue
from registry.digests import canonical_json, digest_of
from registry.documents import read_yaml
from schemas.manifest import Manifest

ROOT = Path(__file__).resolve().parents[3]
DOCUMENT: Any = read_yaml((ROOT / "docs" / "manifest.example.yaml").read_text())


def manifest(**reason: object) -> Manifest:
    document = copy.deepcopy(DOCUMENT)
    document["factors"][2]["reason"].update(reason)
    return Manifest.model_validate(document)


def test_inline_texts_become_a_catalogue_of_their_own() -> None:
    catalogue = inline_catalogue(manifest())
    assert (catalogue.name, catalogue.version) == ("boston-mortgage@1", "1")
    assert catalogue.digest == digest_of(catalogue.body)
    words = read_catalogue(catalogue)
    assert (words.name, words.version, words.digest) == (catalogue.name, "1", catalogue.digest)
    assert words.languages == {"en": Language("en", ".", ",")}
    assert list(words.factors) == ["income", "debt_to_income", "collateral", "age"]
    assert words.factors["income"].wordings == (
        Wording("R05", {"en": "Income insufficient for amount of credit requested"}),
    )
    assert words.features["income"].units == {"en": "thousand USD a month"}


def test_an_inline_reason_for_missing_values_comes_first() -> None:
    words = read_catalogue(inline_catalogue(manifest(missing={"code": "R24", "text": "No property named"})))
    first, last = words.factors["collateral"].wordings
    assert first == Wording("R24", {"en": "No property named"}, (Condition("property_type", "missing"),))
    assert (last.code, last.when) == ("R23", ())


def test_a_body_of_the_first_form_is_still_read() -> None:
    body = canonical_json(
        {
            "name": "loans@1",
            "version": "1",
            "reasons": [{"factor": "income", "code": "R05", "text": "Income insufficient"}],
        }
    )
    words = read_catalogue(Catalogue("loans@1", "1", digest_of(body), body))
    assert words.default_language == "en"
    assert words.factors["income"].wordings == (Wording("R05", {"en": "Income insufficient"}),)
    assert words.features == {}
    assert words.components == {}
