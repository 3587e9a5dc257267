"""A notice over HTTP: rendered once, the same a day later in another process, and never silently another."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import httpx
import psycopg
import pytest
import yaml

from reports.letters.letter import Letter
from reports.rendering.pages import Rendered
from runtime.clock import FixedClock, SystemClock
from service.app import create_app
from service.renderer import MEDIA_TYPES, OurRenderer

ROOT = Path(__file__).resolve().parents[3]
Another = Callable[..., AbstractContextManager[httpx.Client]]


@pytest.fixture(scope="module")
def letters(running: Any, upload: Any) -> Any:
    """The service with a version that names its creditor, and one to which the debt ratio is sensitive."""
    notice = {
        "creditor": "Example Bank",
        "address": "1 Main Street, Springfield",
        "agency": "Bureau of Consumer Financial Protection, 1700 G Street NW, Washington, DC 20552",
    }
    features = yaml.safe_load(upload.manifest)["features"]
    careful = [feature | {"sensitive": feature["name"] == "debt_ratio"} for feature in features]
    for name, changes in (("letters", {}), ("careful", {"features": careful, "counterfactuals": {}})):
        made = running.register(upload.with_manifest(model=name, notice=notice, **changes))
        assert made.status_code == 201, made.text
        assert running.approve(name).status_code == 200
    return running


@pytest.fixture(scope="module")
def another(letters: Any, listening: Any) -> Another:
    """Gives `another(clock, renderer)`: a client of a second application on the same databases."""

    def start(clock: Any = None, renderer: Any = None) -> Any:
        return _as(letters, listening(create_app(letters.services.settings, clock, renderer)))

    return start


class _as(AbstractContextManager[httpx.Client]):  # noqa: N801
    """A client that shows the first one's token."""

    def __init__(self, letters: Any, listening: Any) -> None:
        self._letters, self._listening = letters, listening

    def __enter__(self) -> httpx.Client:
        http: httpx.Client = self._listening.__enter__()
        http.headers["authorization"] = self._letters.http.headers["authorization"]
        return http

    def __exit__(self, *raised: object) -> None:
        self._listening.__exit__(*raised)


def explained(letters: Any, model: str = "letters", **changes: object) -> str:
    """A declined application on record."""
    application = {"action": "denial", "completed_at": "2026-01-05T08:00:00Z"}
    made = letters.explain(letters.request(**{"application": application, **changes}), model)
    assert made.status_code == 201, made.text
    return str(made.json()["explanation_id"])


def notice(http: httpx.Client, explanation_id: str, accept: str = "*/*", **asked: str) -> httpx.Response:
    return http.get(f"/v1/explanations/{explanation_id}/notice", params=asked, headers={"accept": accept})


@pytest.mark.parametrize("media_type", MEDIA_TYPES)
def test_a_day_later_another_application_renders_the_same_bytes(
    letters: Any, another: Another, media_type: str
) -> None:
    explanation_id = explained(letters)
    rendered, read = letters.entries("notice.rendered"), letters.entries("notice.read")
    first = notice(letters.http, explanation_id, media_type)
    assert first.status_code == 200, first.text
    assert first.headers["ofrecord-rendering"] == "first"
    assert first.headers["content-type"].startswith(media_type)
    assert "Excessive obligations" in first.text or media_type == "application/pdf"
    tomorrow = FixedClock(SystemClock().now())
    tomorrow.advance(86_400)
    with another(tomorrow) as http:
        later = notice(http, explanation_id, media_type)
    assert later.headers["ofrecord-rendering"] == "identical"
    assert later.content == first.content
    assert later.headers["etag"] == first.headers["etag"]
    assert letters.entries("notice.rendered") == rendered + 1
    assert letters.entries("notice.read") == read + 2


_LATER = """
import asyncio, httpx, os, sys
from datetime import UTC, datetime, timedelta
from runtime.clock import FixedClock
from runtime.settings import Settings
from service.app import create_app

async def ask(address, accept, token):
    app = create_app(Settings.from_env(os.environ), FixedClock(datetime.now(UTC) + timedelta(days=1)))
    async with app.router.lifespan_context(app):
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://later") as http:
            return await http.get(address, headers={"accept": accept, "authorization": token})

answer = asyncio.run(ask(*sys.argv[1:]))
sys.stdout.buffer.write(answer.headers["ofrecord-rendering"].encode() + b"\\n" + answer.content)
"""


@pytest.mark.parametrize("media_type", ["text/html", "application/pdf"])
def test_another_process_a_day_later_renders_the_same_bytes(
    letters: Any, media_type: str, tmp_path: Path
) -> None:
    explanation_id, settings = explained(letters), letters.services.settings
    first = notice(letters.http, explanation_id, media_type)
    told = {
        "PATH": os.environ["PATH"],
        "PYTHONHASHSEED": "271828",
        "TZ": "Asia/Kolkata",
        "OFRECORD_DATABASE_URL": settings.database_url,
        "OFRECORD_KEYS_DATABASE_URL": settings.keys_database_url,
        "OFRECORD_MASTER_KEY": settings.master_key.hex(),
        "OFRECORD_RECEIPT_KEY": settings.receipt_key,
        "OFRECORD_LOG_ORIGIN": settings.log_origin,
        "OFRECORD_CACHE_DIR": str(tmp_path),
        "OFRECORD_ALLOW_UNSAFE_DURABILITY": "1",
    }
    address = f"/v1/explanations/{explanation_id}/notice"
    called = [sys.executable, "-c", _LATER, address, media_type, letters.http.headers["authorization"]]
    ran = subprocess.run(called, env=told, capture_output=True, check=False, timeout=120, cwd=ROOT)
    assert ran.returncode == 0, ran.stderr.decode()
    assert ran.stdout == b"identical\n" + first.content


def test_each_form_of_a_letter_is_what_it_says(letters: Any) -> None:
    explanation_id = explained(letters)
    asked = {media_type: notice(letters.http, explanation_id, media_type) for media_type in MEDIA_TYPES}
    assert asked["application/pdf"].content.startswith(b"%PDF-")
    assert asked["text/html"].text.startswith("<!DOCTYPE html>")
    document = asked["application/json"].json()
    assert document["language"] == "en"
    for media_type, answer in asked.items():
        headers = answer.headers
        assert headers["cache-control"] == "no-store"
        assert headers["content-language"] == "en"
        assert headers["vary"] == "Accept"
        assert f"{explanation_id}.adverse_action.en." in headers["content-disposition"]
        assert headers["content-type"].startswith(media_type)
    policy = asked["text/html"].headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "unsafe" not in policy


def test_concurrent_first_requests_leave_one_letter(letters: Any, another: Another) -> None:
    explanation_id = explained(letters)
    before = letters.entries("notice.rendered")
    with another() as http, ThreadPoolExecutor(12) as threads:
        clients = [letters.http, http] * 6
        answers = list(threads.map(lambda client: notice(client, explanation_id), clients))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.content for answer in answers}) == 1
    hows = [answer.headers["ofrecord-rendering"] for answer in answers]
    assert sorted(set(hows)) in (["first"], ["first", "identical"])
    assert hows.count("first") == 1
    assert letters.entries("notice.rendered") == before + 1


class OtherRenderer(OurRenderer):
    """Another release of the renderer: it says so, or it does not, and sets letters a little differently."""

    def __init__(self, *, says_so: bool) -> None:
        self._says_so = says_so

    def render(self, letter: Letter, media_type: str) -> Rendered:
        """The letter with a blank at its end."""
        made = super().render(letter, media_type)
        return Rendered(media_type, made.content + b" ", self.environment_of(media_type))

    def environment_of(self, media_type: str) -> Mapping[str, str]:
        """The same, or with another renderer."""
        ours = super().environment_of(media_type)
        return {**ours, "renderer": "another 9.9"} if self._says_so else ours


def test_after_a_change_of_the_renderer_the_first_bytes_are_served(letters: Any, another: Another) -> None:
    explanation_id, other = explained(letters), explained(letters)
    first = notice(letters.http, explanation_id, "text/html")
    incidents = letters.entries("incident.raised")
    with another(None, OtherRenderer(says_so=True)) as http:
        later = notice(http, explanation_id, "text/html")
        assert notice(http, other, "text/html").content.endswith(b" ")
    assert later.headers["ofrecord-rendering"] == "stored"
    assert later.content == first.content
    assert later.headers["content-security-policy"] == first.headers["content-security-policy"]
    assert letters.entries("incident.raised") == incidents


def test_other_bytes_from_the_same_renderer_are_an_incident(letters: Any, another: Another) -> None:
    explanation_id = explained(letters)
    first = notice(letters.http, explanation_id)
    with another(None, OtherRenderer(says_so=False)) as http:
        later = [notice(http, explanation_id) for _ in range(3)]
    assert {answer.content for answer in later} == {first.content}
    assert {answer.headers["ofrecord-rendering"] for answer in later} == {"stored"}
    about = letters.services.log.about(letters.uuid(explanation_id))
    raised = [stored.entry for stored in about if stored.entry.type == "incident.raised"]
    assert [entry.body["kind"] for entry in raised] == ["notice-differs"]  # asking again adds none


def test_what_the_log_says_in_clear_does_not_give_the_letter_away(letters: Any) -> None:
    explanation_id = explained(letters)
    notice(letters.http, explanation_id)
    about = letters.services.log.about(letters.uuid(explanation_id))
    (rendered,) = [stored for stored in about if stored.entry.type == "notice.rendered"]
    (read,) = [stored for stored in about if stored.entry.type == "notice.read"]
    explanation = letters.services.log.read(letters.uuid(explanation_id))
    assert rendered.entry.retention_class == explanation.entry.retention_class == "consumer_credit"
    private = letters.services.log.open(rendered)
    for clear in (rendered.canonical, read.canonical):
        assert b"Excessive" not in clear
        assert b"64.5" not in clear
    digest = private.split(b'"sha256":"')[1][:64]
    assert digest not in rendered.canonical + read.canonical
    assert rendered.entry.body["environment"]["renderer"]


@pytest.mark.parametrize(
    ("asked", "accept", "status", "kind"),
    [
        ({}, "image/png", 406, "not-acceptable"),
        ({"language": "fr"}, "*/*", 422, "language-unknown"),
        ({"language": "FRENCH"}, "*/*", 422, "invalid-input"),
        ({"template": "lullaby"}, "*/*", 422, "invalid-input"),
    ],
)
def test_what_there_is_not_is_refused_by_name(
    letters: Any, asked: dict[str, str], accept: str, status: int, kind: str
) -> None:
    explanation_id = explained(letters)
    before = letters.entries()
    refused = notice(letters.http, explanation_id, accept, **asked)
    assert (refused.status_code, refused.json()["type"]) == (status, f"/problems/{kind}")
    if "language" in asked:
        assert refused.json()["errors"][0]["pointer"] == "/language"
    assert letters.entries() == before


def test_no_notice_where_none_is_due_and_none_past_a_sensitive_reason(letters: Any) -> None:
    approved = {**letters.features, "income": 250.0, "debt_ratio": 10.0, "loan_amount": 40}
    made = letters.explain(letters.request(features=approved), "letters").json()
    assert made["decision"]["favourable"] is True
    refused = notice(letters.http, made["explanation_id"])
    assert (refused.status_code, refused.json()["type"]) == (409, "/problems/notice-not-due")
    blocked = notice(letters.http, explained(letters, "careful"))
    assert (blocked.status_code, blocked.json()["type"]) == (409, "/problems/notice-blocked")
    assert "debt" in blocked.json()["detail"]
    unknown = notice(letters.http, "01950000-0000-7000-8000-000000000001")
    assert (unknown.status_code, unknown.json()["type"]) == (404, "/problems/not-found")


def test_an_erasure_reaches_the_letter_too(letters: Any) -> None:
    explanation_id = explained(letters)
    assert notice(letters.http, explanation_id).status_code == 200
    _erase(letters, explanation_id)
    gone = notice(letters.http, explanation_id)
    assert (gone.status_code, gone.json()["type"]) == (410, "/problems/erased")
    about = letters.services.log.about(letters.uuid(explanation_id))
    (rendered,) = [stored for stored in about if stored.entry.type == "notice.rendered"]
    with pytest.raises(Exception, match="key of this entry was destroyed"):
        letters.services.log.open(rendered)


def _erase(letters: Any, explanation_id: str) -> None:
    """Destroy the subject's key, as an erasure does; the explanation's and the letter's hang on it."""
    key_id = letters.services.log.read(letters.uuid(explanation_id)).entry.private.key_id
    with psycopg.connect(letters.admin_url.replace("/main_", "/keys_")) as keys:
        destroyed = keys.execute(
            "select keys.destroy_subject_key_v1(subject_key_id, %s) from keys.entry_key where key_id = %s",
            (SystemClock().now(), key_id),
        ).fetchone()
    assert destroyed == (True,)
