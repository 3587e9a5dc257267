"""A replay that comes out otherwise raises an incident, once for each explanation and place."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import orjson

from records.private_parts import PrivatePart
from service.replaying.comparing import Tolerance
from service.replaying.differing import incident_of
from service.replaying.judging import Judgement
from service.replaying.recorded import read_recorded
from tests.integration.service.replays import explained, identical, recorded_otherwise, replayed

KIND = "replay-differs"


def _incidents(running: Any, explanation_id: str) -> list[Any]:
    return list(running.services.log.about(running.uuid(explanation_id), "incident.raised"))


def _counted(running: Any) -> float:
    numbers = running.http.get("/metrics").text
    found = re.search(rf'^ofrecord_incidents_total{{kind="{KIND}"}} (\S+)$', numbers, re.MULTILINE)
    return 0.0 if found is None else float(found[1])


def _coded(part: PrivatePart) -> None:
    part["reasons"][0]["code"] = "R99"


def test_another_outcome_is_an_incident_and_replaying_again_adds_none(running: Any) -> None:
    first = explained(running)
    other = recorded_otherwise(running, first["explanation_id"], _coded)
    before = _counted(running)
    for _ in range(2):
        assert replayed(running, other)["verdict"] == "different"
    (raised,) = _incidents(running, other)
    body = dict(raised.entry.body)
    assert body["code_version"] == body.pop("code_version_recorded")
    assert body == {
        "kind": KIND,
        "explanation_id": other,
        "model": "loans",
        "version": "1",
        "first_difference": "/reasons/0/code",
        "code_version": body["code_version"],
    }
    explanation = running.services.log.read(running.uuid(other)).entry
    assert raised.entry.retention_class == explanation.retention_class
    assert _counted(running) == before + 1
    assert len(running.services.log.about(running.uuid(other), "explanation.replayed")) == 2


def test_what_differs_is_under_the_persons_key(running: Any) -> None:
    other = recorded_otherwise(running, explained(running)["explanation_id"], _coded)
    replayed(running, other)
    (raised,) = _incidents(running, other)
    (again,) = running.services.log.about(running.uuid(other), "explanation.replayed")
    assert b"R99" not in raised.canonical
    told = orjson.loads(running.services.log.open(raised))["first_difference"]
    assert (told["pointer"], told["recorded"]) == ("/reasons/0/code", "R99")
    assert running.services.log.open(raised) == running.services.log.open(again)
    keys = [running.services.keystore.subject_of(one.entry.private.key_id) for one in (raised, again)]
    assert keys[0] == keys[1] is not None


def test_several_at_once_raise_one(running: Any) -> None:
    other = recorded_otherwise(running, explained(running)["explanation_id"], _coded)
    before = _counted(running)
    with ThreadPoolExecutor(4) as threads:
        found = list(threads.map(lambda _: replayed(running, other)["verdict"], range(4)))
    assert found == ["different"] * 4
    assert len(_incidents(running, other)) == 1
    assert _counted(running) == before + 1


def test_what_is_identical_or_tolerated_is_none(running: Any) -> None:
    first = explained(running)
    identical(running, first)
    near = 0.9 * first["attribution"]["reconciliation"]["tolerance"]

    def nearly(part: PrivatePart) -> None:
        part["attribution"]["values"][1]["phi"] += near

    other = recorded_otherwise(running, first["explanation_id"], nearly)
    assert replayed(running, other)["verdict"] == "within_tolerance"
    assert _incidents(running, first["explanation_id"]) == _incidents(running, other) == []


def test_the_same_explanation_that_differs_elsewhere_is_another_incident(running: Any) -> None:
    services, explanation_id = running.services, explained(running)["explanation_id"]
    recorded = read_recorded(services.log, running.uuid(explanation_id))
    for at in (0, 2, 2):
        judgement = Judgement(recorded, Tolerance.of(0.0, 1e-4))
        judgement.compare("reasons", "R01", "R02", f"/reasons/{at}/code")
        incident = incident_of(judgement, "test")
        assert incident is not None
        services.log.append_one(incident, services.clock.now())
    places = [one.entry.body["first_difference"] for one in _incidents(running, explanation_id)]
    assert places == ["/reasons/0/code", "/reasons/2/code"]
