"""A notice of the running service: its pages looked at, and the same bytes a day later elsewhere."""

from __future__ import annotations

import io
import re
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pikepdf
import pypdf
import pypdfium2
import pytest

from tests.acceptance.test_make_run import EXPLANATIONS, ROOT, Running

MM = 72 / 25.4
PATIENCE_SECONDS = 120.0
# The API as `ofrecord serve` starts it, but for its clock, which stands a day ahead.
TOMORROW = """
import sys
import uvicorn
from cli.starting import load
from runtime.clock import FixedClock, SystemClock
from runtime.settings import SERVICE_NEEDS
from service.app import create_app
clock = FixedClock(SystemClock().now())
clock.advance(86_400)
uvicorn.run(create_app(load("api", needs=SERVICE_NEEDS), clock), port=int(sys.argv[1]), log_config=None)
"""


@pytest.fixture(scope="module")
def running(servers_folder: Path) -> Iterator[Running]:
    made = Running(servers_folder, fresh=False)
    yield made
    made.stop()


@pytest.fixture(scope="module")
def declined(running: Running) -> dict[str, Any]:
    """The example's declined applicant, on record with what a lender says of the application."""
    application = {"action": "denial", "completed_at": "2025-11-02T09:00:00Z"}
    asked = {**running.request, "decision_id": "noticed-1", "application": application}
    with running.client() as client:
        made = client.post(EXPLANATIONS, json=asked)
    assert made.status_code == 201, made.text
    answer: dict[str, Any] = made.json()
    assert answer["reasons"]
    return answer


def notice(client: httpx.Client, declined: dict[str, Any], media_type: str) -> httpx.Response:
    answer = client.get(
        f"/v1/explanations/{declined['explanation_id']}/notice", headers={"accept": media_type}
    )
    assert answer.status_code == 200, answer.text
    return answer


@contextmanager
def tomorrow(running: Running, log: Path) -> Iterator[httpx.Client]:
    """A client of a second API process on the same databases, with the same settings and another clock."""
    inherited = Path(f"/proc/{running.api_process()}/environ").read_bytes().split(b"\0")
    settings = dict(pair.split(b"=", 1) for pair in inherited if b"=" in pair)
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        port = reserved.getsockname()[1]
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-c", TOMORROW, str(port)],
            cwd=ROOT, env=settings, stdout=output, stderr=subprocess.STDOUT,
        )  # fmt: skip
    headers = {"authorization": f"Bearer {running.token}"}
    try:
        with httpx.Client(
            base_url=f"http://127.0.0.1:{port}", headers=headers, timeout=30, trust_env=False
        ) as client:
            wait_until_ready(client, process, log)
            yield client
    finally:
        process.terminate()
        process.wait(60)


def wait_until_ready(client: httpx.Client, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            if client.get("/readyz").status_code == 200:
                return
        except httpx.TransportError:
            pass
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.2)


def test_its_pages_show_the_reasons_in_their_order(running: Running, declined: dict[str, Any]) -> None:
    with running.client() as client:
        content = notice(client, declined, "application/pdf").content
    texts = [page.extract_text() for page in pypdf.PdfReader(io.BytesIO(content)).pages]
    words = " ".join(" ".join(texts).split())
    places = [words.find(reason["text"]) for reason in declined["reasons"]]
    assert -1 not in places
    assert places == sorted(places)
    assert "Example Savings Bank" in words
    assert "The Federal Equal Credit Opportunity Act prohibits creditors from discriminating" in words
    for number, text in enumerate(texts, 1):
        assert f"{number} / {len(texts)}" in text


def test_its_pages_look_like_a_letter(running: Running, declined: dict[str, Any]) -> None:
    """Ink on every page, none in the margins, and lines of text with space between them."""
    with running.client() as client:
        content = notice(client, declined, "application/pdf").content
    document = pypdfium2.PdfDocument(content)
    assert 1 <= len(document) <= 3
    for page in document:
        width, height = page.get_size()
        assert (width, height) == (612, 792)  # US Letter
        grey = page.render(scale=1).to_pil().convert("L")
        left, top, right, bottom = grey.point(lambda value: 255 if value < 200 else 0).getbbox()
        assert left >= 24 * MM
        assert right <= width - 24 * MM
        assert top >= 19 * MM
        assert bottom <= height - 8 * MM
        rows = [min(grey.crop((0, row, grey.width, row + 1)).tobytes()) < 200 for row in range(grey.height)]
        lines = len(re.findall("x+", "".join("x" if inked else " " for inked in rows)))
        assert lines >= 3
        assert sum(value < 200 for value in grey.tobytes()) / (width * height) < 0.25  # ink, not a blot


def test_it_is_archivable_and_read_aloud_in_order(running: Running, declined: dict[str, Any]) -> None:
    with running.client() as client:
        content = notice(client, declined, "application/pdf").content
    with pikepdf.open(io.BytesIO(content)) as document, document.open_metadata() as xmp:
        assert (xmp["pdfaid:part"], xmp["pdfaid:conformance"], xmp["pdfuaid:part"]) == ("2", "A", "1")
        assert bool(document.Root.MarkInfo.Marked)
        assert str(document.Root.Lang) == "en"


def test_a_day_later_another_process_gives_the_same_bytes(
    running: Running, declined: dict[str, Any], tmp_path: Path
) -> None:
    media_types = ("application/pdf", "text/html", "application/json")
    with running.client() as client:
        first = {media_type: notice(client, declined, media_type).content for media_type in media_types}
    with tomorrow(running, tmp_path / "tomorrow.log") as client:
        for media_type in media_types:
            later = notice(client, declined, media_type)
            assert later.headers["ofrecord-rendering"] == "identical"
            assert later.content == first[media_type]


def test_a_page_for_the_browser_holds_the_same_reasons(running: Running, declined: dict[str, Any]) -> None:
    with running.client() as client:
        page = notice(client, declined, "text/html").text
        document = notice(client, declined, "application/json").json()
    for reason in declined["reasons"]:
        assert f'<li dir="auto">{reason["text"]}</li>' in page
    listed = [block["items"] for section in document["sections"] for block in section["blocks"]
              if block["kind"] == "listing" and block["numbered"]]  # fmt: skip
    assert [reason["text"] for reason in declined["reasons"]] in listed
