"""Catalogues over HTTP: registered once, listed, named by a manifest, and changed for a version."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import yaml

from schemas.catalogue_version import CatalogueList, CatalogueSummary, CatalogueVersion
from schemas.model_version import ModelVersion

CATALOGUE = Path(__file__).with_name("catalogue.yaml").read_text(encoding="utf-8")
YAML = {"content-type": "application/yaml"}


def catalogue(**changes: object) -> bytes:
    return yaml.safe_dump({**yaml.safe_load(CATALOGUE), **changes}, allow_unicode=True).encode()


def post(running: Any, body: bytes) -> Any:
    return running.http.post("/v1/catalogues", content=body, headers=YAML)


def bind(running: Any, model: str, name: str, version: str = "1") -> Any:
    body = {"name": name, "version": version, "by": "compliance", "note": "plainer words"}
    return running.http.post(f"/v1/models/{model}/versions/1/catalogue", json=body)


def worded_by(running: Any, upload: Any, model: str, name: str) -> Any:
    """Register and approve `loans` under another name, its reasons worded by this catalogue."""
    factors = [
        {key: value for key, value in factor.items() if key != "reason"}
        for factor in yaml.safe_load(upload.manifest)["factors"]
    ]
    named = {"name": name, "version": "1"}
    answer = running.register(upload.with_manifest(model=model, factors=factors, catalogue=named))
    assert answer.status_code == 201, answer.text
    assert running.approve(model).status_code == 200
    return answer.json()


@pytest.fixture(scope="module", autouse=True)
def registered(running: Any) -> Any:
    return post(running, catalogue()).json()


def test_a_catalogue_is_registered_described_and_listed(running: Any, registered: Any) -> None:
    made = CatalogueVersion.model_validate(registered)
    assert (made.name, made.version, made.source) == ("loan-reasons", "1", "registered")
    assert made.receipt is not None
    read = running.http.get("/v1/catalogues/loan-reasons/versions/1").json()
    assert CatalogueVersion.model_validate(read) == made.model_copy(update={"receipt": None})
    first = read["document"]["factors"][0]["wordings"]
    assert first[1]["texts"]["en"] == "Income insufficient for amount of credit requested"
    summary = CatalogueSummary.model_validate(running.http.get("/v1/catalogues/loan-reasons").json())
    assert [version.version for version in summary.versions] == ["1"]


def test_the_same_content_again_is_the_first_and_other_content_a_conflict(
    running: Any, registered: Any
) -> None:
    before = running.entries()
    again = post(running, catalogue())
    assert (again.status_code, again.json()) == (201, registered)
    other = post(running, catalogue(components=[]))
    assert (other.status_code, other.json()["type"]) == (409, "/problems/catalogue-conflict")
    assert running.entries() == before
    assert running.entries("catalogue.registered") >= 1


def test_one_registration_of_many_at_once_makes_one_entry(running: Any) -> None:
    before = running.entries("catalogue.registered")
    body = catalogue(name="at-once")
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda _: post(running, body), range(6)))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.json()["receipt"]["entry_id"] for answer in answers}) == 1
    assert running.entries("catalogue.registered") == before + 1


def test_the_shipped_catalogue_is_there_and_its_name_is_taken(running: Any) -> None:
    shipped = running.http.get("/v1/catalogues/regulation-b-appendix-c/versions/1").json()
    assert CatalogueVersion.model_validate(shipped).source == "shipped"
    assert len(shipped["document"]["factors"]) == 37
    taken = post(running, catalogue(name="regulation-b-appendix-c", version="2"))
    assert (taken.status_code, taken.json()["type"]) == (409, "/problems/catalogue-conflict")
    names, cursor = [], ""
    while cursor is not None:
        answer = running.http.get("/v1/catalogues", params={"limit": 1, "cursor": cursor}).json()
        page = CatalogueList.model_validate(answer)
        names += [found.name for found in page.catalogues]
        cursor = page.next_cursor
    assert names == sorted(set(names))
    assert {"loan-reasons", "loans@1", "regulation-b-appendix-c"} <= set(names)


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"default_language": "de"}, "/default_language"),
        ({"name": "loans@1"}, "/name"),
        ({"factors": [{"name": "x", "labels": {"en": "X", "es": "X"}, "wordings": [
            {"code": "L1", "texts": {"en": "Income", "es": "Según nuestras políticas"}}]}]},
         "/factors/0/wordings/0/texts/es"),
        ({"extra": 1}, "/extra"),
    ],
)  # fmt: skip
def test_a_bad_catalogue_is_refused_at_its_place(running: Any, changes: Any, pointer: str) -> None:
    before = running.entries()
    answer = post(running, catalogue(version="9", **changes))
    assert (answer.status_code, answer.json()["type"]) == (422, "/problems/catalogue-invalid")
    assert [error["pointer"] for error in answer.json()["errors"]] == [pointer]
    assert running.entries() == before


def test_a_body_of_another_kind_and_an_unknown_catalogue_are_refused(running: Any) -> None:
    plain = running.http.post("/v1/catalogues", content=catalogue(), headers={"content-type": "text/plain"})
    assert plain.status_code == 415
    for path in ("nothing", "loan-reasons/versions/7", "%00", "loan-reasons/versions/%00", "%ff"):
        assert running.http.get(f"/v1/catalogues/{path}").status_code == 404


def test_registering_and_choosing_need_their_scopes(running: Any) -> None:
    headers = {"authorization": f"Bearer {running.token('read')[0]}"}
    posted = running.http.post("/v1/catalogues", content=catalogue(), headers={**YAML, **headers})
    body = {"name": "loan-reasons", "version": "1", "by": "compliance"}
    path = "/v1/models/loans/versions/1/catalogue"
    assert (posted.status_code, running.http.post(path, json=body, headers=headers).status_code) == (403, 403)
    assert running.http.get("/v1/catalogues", headers=headers).status_code == 200


def test_a_manifest_that_names_a_catalogue_is_worded_by_it(running: Any, upload: Any) -> None:
    made = worded_by(running, upload, "worded", "loan-reasons")
    assert (made["catalogue"]["name"], made["catalogue"]["version"]) == ("loan-reasons", "1")
    gaps = {name: made["capability"][name] for name in made["capability"] if name.startswith("factors_")}
    assert gaps == {
        "factors_without_reason": [],
        "factors_not_always_worded": [],
        "factors_without_missing_reason": [],
    }
    answer = running.explain(running.request(), "worded").json()
    by_factor = {reason["factor"]: reason for reason in answer["reasons"]}
    assert by_factor["income"]["code"] == "L01"
    assert by_factor["income"]["text"].startswith("Income of 21.0 below the average of ")
    assert by_factor["debt"]["text"] == "Obligations of 64.5% of income"


def test_a_catalogue_that_is_unknown_or_does_not_fit_stops_the_registration(
    running: Any, upload: Any
) -> None:
    factors = [
        {key: value for key, value in factor.items() if key != "reason"}
        for factor in yaml.safe_load(upload.manifest)["factors"]
    ]
    before = running.entries("model.%")
    for name, said in (("nowhere", "no version"), ("misfit", "income")):
        if name == "misfit":
            wrong = yaml.safe_load(CATALOGUE)["factors"]
            wrong[0]["wordings"][0]["when"][0]["feature"] = "debt_ratio"
            assert post(running, catalogue(name=name, factors=wrong)).status_code == 201
        named = {"name": name, "version": "1"}
        answer = running.register(upload.with_manifest(model="unfit", factors=factors, catalogue=named))
        assert (answer.status_code, answer.json()["type"]) == (422, "/problems/manifest-invalid")
        assert [error["pointer"] for error in answer.json()["errors"]] == ["/manifest/catalogue"]
        assert said in answer.json()["errors"][0]["detail"]
    assert running.entries("model.%") == before


def test_another_catalogue_words_what_is_decided_from_now_on(running: Any, upload: Any) -> None:
    plain = yaml.safe_load(CATALOGUE)["factors"]
    plain[0]["wordings"] = [{"code": "P01", "texts": {"en": "Income", "es": "Ingresos"}}]
    assert post(running, catalogue(name="plain-reasons", factors=plain)).status_code == 201
    worded_by(running, upload, "reworded", "loan-reasons")
    request = running.request()
    first = running.explain(request, "reworded").json()
    before = running.entries("model.catalogue_changed")
    tables = running.services.versions.get("reworded").shap
    changed = bind(running, "reworded", "plain-reasons")
    assert changed.status_code == 200, changed.text
    described = ModelVersion.model_validate(changed.json())
    assert described.catalogue.name == "plain-reasons"
    assert [(change.name, change.by) for change in described.catalogue_history] == [
        ("plain-reasons", "compliance")
    ]
    assert running.services.versions.get("reworded").shap is tables
    later = running.explain(running.request(), "reworded").json()
    codes = {reason["factor"]: reason["code"] for reason in later["reasons"]}
    assert codes["income"] == "P01"
    assert running.explain(request, "reworded").json()["reasons"] == first["reasons"]
    again = bind(running, "reworded", "plain-reasons")
    assert again.json()["receipt"] == changed.json()["receipt"]
    assert running.entries("model.catalogue_changed") == before + 1


def test_a_catalogue_that_leaves_out_a_factor_is_not_chosen(running: Any) -> None:
    few = yaml.safe_load(CATALOGUE)["factors"][:2]
    assert post(running, catalogue(name="too-few", factors=few)).status_code == 201
    before = running.entries()
    for name, problem in (("too-few", "catalogue-unfit"), ("nowhere", "invalid-input")):
        answer = bind(running, "loans", name)
        assert (answer.status_code, answer.json()["type"]) == (422, f"/problems/{problem}")
        assert [error["pointer"] for error in answer.json()["errors"]] == ["/name"]
    assert bind(running, "nobody", "loan-reasons").status_code == 404
    assert running.entries() == before
