"""Replays of every family of models, of several classes, of supplements, of DiCE, and of letters."""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import yaml

from registry.proposing import Proposer
from reports.letters.letter import Letter
from reports.rendering.pages import Rendered
from service.renderer import OurRenderer
from tests.integration.service.replays import explained, identical, proposed_by, replayed
from tests.integration.service.test_service_classes import NAMES, posted
from tests.integration.service.test_service_classes import manifest as of_classes
from tests.integration.service.test_service_families import (
    Trained,
    catboost,
    forest,
    histogram,
    lightgbm,
    manifest,
    population,
)
from tests.integration.service.test_service_supplements import _deferred
from tests.oracles.boosters import train
from tests.oracles.proposers import problem_of, proposing, ready
from workers.evaluating import evaluate
from workers.policy import Policy
from workers.resources import open_resources

METHODS = ["direct", "dice_random"]


@pytest.mark.parametrize(
    ("family", "trained"),
    [("lightgbm", lightgbm), ("sklearn", histogram), ("sklearn", forest), ("catboost", catboost)],
    ids=["lightgbm", "histogram", "forest", "catboost"],
)
def test_each_family_is_identical(running: Any, family: str, trained: Callable[..., Trained]) -> None:
    table, declined = population()
    artifact, features, _ = trained(table, declined)
    name = f"again-{trained.__name__}"
    reference = io.StringIO()
    table[features].head(400).to_csv(reference, index=False)
    files = {
        "manifest": ("m.yaml", manifest(family, name, features), "application/yaml"),
        "artifact": ("model", artifact, "application/octet-stream"),
        "reference": ("r.csv", reference.getvalue().encode(), "text/csv"),
    }
    made = running.http.post("/v1/models", files=files)
    assert made.status_code == 201, made.text
    assert running.approve(name).status_code == 200
    statuses = set()
    for row in table[features].tail(10).to_dict("records"):
        answer = explained(running, name, features=row)
        statuses.add(answer["counterfactuals"]["status"])
        identical(running, answer)
    assert statuses == {"found", "not_needed"}


def test_a_decision_among_classes_is_identical(running: Any) -> None:
    trained = train(("q",) * 4, objective="multi:softprob", outputs=3, rounds=8)
    free = {"features": {name: {"mutable": True, "range": [-10, 10]} for name in NAMES}}
    made = posted(running, trained, of_classes(model="triage-again", counterfactuals=free))
    assert made.status_code == 201, made.text
    assert running.approve("triage-again").status_code == 200
    outcomes = set()
    for row in trained.rows[:12].tolist():
        values = [None if math.isnan(x) else x for x in row]
        features = dict(zip(NAMES, values, strict=True))
        answer = explained(running, "triage-again", features=features)
        outcomes.add(answer["decision"]["outcome"])
        identical(running, answer)
        if answer["decision"]["outcome"] == "admit":
            target = {"target": {"class": "home"}}
            identical(running, explained(running, "triage-again", features=features, counterfactuals=target))
    assert outcomes == {"admit", "discharge"}


def _finished(running: Any, policy: Policy) -> str:
    """A deferred search that a worker finished; the explanation's id."""
    _, first = _deferred(running, counterfactuals={"count": 4})
    settings = running.services.settings
    own = replace(
        settings,
        database_url=settings.database_url.replace("ofrecord_service", "ofrecord_worker"),
        keys_database_url=settings.keys_database_url.replace("ofrecord_service", "ofrecord_worker"),
    )
    with open_resources(own, policy) as worker:
        evaluate(worker, UUID(first["counterfactuals"]["evaluation_id"]))
    return str(first["explanation_id"])


@pytest.mark.parametrize("policy", [Policy(), Policy(search_effort=200)], ids=["finished", "stopped"])
def test_a_supplement_is_identical_wherever_its_search_ended(running: Any, policy: Policy) -> None:
    explanation_id = _finished(running, policy)
    back = running.http.get(f"/v1/explanations/{explanation_id}").json()
    assert back["supplements"]
    found = identical(running, back)
    assert found["parts"]["supplements"] == "identical"


@pytest.fixture(scope="module")
def proposed(running: Any, upload: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The service with a counterfactual server beside it."""
    freedom = yaml.safe_load(upload.manifest)["counterfactuals"]
    given = upload.with_manifest(model="proposed-again", counterfactuals={**freedom, "methods": METHODS})
    assert running.register(given).status_code == 201
    assert running.approve("proposed-again").status_code == 200
    loaded = running.services.versions.get("proposed-again")
    cache: Path = running.services.settings.cache_dir
    with proposing(tmp_path_factory.mktemp("propose"), cache) as server:
        ready(server.path, loaded, problem_of(loaded, loaded.space.read(running.features).row))
        with proposed_by(running, Proposer(server.path)):
            yield running


def test_a_search_by_dice_is_identical_and_without_its_server_not_compared(proposed: Any) -> None:
    asked = {"count": 3, "methods": METHODS}
    answer = explained(proposed, "proposed-again", counterfactuals=asked, budget_ms=20_000)
    states = {one["method"]: one["state"] for one in answer["counterfactuals"]["searches"]}
    assert states["dice_random"] == "finished"
    identical(proposed, answer)
    with proposed_by(proposed, Proposer(None)):
        found = replayed(proposed, answer["explanation_id"])
    assert found["verdict"] == "within_tolerance"
    assert found["first_difference"] is None
    why = [{"part": "counterfactuals", "why": "counterfactual-server-unavailable"}]
    assert found["not_compared"] == why
    assert found["parts"]["counterfactuals"] == "not_compared"
    assert "counterfactuals" not in found["compared"]
    others = {verdict for part, verdict in found["parts"].items() if part != "counterfactuals"}
    assert others == {"identical"}
    stored = proposed.services.log.read(UUID(found["receipt"]["entry_id"]))
    assert stored.entry.body["not_compared"] == why


def test_a_search_by_dice_that_was_stopped_is_identical_without_its_server(proposed: Any) -> None:
    asked = {"count": 10, "methods": ["dice_random"]}
    answer = explained(proposed, "proposed-again", counterfactuals=asked, budget_ms=20)
    assert answer["counterfactuals"]["searches"][0]["state"] == "stopped"
    with proposed_by(proposed, Proposer(None)):
        identical(proposed, answer)


class _Elsewhere(OurRenderer):
    """A renderer of another release."""

    def environment_of(self, media_type: str) -> Mapping[str, str]:
        return {**super().environment_of(media_type), "renderer": "another"}


class _Faulty(OurRenderer):
    """A renderer that says it is the same and makes other bytes."""

    def render(self, letter: Letter, media_type: str) -> Rendered:
        made = super().render(letter, media_type)
        return replace(made, content=made.content + b" ")


def test_letters_are_compared_byte_by_byte_where_nothing_but_the_record_could_differ(
    running: Any, upload: Any
) -> None:
    notice = {
        "creditor": "Example Bank",
        "address": "1 Main Street, Springfield",
        "agency": "Bureau of Consumer Financial Protection, 1700 G Street NW, Washington, DC 20552",
    }
    assert running.register(upload.with_manifest(model="written", notice=notice)).status_code == 201
    assert running.approve("written").status_code == 200
    answer = explained(running, "written", application={"action": "denial"})
    where = f"/v1/explanations/{answer['explanation_id']}/notice"
    for accepted in ("application/json", "text/html", "application/pdf"):
        made = running.http.get(where, headers={"accept": accepted})
        assert made.status_code == 200, made.text
    assert identical(running, answer)["parts"]["letters"] == "identical"
    services = running.services
    try:
        running.app.state.services = replace(services, renderer=_Elsewhere())
        elsewhere = replayed(running, answer["explanation_id"])
        running.app.state.services = replace(services, renderer=_Faulty())
        faulty = replayed(running, answer["explanation_id"])
    finally:
        running.app.state.services = services
    assert (elsewhere["verdict"], elsewhere["parts"]["letters"]) == ("within_tolerance", "not_compared")
    assert faulty["verdict"] == "different"
    assert faulty["first_difference"]["pointer"] == "/letters/0/sha256"
