"""Whether a catalogue fits a manifest, and what it leaves without words."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest

from explain.catalogue import ReasonCatalogue
from registry.catalogue_documents import parse_catalogue
from registry.catalogues import catalogue_of, inline_catalogue, read_catalogue
from registry.coverage import gaps, require_fit
from registry.digests import canonical_json
from registry.documents import read_yaml
from registry.errors import CatalogueInvalid, CatalogueUnfit
from schemas.catalogue import CatalogueDocument
from schemas.manifest import Manifest

ROOT = Path(__file__).resolve().parents[3]
EXAMPLE = read_yaml((ROOT / "docs" / "manifest.example.yaml").read_text())
MANIFEST = Manifest.model_validate(EXAMPLE)
DOCUMENT: dict[str, Any] = {
    "catalogue": "ofrecord/catalogue-v1",
    "name": "words",
    "version": "1",
    "languages": {"en": {}},
    "default_language": "en",
    "features": [
        {"name": name, "labels": {"en": name}}
        for name in ("income", "debt_ratio", "property_type", "age", "wealth")
    ],
    "factors": [
        {"name": name, "labels": {"en": name}, "wordings": [{"code": "R1", "texts": {"en": "A reason"}}]}
        for name in ("income", "debt_to_income", "collateral", "age", "of another model")
    ],
}


def words(factor: int | None = None, *wordings: dict[str, object]) -> ReasonCatalogue:
    document = copy.deepcopy(DOCUMENT)
    if factor is not None:
        document["factors"][factor]["wordings"] = list(wordings)
    return read_catalogue(catalogue_of(CatalogueDocument.model_validate(document)))


def wording(text: str = "A reason", **when: object) -> dict[str, object]:
    return {"code": "R1", "texts": {"en": text}, "when": [when] if when else []}


def test_a_catalogue_for_several_models_fits_each_of_them() -> None:
    require_fit(MANIFEST, words(), complete=True)
    assert gaps(MANIFEST, words()) == {
        "factors_without_reason": [],
        "factors_not_always_worded": [],
        "factors_without_missing_reason": ["collateral"],
    }


@pytest.mark.parametrize(
    ("factor", "given", "said"),
    [
        (0, wording(feature="debt_ratio", test="present"), "not one of the factor's features"),
        (0, wording(feature="income", test="missing"), "never missing"),
        (0, wording(feature="income", test="one_of", values=["x"]), "never is 'x'"),
        (2, wording(feature="property_type", test="one_of", values=["castle"]), "never is 'castle'"),
        (2, wording(feature="property_type", test="above_reference"), "is for numbers"),
        (0, wording("Debts of {debt_ratio}"), "no feature of the factor"),
        (0, wording("Wealth of {wealth}"), "no feature of the factor"),
        (2, wording("Against {property_type.reference}"), "a factor of one number"),
    ],
)
def test_a_wording_that_contradicts_the_manifest_is_named(
    factor: int, given: dict[str, object], said: str
) -> None:
    with pytest.raises(CatalogueUnfit, match=said):
        require_fit(MANIFEST, words(factor, given), complete=False)


def test_a_factor_without_words_is_a_gap_and_stops_a_change_of_catalogue() -> None:
    document = copy.deepcopy(DOCUMENT)
    del document["factors"][1]
    few = read_catalogue(catalogue_of(CatalogueDocument.model_validate(document)))
    require_fit(MANIFEST, few, complete=False)
    assert gaps(MANIFEST, few)["factors_without_reason"] == ["debt_to_income"]
    with pytest.raises(CatalogueUnfit, match="debt_to_income"):
        require_fit(MANIFEST, few, complete=True)


def test_what_only_conditions_or_slots_word_may_stay_without_words() -> None:
    missing = wording(feature="property_type", test="missing")
    of_kind = wording("Property of the kind {property_type}")
    for wordings, expected in (
        ([missing], ["collateral"]),
        ([of_kind], ["collateral"]),
        ([missing, of_kind], []),
    ):
        assert gaps(MANIFEST, words(2, *wordings))["factors_not_always_worded"] == expected
    assert gaps(MANIFEST, words(2, missing))["factors_without_missing_reason"] == []


def test_a_manifests_own_texts_are_checked_alike() -> None:
    document: Any = copy.deepcopy(EXAMPLE)
    document["factors"][1]["features"] = ["debt_ratio", "age"]
    del document["factors"][3]
    document["factors"][1]["reason"]["text"] = "Obligations above {debt_ratio.reference}"
    manifest = Manifest.model_validate(document)
    with pytest.raises(CatalogueUnfit, match="one number"):
        require_fit(manifest, read_catalogue(inline_catalogue(manifest)), complete=False)


def sent(**changes: object) -> bytes:
    return canonical_json({**DOCUMENT, **changes})


def seeded(**given: object) -> dict[str, object]:
    return {"name": "income", "labels": {"en": "Income"}, "wordings": [{"code": "R1", **given}]}


def test_a_seed_is_written_out_and_may_say_what_the_form_says() -> None:
    factor = seeded(
        seed="c2-income-below-minimum", texts={"es": "Sus ingresos no llegan a nuestros requisitos"}
    )
    factor["labels"] = {"en": "Income", "es": "Ingresos"}
    spanish = {"en": {}, "es": {"decimal_mark": ",", "group_mark": "."}}
    parsed = parse_catalogue(sent(languages=spanish, features=[], factors=[factor]))
    texts = read_catalogue(parsed).factors["income"].wordings[0].texts
    assert texts["en"] == "Your income is below our minimum requirement"
    spelled = copy.deepcopy(factor)
    spelled["wordings"][0]["texts"]["en"] = texts["en"]  # type: ignore[index]
    assert parse_catalogue(sent(languages=spanish, features=[], factors=[spelled])) == parsed
    factor["wordings"][0]["texts"]["es"] = "Según nuestra política"  # type: ignore[index]
    with pytest.raises(CatalogueInvalid, match="policy"):
        parse_catalogue(sent(languages=spanish, features=[], factors=[factor]))


@pytest.mark.parametrize(
    ("changes", "where"),
    [
        ({"factors": [seeded(seed="c9-nothing")]}, "/factors/0/wordings/0/seed"),
        ({"factors": [seeded(seed="c1-bankruptcy", texts={"en": "x"})]}, "/factors/0/wordings/0/texts/en"),
        ({"factors": [seeded(texts={"en": "{income}"})]}, "/factors/0/wordings/0/texts/en"),
        ({"factors": [seeded(texts={"en": "Company policy"})]}, "/factors/0/wordings/0/texts/en"),
        ({"components": [{"code": "K1", "kind": "knockout", "texts": {"en": "Other"}}]},
         "/components/0/texts/en"),
        ({"components": [{"code": "K1", "kind": "knockout", "seed": "c9"}]}, "/components/0/seed"),
        ({"name": "words@1"}, "/name"),
    ],
)  # fmt: skip
def test_what_is_sent_is_refused_at_its_place(changes: dict[str, object], where: str) -> None:
    with pytest.raises(CatalogueInvalid) as refused:
        parse_catalogue(sent(**changes))
    assert [error.pointer for error in refused.value.errors] == [where]


@pytest.mark.parametrize("body", [b"\xff", b"{", b"[]", b"a: &x 1", b"x" * (2 << 20) + b"x"])
def test_what_is_no_document_is_refused(body: bytes) -> None:
    with pytest.raises(CatalogueInvalid):
        parse_catalogue(body)
