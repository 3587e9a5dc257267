"""Registering, listing and approving: gate first, one transaction, one entry."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest

from schemas.model_version import ModelList, ModelSummary, ModelVersion


def _refused(running: Any, upload: Any, name: str, status: int = 422) -> dict[str, Any]:
    before = running.entries()
    response = running.register(upload)
    assert response.status_code == status, response.text
    problem: dict[str, Any] = response.json()
    assert problem["type"] == f"/problems/{name}", problem
    assert running.entries() == before
    return problem


def test_a_version_is_registered_described_and_listed(running: Any, upload: Any) -> None:
    before = running.entries("model.registered")
    response = running.register(upload.with_manifest(model="described"))
    assert response.status_code == 201
    assert response.headers["location"] == "/v1/models/described/versions/1"
    made = ModelVersion.model_validate(response.json())
    assert made.receipt is not None
    assert running.entries("model.registered") == before + 1
    read = ModelVersion.model_validate(running.http.get(response.headers["location"]).json())
    assert read == made.model_copy(update={"receipt": None})
    assert read.manifest is not None
    assert read.manifest["model"] == "described"
    assert read.status == "registered"
    assert read.reference.rows >= 100
    summary = ModelSummary.model_validate(running.http.get("/v1/models/described").json())
    assert (summary.approved_version, [version.version for version in summary.versions]) == (None, ["1"])
    listed = ModelList.model_validate(running.http.get("/v1/models").json())
    assert {"described", "loans"} <= {model.model for model in listed.models}


def test_the_list_comes_in_pages(running: Any, upload: Any) -> None:
    running.register(upload.with_manifest(model="paged-1"))
    running.register(upload.with_manifest(model="paged-2"))
    names, cursor = [], ""
    while cursor is not None:
        page = running.http.get("/v1/models", params={"limit": 1, "cursor": cursor}).json()
        names += [model["model"] for model in page["models"]]
        cursor = page["next_cursor"]
    assert names == sorted(set(names))
    assert {"paged-1", "paged-2"} <= set(names)


def test_the_same_registration_again_is_the_first(running: Any, upload: Any) -> None:
    again = upload.with_manifest(model="twice")
    first = running.register(again).json()
    before = running.entries()
    second = running.register(again)
    assert second.status_code == 201
    assert second.json() == first
    assert running.entries() == before


def test_the_same_version_with_other_content_is_refused(running: Any, upload: Any) -> None:
    _refused(running, upload.with_manifest(purpose="Something else"), "version-conflict", 409)


def test_a_corrupt_artifact_is_refused_by_name(running: Any, upload: Any) -> None:
    fresh = upload.with_manifest(model="corrupt")
    _refused(running, replace(fresh, artifact=fresh.artifact[: len(fresh.artifact) // 2]), "model-corrupt")
    cyclic = json.loads(fresh.artifact)
    tree = cyclic["learner"]["gradient_booster"]["model"]["trees"][0]
    tree["left_children"][0] = 0
    _refused(running, replace(fresh, artifact=json.dumps(cyclic).encode()), "model-corrupt")
    for artifact in (b"", b"not a model"):
        _refused(running, replace(fresh, artifact=artifact), "model-unsupported")


def test_a_manifest_that_contradicts_its_artifact_is_refused_by_name(running: Any, upload: Any) -> None:
    manifest = running.http.get("/v1/models/loans/versions/1").json()["manifest"]
    swapped = [manifest["features"][at] for at in (1, 0, 2, 3, 4, 5)]
    _refused(running, upload.with_manifest(model="swapped", features=swapped), "manifest-contradiction")


def test_a_construct_that_cannot_be_explained_is_refused_by_name(running: Any, upload: Any) -> None:
    document = json.loads(upload.artifact)
    document["learner"]["objective"]["name"] = "reg:expectileerror"
    expectile = replace(upload.with_manifest(model="expectile"), artifact=json.dumps(document).encode())
    problem = _refused(running, expectile, "model-unsupported")
    assert "objective reg:expectileerror" in problem["detail"]


def test_a_bad_manifest_is_refused_with_pointers(running: Any, upload: Any) -> None:
    problem = _refused(
        running, upload.with_manifest(model="bad", protected=["income"], colour="red"), "manifest-invalid"
    )
    assert "/manifest/colour" in [error["pointer"] for error in problem["errors"]]
    _refused(running, replace(upload, manifest=b"{"), "manifest-invalid")
    _refused(
        running,
        replace(upload, manifest=b"manifest: ofrecord/v1\nmanifest: ofrecord/v1\n"),
        "manifest-invalid",
    )


def test_a_bad_reference_is_refused_with_its_row(running: Any, upload: Any) -> None:
    fresh = upload.with_manifest(model="bad-reference")
    lines = fresh.reference.splitlines()
    lines[3] = b"x,1,1,1,true,condo"
    problem = _refused(running, replace(fresh, reference=b"\n".join(lines)), "reference-invalid")
    assert problem["errors"][0]["pointer"].startswith("/reference/rows/3")
    few = b"\n".join(fresh.reference.splitlines()[:20])
    _refused(running, replace(fresh, reference=few), "reference-too-small")


def test_the_parts_must_be_the_three(running: Any, upload: Any) -> None:
    files = upload.files()
    before = running.entries()
    for wrong, pointer in (
        ({"manifest": files["manifest"], "artifact": files["artifact"]}, "/reference"),
        ([*files.items(), ("artifact", files["artifact"])], "/artifact"),
        (
            {"manifest": files["manifest"], "artifact": files["artifact"], "extra": files["reference"]},
            "/extra",
        ),
    ):
        response = running.http.post("/v1/models", files=wrong)
        assert response.status_code == 422
        assert response.json()["type"] == "/problems/invalid-input"
        assert pointer in [error["pointer"] for error in response.json()["errors"]]
    for part in (
        "artifact",
        "reference",
    ):  # without a filename a part is text, and other bytes than were sent
        texts = {**files, part: (None, files[part][1])}
        assert running.http.post("/v1/models", files=texts).json()["errors"][0]["pointer"] == f"/{part}"
    unbounded = running.http.post(
        "/v1/models", content=b"--x--", headers={"content-type": "multipart/form-data"}
    )
    assert "boundary" in unbounded.json()["errors"][0]["detail"]
    assert running.http.post("/v1/models", json={}).status_code == 415
    assert running.entries() == before


def test_too_large_an_artifact_is_refused(running: Any, upload: Any) -> None:
    huge = replace(upload.with_manifest(model="huge"), artifact=b"\0" * (70 << 20))
    assert running.register(huge).json()["type"] == "/problems/body-too-large"


def test_approval_retires_the_one_before(running: Any, upload: Any) -> None:
    for version in ("1", "2"):
        assert running.register(upload.with_manifest(model="succession", version=version)).status_code == 201
    first = running.approve("succession", "1").json()
    assert first["status"] == "approved"
    before = running.entries()
    assert running.approve("succession", "1").json()["receipt"] == first["receipt"]
    assert running.entries() == before
    assert running.explain(running.request(), "succession").json()["version"] == "1"
    second = running.approve("succession", "2").json()
    assert running.entries() == before + 2
    entry = running.services.log.read(UUID(second["receipt"]["entry_id"])).entry
    assert (entry.type, entry.body["retires"], entry.actor) == ("model.approved", ["1"], "tester")
    assert running.explain(running.request(), "succession").json()["version"] == "2"
    assert running.explain(running.request(version="1"), "succession").status_code == 409
    listed = running.http.get("/v1/models/succession").json()
    assert [(v["version"], v["status"]) for v in listed["versions"]] == [("2", "approved"), ("1", "retired")]
    history = listed["versions"][1]["history"]
    assert history[-1]["status"] == "retired"
    retired = running.http.post(
        "/v1/models/succession/versions/2/approval", json={"status": "retired", "by": "risk", "note": "drift"}
    )
    assert retired.json()["status"] == "retired"
    stored = running.services.log.read(UUID(retired.json()["receipt"]["entry_id"]))
    assert b"drift" not in stored.canonical
    assert json.loads(running.services.log.open(stored)) == {"by": "risk", "note": "drift"}
    assert running.explain(running.request(), "succession").json()["type"] == "/problems/model-not-approved"


def test_changes_of_one_model_at_once_follow_each_other(running: Any, upload: Any) -> None:
    for version in ("1", "2", "3"):
        assert running.register(upload.with_manifest(model="hurried", version=version)).status_code == 201

    def change(number: int) -> int:
        body = {"status": "approved" if number % 3 else "retired", "by": "risk"}
        path = f"/v1/models/hurried/versions/{1 + number % 3 if number % 2 else 1}/approval"
        return int(running.http.post(path, json=body).status_code)

    with ThreadPoolExecutor(12) as pool:
        assert set(pool.map(change, range(48))) == {200}
    statuses = [version["status"] for version in running.http.get("/v1/models/hurried").json()["versions"]]
    assert statuses.count("approved") <= 1


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"status": "registered", "by": "x"}, "/status"),
        ({"status": "approved"}, "/by"),
        ({"status": "approved", "by": ""}, "/by"),
        ({"status": "approved", "by": "a\x00b"}, "/by"),
        ({"status": "approved", "by": "x", "note": "a\x00b"}, "/note"),
        ({"status": "approved", "by": "x", "extra": 1}, "/extra"),
    ],
)
def test_bad_approvals(running: Any, body: dict[str, object], pointer: str) -> None:
    before = running.entries()
    response = running.http.post("/v1/models/loans/versions/1/approval", json=body)
    assert response.status_code == 422
    assert [error["pointer"] for error in response.json()["errors"]] == [pointer]
    assert running.entries() == before


def test_an_unknown_version_cannot_be_approved(running: Any) -> None:
    before = running.entries()
    assert running.approve("loans", "99").status_code == 404
    assert running.approve("nothing", "1").status_code == 404
    assert running.entries() == before


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/models/%00"),
        ("GET", "/v1/models/loans/versions/a%00b"),
        ("POST", "/v1/models/%00/explanations"),
        ("POST", "/v1/models/loans/versions/%00/approval"),
    ],
)
def test_a_name_with_a_zero_character_is_unknown(running: Any, method: str, path: str) -> None:
    document = running.request() if path.endswith("explanations") else {"status": "approved", "by": "x"}
    response = running.http.request(method, path, json=document if method == "POST" else None)
    assert (response.status_code, response.json()["type"]) == (404, "/problems/not-found")


def test_a_cursor_that_is_no_name_is_refused(running: Any) -> None:
    for cursor in ("%00", "%ff", "a/b"):
        assert running.http.get(f"/v1/models?cursor={cursor}").status_code == 422
