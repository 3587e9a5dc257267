"""A letter keeps the words of its decision, in each language of the catalogue; what cannot be printed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

CATALOGUE = Path(__file__).with_name("catalogue.yaml").read_text(encoding="utf-8")
YAML = {"content-type": "application/yaml"}
NOTICE = {
    "creditor": "Example Bank",
    "address": "1 Main Street, Springfield",
    "agency": "Bureau of Consumer Financial Protection, 1700 G Street NW, Washington, DC 20552",
}


def _reworded(catalogue: Any, name: str, **changes: Any) -> Any:
    """The same catalogue under another name, each text of every wording changed."""
    made = {**catalogue, "name": name, **changes}
    made["factors"] = [
        factor
        | {
            "wordings": [
                wording | {"texts": {tag: f"{text} (reworded)" for tag, text in wording["texts"].items()}}
                for wording in factor["wordings"]
            ]
        }
        for factor in catalogue["factors"]
    ]
    return made


@pytest.fixture(scope="module")
def bilingual(running: Any, upload: Any) -> Any:
    """The service with a version whose reasons are worded in English and Spanish, Spanish by default."""
    spanish = {**yaml.safe_load(CATALOGUE), "name": "letter-reasons", "default_language": "es"}
    for document in (spanish, _reworded(spanish, "letter-reasons-2")):
        body = yaml.safe_dump(document, allow_unicode=True).encode()
        made = running.http.post("/v1/catalogues", content=body, headers=YAML)
        assert made.status_code == 201, made.text
    factors = [
        {key: value for key, value in factor.items() if key != "reason"}
        for factor in yaml.safe_load(upload.manifest)["factors"]
    ]
    named = {"name": "letter-reasons", "version": "1"}
    changed = upload.with_manifest(model="bilingual", factors=factors, catalogue=named, notice=NOTICE)
    assert running.register(changed).status_code == 201
    assert running.approve("bilingual").status_code == 200
    return running


def explained(bilingual: Any, **application: Any) -> Any:
    told = {"action": "denial", "completed_at": "2026-01-05T08:00:00Z", **application}
    made = bilingual.explain(bilingual.request(application=told), "bilingual")
    assert made.status_code == 201, made.text
    return made.json()


def notice(bilingual: Any, made: Any, accept: str = "text/html", **asked: str) -> httpx.Response:
    where = f"/v1/explanations/{made['explanation_id']}/notice"
    answer: httpx.Response = bilingual.http.get(where, params=asked, headers={"accept": accept})
    return answer


def test_the_catalogues_default_language_and_each_other_one(bilingual: Any) -> None:
    made = explained(bilingual)
    default, spanish = notice(bilingual, made), notice(bilingual, made, language="es")
    assert default.headers["content-language"] == "es"
    assert default.headers["ofrecord-rendering"] == "first"
    assert spanish.headers["ofrecord-rendering"] == "identical"  # one letter, however it was asked for
    english = notice(bilingual, made, language="en")
    assert english.headers["content-language"] == "en"
    assert english.headers["ofrecord-rendering"] == "first"
    assert english.content != spanish.content
    assert '<html lang="es"' in default.text


def test_both_letters_are_kept_apart(bilingual: Any) -> None:
    made = explained(bilingual)
    notices = [notice(bilingual, made, template=name) for name in ("adverse_action", "explanation")]
    assert [answer.status_code for answer in notices] == [200, 200]
    assert notices[0].content != notices[1].content
    again = notice(bilingual, made, template="explanation")
    assert (again.headers["ofrecord-rendering"], again.content) == ("identical", notices[1].content)


def test_a_letter_keeps_the_catalogue_of_its_decision(bilingual: Any) -> None:
    before = explained(bilingual)
    first = notice(bilingual, before)
    change = {"name": "letter-reasons-2", "version": "1", "by": "compliance", "note": "reworded"}
    changed = bilingual.http.post("/v1/models/bilingual/versions/1/catalogue", json=change)
    assert changed.status_code == 200, changed.text
    later = notice(bilingual, before)
    assert (later.headers["ofrecord-rendering"], later.content) == ("identical", first.content)
    fresh = notice(bilingual, before, language="en")
    assert fresh.headers["ofrecord-rendering"] == "first"
    assert "(reworded)" not in fresh.text
    assert "(reworded)" in notice(bilingual, explained(bilingual)).text


def test_a_name_that_no_font_has_is_refused_by_its_characters_and_not_by_itself(bilingual: Any) -> None:
    made = explained(bilingual, applicant={"name": "Ada \U00013000", "address": ["1 Elm Street"]})
    before = bilingual.entries()
    refused = notice(bilingual, made, "application/pdf")
    assert (refused.status_code, refused.json()["type"]) == (422, "/problems/notice-unprintable")
    assert "U+13000" in refused.json()["detail"]
    assert "Ada" not in refused.text
    assert bilingual.entries() == before
    assert notice(bilingual, made).status_code == 200  # a browser has more fonts
