"""Manifests: one meaning, one digest, whatever the notation; faults and empty phrases named by pointer."""

from __future__ import annotations

import json
import random
from pathlib import Path
from typing import Any

import pytest
import yaml

from registry.errors import ManifestInvalid
from registry.manifests import SIZE_LIMIT, parse_manifest, read_stored_manifest

YAML = (Path(__file__).resolve().parents[3] / "docs" / "manifest.example.yaml").read_bytes()
DOCUMENT: dict[str, Any] = yaml.safe_load(YAML)


def as_json(document: object) -> bytes:
    return json.dumps(document).encode()


def shuffled(value: Any, seed: random.Random) -> Any:
    """The same document with the keys of every object in another order."""
    if isinstance(value, dict):
        keys = list(value)
        seed.shuffle(keys)
        return {key: shuffled(value[key], seed) for key in keys}
    return [shuffled(item, seed) for item in value] if isinstance(value, list) else value


def test_yaml_and_json_give_the_same_bytes() -> None:
    assert parse_manifest(as_json(DOCUMENT), "application/json") == parse_manifest(YAML, "application/yaml")
    assert parse_manifest(as_json(DOCUMENT)).digest == parse_manifest(YAML).digest


@pytest.mark.parametrize("seed", range(5))
def test_permuted_keys_give_the_same_bytes(seed: int) -> None:
    other = shuffled(DOCUMENT, random.Random(seed))  # noqa: S311
    assert parse_manifest(as_json(other)).canonical == parse_manifest(YAML).canonical
    assert (
        parse_manifest(yaml.safe_dump(other, sort_keys=False).encode()).canonical
        == parse_manifest(YAML).canonical
    )


def test_one_spelling_for_each_number_and_default() -> None:
    spelled = json.loads(json.dumps(DOCUMENT))
    spelled["features"][0]["range"] = [0.0, 1e3]
    spelled["features"][0]["sensitive"] = False
    spelled["counterfactuals"]["links"] = []
    spelled["features"][1]["range"] = None
    assert parse_manifest(as_json(spelled)).canonical == parse_manifest(YAML).canonical


def test_another_meaning_gives_another_digest() -> None:
    other = json.loads(json.dumps(DOCUMENT))
    other["features"][0], other["features"][1] = other["features"][1], other["features"][0]
    assert parse_manifest(as_json(other)).digest != parse_manifest(YAML).digest


def test_canonical_bytes_are_read_back_to_the_same() -> None:
    parsed = parse_manifest(YAML)
    assert read_stored_manifest(parsed.canonical) == parsed
    assert parse_manifest(parsed.canonical) == parsed
    assert json.loads(parsed.canonical)["model"] == "boston-mortgage"


def test_a_byte_order_mark_is_no_matter() -> None:
    assert parse_manifest(b"\xef\xbb\xbf" + YAML).digest == parse_manifest(YAML).digest


def refused(data: bytes, content_type: str | None = None) -> dict[str, str]:
    with pytest.raises(ManifestInvalid) as caught:
        parse_manifest(data, content_type)
    return {error.pointer: error.detail for error in caught.value.errors}


def test_documents_that_cannot_be_read() -> None:
    assert "UTF-8" in refused(b"\xff\xfe")[""]
    assert "larger" in refused(b" " * (SIZE_LIMIT + 1))[""]
    assert "not JSON" in refused(YAML, "application/json")[""]
    assert "must be an object" in refused(b"[1]")[""]
    assert "given twice" in refused(YAML + b"model: again\n")["/model"]


def test_an_unquoted_version_is_told_apart_from_a_text() -> None:
    assert refused(YAML.replace(b'version: "1"', b"version: 1")) == {"/version": "must be a text"}


def test_yes_and_no_are_categories_like_any_other() -> None:
    changed = YAML.replace(b"[single, two_to_four, condo]", b"[yes, no, on]")
    assert parse_manifest(changed).manifest.features[2].categories == ("yes", "no", "on")
    changed = YAML.replace(b"nullable: true", b"nullable: yes")
    assert refused(changed) == {"/features/2/nullable": "must be true or false"}


def test_text_that_no_utf_8_can_hold_is_refused() -> None:
    assert "/purpose" in refused(as_json({**DOCUMENT, "purpose": "\ud800"}))


@pytest.mark.parametrize(
    "text",
    [
        "Does not meet our internal standards",
        "Internal policy",
        "Company policies",
        "Failed to achieve a qualifying score",
        "You did not achieve a qualifying score",
        "Failure to reach the required credit score",
        "Below our minimum score",
        "Does not meet our credit criteria",
        "Score too low",
        "Our credit scoring system declined the request",
        "Declined by an algorithm",
        "Our  lending\nguidelines",
        "1234",
    ],
)
def test_texts_that_give_no_specific_reason_are_refused(text: str) -> None:
    changed = json.loads(json.dumps(DOCUMENT))
    changed["factors"][1]["reason"]["text"] = text
    assert list(refused(as_json(changed))) == ["/factors/1/reason/text"]


# Regulation B, Appendix C, sample form C-1.
SAMPLE_FORM = """
Insufficient number of credit references provided; Unacceptable type of credit references provided;
Unable to verify credit references; Temporary or irregular employment; Unable to verify employment;
Length of employment; Income insufficient for amount of credit requested; Excessive obligations in
relation to income; Unable to verify income; Length of residence; Temporary residence; Unable to
verify residence; No credit file; Limited credit experience; Poor credit performance with us;
Delinquent past or present credit obligations with others; Collection action or judgment;
Garnishment or attachment; Foreclosure or repossession; Bankruptcy; Number of recent inquiries on
credit bureau report; Value or type of collateral not sufficient
"""


@pytest.mark.parametrize("text", [" ".join(text.split()) for text in SAMPLE_FORM.split(";")])
def test_the_reasons_of_the_sample_form_are_accepted(text: str) -> None:
    changed = json.loads(json.dumps(DOCUMENT))
    changed["factors"][1]["reason"]["text"] = text
    parse_manifest(as_json(changed))
