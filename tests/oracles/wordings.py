"""Reason catalogues by hand, as small as a test needs them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from explain.catalogue import ComponentWords, FactorWords, FeatureWords, Language, ReasonCatalogue, Wording

ENGLISH = Language("en")


def catalogue_of(
    factors: Mapping[str, Iterable[Wording]],
    *,
    features: Iterable[FeatureWords] = (),
    components: Iterable[ComponentWords] = (),
    languages: Iterable[Language] = (ENGLISH,),
) -> ReasonCatalogue:
    """Put a catalogue together whose first language is the default."""
    by_tag = {language.tag: language for language in languages}
    return ReasonCatalogue(
        name="by-hand",
        version="1",
        digest="sha256:" + "0" * 64,
        languages=by_tag,
        default_language=next(iter(by_tag)),
        factors={name: FactorWords(name, {"en": name}, tuple(own)) for name, own in factors.items()},
        features={feature.feature: feature for feature in features},
        components={component.code: component for component in components},
    )


def plain_catalogue(names: Iterable[str]) -> ReasonCatalogue:
    """Word every factor by one text of its own: factor `x` has code `R-x` and text `Reason x`."""
    return catalogue_of({name: [Wording(f"R-{name}", {"en": f"Reason {name}"})] for name in names})
