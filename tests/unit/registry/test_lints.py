"""Texts that say nothing, in three languages; and texts that say something, which must pass."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from registry.catalogue_documents import parse_catalogue
from registry.documents import read_yaml
from registry.errors import CatalogueInvalid
from registry.lints import faults_of
from registry.shipped import seeds

EMPTY = {
    "en": [
        "Does not meet our internal standards", "Company policy", "Failed to achieve a qualifying score",
        "Your credit score is too low", "Not enough points in our scoring system",
        "The algorithm declined you",
        "Other", "Other reasons", "OTHER, please specify:", "Low credit score", "in\u00adternal pol\u200bicy",
        "Does not meet the bank's minimum requirements", "Our lending criteria", "Minimum score not reached",
    ],
    "es": [
        "No cumple nuestros requisitos", "Normas internas", "Según la política de la entidad",
        "No alcanzó la puntuación", "Puntaje mínimo no alcanzado", "Puntuación insuficiente", "Otros",
        "Otros motivos", "Decisión del modelo", "Baja puntuación", "Sistema de puntuación de crédito",
    ],
    "de": [
        "Entspricht nicht unseren internen Richtlinien", "Unsere Kreditpolitik",
        "Mindestpunktzahl nicht erreicht",
        "Score zu niedrig", "Unzureichende Punktzahl", "Sonstiges Scoringsystem", "Sonstige Gründe",
        "Entscheidung durch einen Algorithmus", "Unsere Anforderungen sind nicht erfüllt", "Andere",
    ],
}  # fmt: skip
TELLING = {
    "en": [
        "Number of recent inquiries on credit bureau report", "Other debts too high for the income",
        "Delinquent past or present credit obligations with others", "Too little cash for the down payment",
        "Concave points of the outline above the reference", "Income of {income} below the average",
    ],
    "es": [
        "Ingresos insuficientes para el importe solicitado", "Obligaciones excesivas respecto a los ingresos",
        "Otras deudas demasiado altas", "No se pudo verificar el empleo", "Experiencia crediticia limitada",
    ],
    "de": [
        "Einkommen zu niedrig für den gewünschten Kredit", "Weitere Schulden sind im Verhältnis zu hoch",
        "Die Zahl der Einbuchtungen ist höher als üblich", "Insolvenz", "Zu wenig Eigenkapital",
    ],
}  # fmt: skip


@pytest.mark.parametrize(("language", "text"), [(tag, text) for tag in EMPTY for text in EMPTY[tag]])
def test_what_says_nothing_is_found(language: str, text: str) -> None:
    assert faults_of(text, language)


@pytest.mark.parametrize(("language", "text"), [(tag, text) for tag in TELLING for text in TELLING[tag]])
def test_what_says_something_passes(language: str, text: str) -> None:
    assert faults_of(text, language) == ()


def test_a_regional_language_is_linted_as_its_language() -> None:
    assert faults_of("Normas internas", "es-MX")


def test_one_of_the_sample_forms_own_reasons_would_be_found() -> None:
    """It passes because the regulation itself words it so, and for no other reason."""
    assert [name for name, text in seeds().items() if faults_of(text, "en")] == ["c2-income-below-minimum"]


EXAMPLE = Path(__file__).resolve().parents[3] / "examples" / "lending" / "catalogue.yaml"


@pytest.mark.parametrize("sign", ["\u202e", "\u2066", "\ufeff", "\uffff", "\ue000", "\U000e0041", "\x85"])
def test_what_no_letter_can_show_is_refused_where_it_stands(sign: str) -> None:
    document: Any = read_yaml(EXAMPLE.read_text())
    parse_catalogue(json.dumps(document).encode())
    texts = document["factors"][0]["wordings"][-1].setdefault("texts", {})
    texts["es"] = f"Ingresos {sign} insuficientes"
    document["features"][0]["labels"]["en"] += sign
    with pytest.raises(CatalogueInvalid) as refused:
        parse_catalogue(json.dumps(document).encode())
    last = len(document["factors"][0]["wordings"]) - 1
    found = {error.pointer for error in refused.value.errors}
    assert found == {"/features/0/labels/en", f"/factors/0/wordings/{last}/texts/es"}
    assert all(f"U+{ord(sign):04X}" in error.detail for error in refused.value.errors)
