"""What docs/catalogues.md shows is parsed, checked against a manifest, and says what the page says."""

from __future__ import annotations

import re
from pathlib import Path

from explain.wording import text_of, word
from registry.catalogue_documents import parse_catalogue
from registry.catalogues import read_catalogue
from registry.coverage import gaps, require_fit
from registry.documents import read_yaml
from schemas.manifest import Manifest

PAGE = (Path(__file__).resolve().parents[3] / "docs" / "catalogues.md").read_text("utf-8")
CATALOGUE, NAMED = re.findall(r"^```yaml\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
WORDS = read_catalogue(parse_catalogue(CATALOGUE.encode(), "application/yaml"))
MANIFEST = """
manifest: ofrecord/v1
model: loans
version: "1"
family: xgboost
profile: lending
purpose: "Approve or decline a loan"
outcome: {adverse: decline, favourable: approve, score: probability_of_adverse, threshold: 0.5}
features:
  - {name: income, type: number, nullable: true}
  - {name: recent_inquiries, type: integer}
factors:
  - {name: income, features: [income]}
  - {name: inquiries, features: [recent_inquiries]}
reference: {kind: all_applicants}
"""


def test_the_sample_fits_a_manifest_that_names_it() -> None:
    manifest = Manifest.model_validate(read_yaml(MANIFEST + NAMED))
    assert manifest.catalogue is not None
    assert (manifest.catalogue.name, manifest.catalogue.version) == (WORDS.name, WORDS.version)
    require_fit(manifest, WORDS, complete=True)
    assert not any(gaps(manifest, WORDS).values())


def test_it_says_what_the_page_says() -> None:
    income = WORDS.factors["income"]
    said = []
    for value in (1850.0, None):
        values, means = {"income": value}, {"income": 5200.0}
        taken = word(income, values, means, WORDS, "en")
        said.append(taken.text)
        said.append(text_of(WORDS, "income", taken.wording, values, means, language="de"))
    flat = " ".join(PAGE.split())
    for text in said[:3]:
        assert f"`{text}`" in flat
    assert said[3] == "Das Einkommen konnte nicht geprüft werden"


def test_the_page_names_what_the_capability_report_lists() -> None:
    manifest = Manifest.model_validate(read_yaml(MANIFEST + NAMED))
    for line in gaps(manifest, WORDS):
        assert f"`{line}`" in PAGE
