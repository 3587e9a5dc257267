"""Reports over HTTP: what leaves is what was put on record, and nothing leaves before."""

from __future__ import annotations

import hashlib
import json
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx
import pytest

from records.decisions import project_decisions
from reports.registers.forms.checking import check_file
from reports.registers.offered import REPORTS
from reports.registers.pulling import Bounds
from runtime.postgres import open_pool
from schemas.report import ReportDocument, ReportList


@pytest.fixture(scope="module")
def filled(running: Any) -> Any:
    """The service with decisions in the tree and in their table."""
    for _ in range(3):
        assert running.explain(running.request()).status_code == 201
    return running


def _project(running: Any) -> None:
    running.integrate()
    with open_pool(running.integrator_url.replace("integrator", "worker")) as pool:
        read: int | None = 1
        while read:
            with pool.connection() as conn:
                read = project_decisions(conn, 500)


def _pulls(running: Any) -> list[dict[str, Any]]:
    """Every pull on record, the oldest first."""
    running.integrate()
    log, found, index = running.services.log, [], 0
    size = log.newest_checkpoint().tree_size
    for index in range(size):
        entry = log.entry_at(index).entry
        if entry.type == "report.pulled":
            found.append({**entry.body, "entry_id": str(entry.entry_id), "actor": entry.actor})
    return found


@pytest.mark.parametrize("form", ["json", "csv"])
@pytest.mark.parametrize("name", [name for name, report in REPORTS.items() if not report.discloses])
def test_a_report_is_what_its_entry_says(filled: Any, tmp_path: Path, name: str, form: str) -> None:
    _project(filled)
    answer = filled.http.get(f"/v1/reports/{name}", params={"format": form})
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith({"json": "application/json", "csv": "text/csv"}[form])
    assert answer.headers["content-disposition"] == f'attachment; filename="{name}.{form}"'
    path = tmp_path / "report"
    path.write_bytes(answer.content)
    checked = check_file(path)
    assert checked.holds
    pulled = _pulls(filled)[-1]
    assert pulled["entry_id"] == checked.entry_id
    assert (pulled["report"], pulled["format"], pulled["actor"]) == (name, form, "tester")
    assert (pulled["rows"], pulled["digest"]) == (checked.rows, f"sha256:{checked.sha256}")
    assert answer.headers["ofrecord-digest"] == pulled["digest"]
    if form == "json":
        document = ReportDocument.model_validate(answer.json())
        assert document.header.checkpoint is not None
        assert (pulled["tree_size"], pulled["root"]) == (
            document.header.checkpoint.tree_size,
            document.header.checkpoint.root,
        )


def test_the_register_has_the_decisions_that_were_explained(filled: Any) -> None:
    explained = filled.explain(filled.request()).json()
    _project(filled)
    rows = filled.http.get("/v1/reports/period-register?model=loans").json()["rows"]
    row = next(row for row in rows if row["explanation_id"] == explained["explanation_id"])
    assert row["outcome"] == explained["decision"]["outcome"]
    assert row["reason_codes"] == [reason["code"] for reason in explained["reasons"]]
    assert row["counterfactual_status"] == explained["counterfactuals"]["status"]
    assert explained["decision_id"] not in json.dumps(rows)


def test_the_record_of_one_decision_counts_as_a_read(filled: Any) -> None:
    explained = filled.explain(filled.request()).json()
    filled.integrate()
    before = filled.entries("explanation.read")
    address = f"/v1/reports/adverse-action-record?explanation_id={explained['explanation_id']}"
    rows = filled.http.get(address).json()["rows"]
    assert filled.entries("explanation.read") == before + 1
    assert rows[0]["disclosed"]["decision_id"] == explained["decision_id"]
    assert rows[0]["disclosed"]["attribution"]["base_value"] == explained["attribution"]["base_value"]
    auditor = {"authorization": f"Bearer {filled.token('audit')[0]}"}
    assert filled.http.get(address, headers=auditor).status_code == 403
    assert filled.entries("explanation.read") == before + 1


def test_the_reports_are_listed(filled: Any) -> None:
    listed = ReportList.model_validate(filled.http.get("/v1/reports").json())
    assert [one.name for one in listed.reports] == list(REPORTS)


@pytest.mark.parametrize(
    ("query", "pointer"),
    [
        ("period-register?from=2026-11-20&to=2026-11-20", "/to"),
        ("period-register?from=2026-11-20T10:00:00", "/from"),
        ("period-register?to=yesterday", "/to"),
        ("period-register?format=pdf", "/format"),
        ("retention?model=loans", "/model"),
        ("log-verification?from=2026-11-20", "/from"),
        ("period-register?modell=loans", "/modell"),
        ("period-register?From=2026-11-20", "/From"),
        ("period-register?a/b~c=1", "/a~1b~0c"),
        ("period-register?model=loans&model=cards", "/model"),
        ("period-register?format=json&format=csv", "/format"),
        ("log-verification?form=csv", "/form"),
        ("adverse-action-record", "/explanation_id"),
        ("adverse-action-record?explanation_id=x", "/explanation_id"),
    ],
)
def test_a_wrong_parameter_is_named(filled: Any, query: str, pointer: str) -> None:
    before = filled.entries("report.pulled")
    refused = filled.http.get(f"/v1/reports/{query}")
    assert (refused.status_code, refused.json()["type"]) == (422, "/problems/invalid-input")
    assert [error["pointer"] for error in refused.json()["errors"]] == [pointer]
    assert filled.entries("report.pulled") == before


def test_what_is_unknown_is_not_found(filled: Any) -> None:
    unknown = filled.http.get("/v1/reports/everything")
    assert unknown.status_code == 404
    assert all(name in unknown.json()["detail"] for name in REPORTS)
    assert filled.http.get("/v1/reports/period-register?model=nobodys").status_code == 404
    nothing = "/v1/reports/adverse-action-record?explanation_id=01a00000-0000-7000-8000-000000000001"
    assert filled.http.get(nothing).status_code == 404
    assert filled.http.head("/v1/reports/period-register").status_code == 405


def test_two_pulls_at_once_are_two_entries(filled: Any) -> None:
    before = len(_pulls(filled))

    def pull(form: str) -> httpx.Response:
        with httpx.Client(base_url=filled.http.base_url, headers=filled.http.headers, timeout=60) as client:
            return client.get(f"/v1/reports/period-register?format={form}")

    with ThreadPoolExecutor(2) as both:
        answers = list(both.map(pull, ("json", "csv")))
    assert [answer.status_code for answer in answers] == [200, 200]
    pulled = {one["format"]: one["digest"] for one in _pulls(filled)[before:]}
    assert pulled == {
        form: answer.headers["ofrecord-digest"] for form, answer in zip(("json", "csv"), answers, strict=True)
    }


def test_nothing_leaves_that_is_not_on_record(filled: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the committer closed nothing can be put on record: no byte, no file."""
    from audit.commit import GroupCommitter  # noqa: PLC0415

    closed = GroupCommitter(filled.services.log, filled.services.clock)
    closed.close()
    monkeypatch.setattr(type(filled.services), "committer", property(lambda _: closed), raising=False)
    refused = filled.http.get("/v1/reports/period-register")
    monkeypatch.undo()
    assert (refused.status_code, refused.json()["type"]) == (503, "/problems/audit-unavailable")
    assert filled.services.archive.open == 0


def test_a_reader_that_hangs_up_leaves_no_file_behind(filled: Any) -> None:
    token = filled.http.headers["authorization"]
    folder = filled.services.settings.cache_dir / "reports"
    before = filled.entries("report.pulled")
    for _ in range(5):
        address = (filled.http.base_url.host, filled.http.base_url.port)
        with socket.create_connection(address) as connection:
            request = (
                f"GET /v1/reports/log-verification HTTP/1.1\r\nhost: x\r\nauthorization: {token}\r\n\r\n"
            )
            connection.sendall(request.encode())
    give_up = time.monotonic() + 30
    while filled.entries("report.pulled") < before + 5 or filled.services.archive.open:
        assert time.monotonic() < give_up
        time.sleep(0.02)
    assert list(folder.iterdir()) == []


def test_what_is_too_large_is_refused_by_name(filled: Any) -> None:
    archive, kept = filled.services.archive, filled.services.archive.bounds
    _project(filled)
    try:
        archive.bounds = Bounds(seconds=30, size=1000)
        refused = filled.http.get("/v1/reports/period-register")
        assert (refused.status_code, refused.json()["type"]) == (422, "/problems/report-too-large")
        archive.bounds = Bounds(seconds=0.00001)
        late = filled.http.get("/v1/reports/period-register")
        assert (late.status_code, late.json()["type"]) == (503, "/problems/report-timed-out")
    finally:
        archive.bounds = kept
    assert archive.open == 0


def test_the_digest_is_that_of_the_lines_between(filled: Any) -> None:
    """As `sed '1,2d;$d' FILE | sha256sum` has it."""
    answer = filled.http.get("/v1/reports/change-log")
    lines = answer.content.split(b"\n")[2:-2]
    digest = hashlib.sha256(b"".join(line + b"\n" for line in lines)).hexdigest()
    assert answer.json()["header"]["sha256"] == digest
