"""Narratives and rules over HTTP: made from the record, on record, and never a language model's own."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import httpx
import pytest

from audit.canonical import canonical
from schemas.narrative import Narrative
from schemas.requirement import RequirementList
from service.app import create_app


class _Model:
    """A language model of this machine: says what it is told to, as often as it is asked."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.lie: str | None = None
        self.truthful = False
        model = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                sent = json.loads(self.rfile.read(int(self.headers["content-length"])))
                body = json.dumps({"choices": [{"message": {"content": model.answer(sent)}}]}).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json; charset=utf-8")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                """Nothing is written to the terminal."""

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_address[1]}/v1/chat/completions"

    def answer(self, sent: dict[str, Any]) -> str:
        """The outcome and each reason, another way each time, and a lie where one is wanted."""
        told = sent["messages"][1]["content"]
        self.asked.append(told)
        facts = json.loads(told)
        sentences = [f"The outcome is {facts['outcome']}{'.' * (1 + len(self.asked) % 2)}"]
        sentences += [
            f"{one['label']} counted against a favourable outcome." for one in facts["reasons_in_order"]
        ]
        if self.truthful:
            sentences += facts["must_be_used"]
        return json.dumps({"sentences": sentences + ([] if self.lie is None else [self.lie])})


@pytest.fixture(scope="module")
def model() -> Iterator[_Model]:
    made = _Model()
    thread = threading.Thread(target=made.server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    yield made
    made.server.shutdown()
    thread.join()
    made.server.server_close()


@pytest.fixture(scope="module")
def modelled(running: Any, model: _Model, listening: Any) -> Iterator[httpx.Client]:
    """A second application on the same databases, with the language model switched on."""
    settings = replace(
        running.services.settings,
        language_model_url=model.url,
        language_model_name="small-model",
        language_model_key="a-key-nobody-logs",
        language_model_timeout_ms=5000,
    )
    with listening(create_app(settings)) as http:
        http.headers["authorization"] = running.http.headers["authorization"]
        yield http


@pytest.fixture
def explained(running: Any) -> str:
    made = running.explain(running.request(features={**running.features, "debt_ratio": None}))
    assert made.status_code == 201, made.text
    return str(made.json()["explanation_id"])


def narrative(http: httpx.Client, explanation_id: str, **asked: str) -> httpx.Response:
    return http.get(f"/v1/explanations/{explanation_id}/narrative", params=asked)


def _entries_about(running: Any, explanation_id: str, kind: str) -> list[Any]:
    about = running.services.log.about(running.uuid(explanation_id))
    return [stored for stored in about if stored.entry.type == kind]


def test_the_templates_narrative_is_the_same_each_time_and_each_reading_is_logged(
    running: Any, explained: str
) -> None:
    first, second = narrative(running.http, explained), narrative(running.http, explained, language="en")
    assert first.status_code == 200, first.text
    assert first.content == second.content
    told = first.json()
    Narrative.model_validate_json(first.content)
    assert (told["source"], told["fallback"], told["entry_id"]) == ("template", None, None)
    answer = running.http.get(f"/v1/explanations/{explained}").json()
    named = [
        fact["name"]
        for sentence in told["sentences"]
        for fact in sentence["facts"]
        if fact["kind"] == "factor" and fact["direction"] == "against"
    ]
    assert named == [reason["factor"] for reason in answer["reasons"]]
    reads = _entries_about(running, explained, "explanation.read")
    assert [stored.entry.body["how"] for stored in reads].count("narrative") == 2
    assert _entries_about(running, explained, "narrative.created") == []


def test_what_is_not_there_is_said(running: Any, explained: str) -> None:
    unknown = narrative(running.http, "0193b8a0-0000-7000-8000-000000000000")
    assert (unknown.status_code, unknown.json()["type"]) == (404, "/problems/not-found")
    french = narrative(running.http, explained, language="fr")
    assert (french.status_code, french.json()["type"]) == (422, "/problems/language-unknown")
    assert french.json()["errors"][0]["pointer"] == "/language"
    assert narrative(running.http, explained, language="<b>").status_code == 422


def test_a_language_models_narrative_is_on_record_and_served_from_there(
    running: Any, modelled: httpx.Client, model: _Model, explained: str
) -> None:
    model.lie = None
    before = len(model.asked)
    first = narrative(modelled, explained).json()
    again = narrative(modelled, explained).json()
    assert first == again
    assert (first["source"], first["fallback"]) == ("language_model", None)
    assert len(model.asked) == before + 1
    (stored,) = _entries_about(running, explained, "narrative.created")
    assert str(stored.entry.entry_id) == first["entry_id"]
    clear = canonical(dict(stored.entry.body)).decode()
    texts = [sentence["text"] for sentence in first["sentences"]]
    assert not any(text in clear for text in texts)
    assert "small-model" not in clear
    opened = json.loads(running.services.log.open(stored))
    assert [sentence["text"] for sentence in opened["sentences"]] == texts
    request = running.http.get(f"/v1/explanations/{explained}").json()
    assert request["decision_id"] not in model.asked[-1]
    assert narrative(running.http, explained).json()["source"] == "template"


def test_two_that_ask_at_once_read_the_same(
    running: Any, modelled: httpx.Client, model: _Model, explained: str
) -> None:
    model.lie = None
    with ThreadPoolExecutor(3) as pool:
        told = list(pool.map(lambda _: narrative(modelled, explained).content, range(3)))
    assert len(set(told)) == 1
    assert len(_entries_about(running, explained, "narrative.created")) == 1


@pytest.mark.parametrize(
    "lie", ["Income counted in favour of a favourable outcome.", "You will be approved.", "<script>"]
)
def test_a_lie_is_not_shown_and_not_kept(
    running: Any, modelled: httpx.Client, model: _Model, explained: str, lie: str
) -> None:
    model.lie = lie
    told = narrative(modelled, explained)
    assert told.json()["source"] == "template"
    assert told.json()["fallback"]["reason"]
    assert told.json()["sentences"] == narrative(running.http, explained).json()["sentences"]
    assert lie not in told.text
    assert _entries_about(running, explained, "narrative.created") == []


def test_rules_are_listed_with_their_status_on_a_day(running: Any) -> None:
    def status(on: str) -> dict[str, str]:
        listed = running.http.get("/v1/requirements", params={"on": on}).json()
        assert listed["on"] == on
        return {one["id"]: one["status_on"] for one in listed["requirements"]}

    assert status("2025-05-11")["cfpb-circular-2022-03"] == "in_force"
    assert status("2025-05-12")["cfpb-circular-2022-03"] == "withdrawn"
    assert status("2027-12-01")["ai-act-86"] == "not_yet_in_force"
    assert status("2027-12-02")["ai-act-86"] == "in_force"
    german = running.http.get("/v1/requirements", params={"language": "de", "on": "2026-11-20"})
    RequirementList.model_validate_json(german.content)
    printed = {one["id"]: one["printed"] for one in german.json()["requirements"]}
    assert printed["sr-11-7"] == "SR 11-7 (am 17. April 2026 ersetzt durch SR 26-2)"
    for wrong in ({"on": "2026-02-30"}, {"on": "today"}, {"language": "xx"}):
        assert running.http.get("/v1/requirements", params=wrong).status_code == 422


def test_a_narrative_tells_what_a_person_decided_since(
    running: Any, modelled: httpx.Client, model: _Model, explained: str
) -> None:
    model.lie = None
    first = narrative(modelled, explained).json()
    assert first["source"] == "language_model"
    asked = {"kind": "overridden", "outcome": "approve", "note": "Secret of the file."}
    made = running.http.post(f"/v1/explanations/{explained}/review", json=asked)
    assert made.status_code == 201, made.text
    later = narrative(modelled, explained).json()
    assert (later["source"], later["fallback"]) == ("template", {"reason": "review-missing"})
    told = [sentence["text"] for sentence in later["sentences"]]
    assert any("a person overrode this decision; the new outcome was “approve”" in text for text in told)
    assert any(text.startswith("The outcome that holds today is “approve”") for text in told)
    assert "Secret" not in repr(told)
    assert "Secret" not in repr(model.asked)
    plain = narrative(running.http, explained, language="en").json()
    assert plain["sentences"] == later["sentences"]
    model.truthful = True
    again = narrative(modelled, explained).json()
    model.truthful = False
    assert again["source"] == "language_model"
    assert again["entry_id"] != first["entry_id"]
    assert narrative(modelled, explained).json() == again
    stored = running.services.log.read(running.uuid(again["entry_id"]))
    assert stored.entry.body["reviews"] == [made.json()["entry_id"]]
