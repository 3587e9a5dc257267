"""The reports that list entries, against the entries themselves."""

from __future__ import annotations

import hashlib
import json
from typing import Any
from uuid import UUID

import pytest

from audit.errors import IntegrityHalt
from audit.note import Signer
from reports.registers.offered import REPORTS
from reports.registers.report import Asked
from tests.integration.reports.conftest import RECEIPT_KEY
from tests.integration.reports.kinds import CHANGES, KEEPING, READS, REPLAYS, fill


@pytest.mark.parametrize(
    ("name", "types"),
    [("access-log", READS), ("change-log", CHANGES), ("retention", KEEPING), ("replay", REPLAYS)],
)
def test_every_entry_of_its_types_is_in_it_in_order(office: Any, name: str, types: set[str]) -> None:
    fill(office)
    listed = [row for row in office.rows(name) if row["index"] is not None]
    expected = [stored for stored in office.entries() if stored.entry.type in types]
    assert len(expected) >= len(types) - 2
    for row, stored in zip(listed, expected, strict=True):
        entry = stored.entry
        assert (row["index"], row["entry_id"], row["type"]) == (stored.index, str(entry.entry_id), entry.type)
        assert row["recorded_at"] == entry.time.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        assert (row["actor"], row["said"]) == (entry.actor, json.loads(stored.canonical)["body"])


def test_a_read_is_listed_with_the_decision_that_was_read(office: Any) -> None:
    decided = fill(office)
    rows = [row for row in office.rows("access-log") if row["explanation_id"] == str(decided)]
    told = ("type", "how", "what", "model", "disclosed", "form")
    assert [tuple(row[name] for name in told) for row in rows] == [
        ("explanation.read", "find", None, "loans", True, None),
        ("notice.read", "first", "adverse_action", "loans", True, "application/pdf"),
        ("explanation.replayed", None, None, "loans", True, None),
    ]
    assert office.rows("access-log", explanation_id=decided) == rows
    office.register("cards")
    assert [row["actor"] for row in office.rows("access-log", model="cards")] == ["=1+1", "token:t"]


def test_what_a_read_disclosed_is_told(office: Any) -> None:
    decided = office.decide()
    proof = {"how": "proof", "disclosed": False}
    office.append("explanation.read", proof, decided)
    office.append("explanation.read", {**proof, "disclosed": True}, decided)
    for first, run in ((None, None), ("/phi/0", None), ("/phi/0", "r")):
        office.append("explanation.replayed", {"first_difference": first, "run_id": run}, decided)
    office.append("hold.read", {"hold_id": "h"}, UUID(int=7))
    office.append("token.issued", {"principal": "app"})
    office.settle()
    rows = office.rows("access-log")
    assert [row["disclosed"] for row in rows] == [False, True, False, True, False, True, None]
    assert (rows[5]["what"], rows[5]["explanation_id"]) == ("h", None)
    office.clock.advance(1)
    began = office.clock.now()
    office.pull("adverse-action-record", asked=Asked(explanation_id=decided))
    office.pull("access-log", "csv")
    office.settle()
    pulled = office.rows("access-log", start=began)
    assert {(row["type"], row["disclosed"], row["form"]) for row in pulled} == {
        ("explanation.read", True, None),
        ("report.pulled", True, "json"),
        ("report.pulled", False, "csv"),
    }


def test_a_pull_is_in_the_next_access_log(office: Any) -> None:
    fill(office)
    pulled = json.loads(office.pull("replay"))["header"]
    office.settle()
    (row,) = [row for row in office.rows("access-log") if row["type"] == "report.pulled"]
    said = row["said"]
    assert (row["what"], row["entry_id"]) == ("replay", pulled["entry_id"])
    assert (said["rows"], said["digest"]) == (3, "sha256:" + pulled["sha256"])
    assert (said["tree_size"], said["root"]) == (
        pulled["checkpoint"]["tree_size"],
        pulled["checkpoint"]["root"],
    )


def test_keys_are_in_the_change_log(office: Any) -> None:
    office.settle()
    published_at = office.clock.now()
    office.log.publish_verifier_key("receipt", RECEIPT_KEY.verifier.vkey, published_at)
    office.clock.advance(1)
    (row,) = office.rows("change-log")
    assert (row["type"], row["index"], row["entry_id"]) == ("key.published", None, None)
    assert row["in_tree"] is False
    assert row["said"] == {"purpose": "receipt", "vkey": RECEIPT_KEY.verifier.vkey}
    assert office.rows("change-log", end=published_at) == []
    assert len(office.rows("change-log", start=published_at)) == 1


def test_keys_stand_where_their_time_has_them_and_only_they_are_outside_the_tree(office: Any) -> None:
    office.append("token.issued", {})
    office.clock.advance(1)
    office.log.publish_verifier_key("receipt", RECEIPT_KEY.verifier.vkey, office.clock.now())
    office.append("token.revoked", {})
    office.append("schema.change", {})
    office.settle()
    later = Signer.generate("log.test/later")
    office.log.publish_verifier_key("receipt", later.verifier.vkey, office.clock.now())
    office.clock.advance(1)
    document = json.loads(office.pull("change-log"))
    kinds = ["token.issued", "key.published", "token.revoked", "schema.change", "key.published"]
    assert [row["type"] for row in document["rows"]] == kinds
    times = [row["recorded_at"] for row in document["rows"]]
    assert times == sorted(times)
    size = document["header"]["checkpoint"]["tree_size"]
    for row in document["rows"]:
        assert row["in_tree"] is (row["index"] is not None)
        assert (row["type"] == "key.published") is not row["in_tree"]
        assert row["index"] is None or row["index"] < size


def test_every_incident_and_review_is_in_the_change_log(office: Any) -> None:
    decided = office.decide()
    version = {"model": "loans", "version": "1"}
    office.append("incident.raised", {"kind": "decision-mismatch", **version})
    office.append("incident.raised", {"kind": "proxy-reason", **version}, decided)
    review = {"kind": "overridden", "outcome": "approve", **version}
    office.append("explanation.reviewed", review, decided)
    office.settle()
    told = ("type", "explanation_id", "model", "kind", "outcome")
    assert [tuple(row[name] for name in told) for row in office.rows("change-log")] == [
        ("incident.raised", None, "loans", "decision-mismatch", None),
        ("incident.raised", str(decided), "loans", "proxy-reason", None),
        ("explanation.reviewed", str(decided), "loans", "overridden", "approve"),
    ]


def test_replays_are_counted_by_verdict(office: Any) -> None:
    fill(office)
    document = json.loads(office.pull("replay"))
    assert document["header"]["summary"] == {"verdicts": {"different": 1, "identical": 1}}
    assert [row["first_difference"] for row in document["rows"]] == ["/phi/0", None, None]
    assert document["rows"][2]["counts"] == {"identical": 1, "different": 1}
    assert [row["run_id"] for row in document["rows"]] == [None, None, "r"]
    parts = [{"part": "counterfactuals", "why": "other code"}]
    assert [row["not_compared"] for row in document["rows"]] == [parts, parts, 1]


def test_a_tampered_entry_is_in_no_report(office: Any, admin: Any) -> None:
    decided = fill(office)
    admin.execute("set session_replication_role = replica")
    admin.execute("set event_triggers = off")
    admin.execute("drop trigger append_only on audit.entry")
    admin.execute(
        "update audit.entry set canonical = substr(canonical, 1, octet_length(canonical) - 2) || ' }' "
        "where about = %s",
        (decided,),
    )
    admin.commit()
    with pytest.raises(IntegrityHalt, match="do not have the leaf hash"):
        office.rows("access-log")


@pytest.mark.parametrize("name", [name for name, report in REPORTS.items() if not report.discloses])
@pytest.mark.parametrize("form", ["json", "csv"])
def test_an_empty_log_has_empty_reports(office: Any, name: str, form: Any) -> None:
    text = office.pull(name, form)
    if form == "json":
        document = json.loads(text)
        assert document["header"]["checkpoint"] is None
        data = b"".join(line + b"\n" for line in text.split(b"\n")[2:-2])
        assert document["header"]["sha256"] == hashlib.sha256(data).hexdigest()
        assert len(document["rows"]) == document["header"]["rows"]
