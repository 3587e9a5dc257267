"""Reason catalogues: the words for each factor, frozen with the entries that used them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from explain.catalogue import (
    ComponentWords,
    Condition,
    FactorWords,
    FeatureWords,
    Language,
    ReasonCatalogue,
    Wording,
)
from registry.digests import canonical_json, digest_of
from registry.documents import Plain, read_json
from schemas.catalogue import CatalogueDocument
from schemas.catalogue_sections import CatalogueFactor, CatalogueFeature, FactorWording, Numerals
from schemas.manifest import Manifest
from schemas.manifest_sections import ManifestFactor, ManifestFeature, ReasonText

INLINE_LANGUAGE = "en"
INLINE_VERSION = "1"
_ENGLISH_DECIMAL, _ENGLISH_GROUP = ".", ","


@dataclass(frozen=True, slots=True)
class Catalogue:
    """One version of a reason catalogue; `body` is canonical JSON."""

    name: str
    version: str
    digest: str
    body: bytes


def catalogue_of(document: CatalogueDocument) -> Catalogue:
    """Write a checked document as canonical JSON with its digest."""
    body = canonical_json(document.model_dump(exclude_defaults=True))
    return Catalogue(document.name, document.version, digest_of(body), body)


def read_catalogue(catalogue: Catalogue) -> ReasonCatalogue:
    """Return a stored catalogue in the explanation core's own types."""
    body = read_json(catalogue.body.decode())
    if isinstance(body, dict) and "catalogue" not in body:
        return _bare(catalogue, body)
    document = CatalogueDocument.model_validate(body)
    return ReasonCatalogue(
        name=catalogue.name,
        version=catalogue.version,
        digest=catalogue.digest,
        languages={tag: _language(tag, numerals) for tag, numerals in document.languages.items()},
        default_language=document.default_language,
        factors={factor.name: _factor(factor) for factor in document.factors},
        features={feature.name: _feature(feature) for feature in document.features},
        components={
            component.code: ComponentWords(
                component.code, component.kind, component.texts, component.incomplete
            )
            for component in document.components
        },
    )


def _language(tag: str, numerals: Numerals) -> Language:
    decimal = _ENGLISH_DECIMAL if numerals.decimal_mark is None else numerals.decimal_mark
    group = _ENGLISH_GROUP if numerals.group_mark is None else numerals.group_mark
    return Language(tag, decimal, group)


def _factor(factor: CatalogueFactor) -> FactorWords:
    return FactorWords(factor.name, factor.labels, tuple(_wording(wording) for wording in factor.wordings))


def _wording(wording: FactorWording) -> Wording:
    conditions = tuple(
        Condition(
            condition.feature,
            condition.test,
            None if condition.limit is None else float(condition.limit),
            condition.values,
        )
        for condition in wording.when
    )
    return Wording(wording.code, wording.texts, conditions)


def _feature(feature: CatalogueFeature) -> FeatureWords:
    return FeatureWords(feature.name, feature.labels, feature.units, feature.decimals, feature.categories)


def _bare(catalogue: Catalogue, body: Mapping[str, Plain]) -> ReasonCatalogue:
    """Read the first form of a manifest's own texts: a code and a text for each factor, nothing else."""
    reasons = body["reasons"]
    assert isinstance(reasons, list)  # noqa: S101  this service wrote it
    factors = {}
    for reason in reasons:
        assert isinstance(reason, dict)  # noqa: S101  as above
        name, code, text = (str(reason[key]) for key in ("factor", "code", "text"))
        wording = Wording(code, {INLINE_LANGUAGE: text})
        factors[name] = FactorWords(name, {INLINE_LANGUAGE: name}, (wording,))
    return ReasonCatalogue(
        name=catalogue.name,
        version=catalogue.version,
        digest=catalogue.digest,
        languages={INLINE_LANGUAGE: Language(INLINE_LANGUAGE)},
        default_language=INLINE_LANGUAGE,
        factors=factors,
        features={},
        components={},
    )


def inline_catalogue(manifest: Manifest) -> Catalogue:
    """Make the texts that a manifest carries into version 1 of a catalogue of its own."""
    by_name = {feature.name: feature for feature in manifest.features}
    document = {
        "catalogue": "ofrecord/catalogue-v1",
        "name": f"{manifest.model}@{manifest.version}",
        "version": INLINE_VERSION,
        "languages": {INLINE_LANGUAGE: {}},
        "default_language": INLINE_LANGUAGE,
        "features": [_inline_feature(feature) for feature in manifest.features],
        "factors": [
            _inline_factor(factor, factor.reason, [by_name[name] for name in factor.features])
            for factor in manifest.factors
            if factor.reason is not None
        ],
    }
    return catalogue_of(CatalogueDocument.model_validate(document))


def _inline_feature(feature: ManifestFeature) -> dict[str, object]:
    units = {} if feature.unit is None else {INLINE_LANGUAGE: feature.unit}
    label = feature.label or feature.name
    return {
        "name": feature.name,
        "labels": {INLINE_LANGUAGE: label},
        "units": units,
        "decimals": feature.decimals,
    }


def _inline_factor(
    factor: ManifestFactor, reason: ReasonText, features: list[ManifestFeature]
) -> dict[str, object]:
    wordings: list[dict[str, object]] = []
    if reason.missing is not None:
        texts = {INLINE_LANGUAGE: reason.missing.text}
        wordings += [
            {
                "code": reason.missing.code,
                "texts": texts,
                "when": [{"feature": feature.name, "test": "missing"}],
            }
            for feature in features
            if feature.nullable
        ]
    wordings.append({"code": reason.code, "texts": {INLINE_LANGUAGE: reason.text}})
    label = factor.label or factor.name
    return {"name": factor.name, "labels": {INLINE_LANGUAGE: label}, "wordings": wordings}
