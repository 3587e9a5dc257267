"""The certificate of the whole log, and the record of one decision with its proof."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import json
from dataclasses import replace
from typing import Any
from uuid import UUID

import psycopg
import pytest

from audit.canonical import canonical
from audit.cosignature import Cosigner
from audit.entry import parse_entry
from audit.errors import AuditUnavailable, EntryNotFound
from audit.fsck import fsck
from audit.proof import Evidence
from audit.verify import verify_evidence
from records.custody_check import custody_problems
from reports.registers.errors import ParameterRefused, ReportTimedOut, ReportTooLarge
from reports.registers.offered import find_report
from reports.registers.pulling import Bounds, make
from reports.registers.report import Asked
from tests.integration.reports.conftest import CHECKPOINT_KEY, RECEIPT_KEY
from tests.integration.reports.kinds import fill


def _some(office: Any) -> None:
    """A sound log: the other tests' expiry names entries that there never were."""
    for _ in range(3):
        office.decide()
    office.append("token.issued", {"token_id": "t"})
    office.settle()


def test_a_sound_log_passes_and_the_next_certificate_grows_out_of_it(office: Any) -> None:
    _some(office)
    first = json.loads(office.pull("log-verification"))
    checks = {row["check"]: row for row in first["rows"]}
    size = len(office.entries())
    assert first["header"]["summary"] == {"result": "PASS"}
    assert checks["range"]["value"] == {"first": 0, "last": size - 1}
    assert checks["root"]["value"] == office.log.newest_checkpoint().root.hex()
    assert checks["entries_rehashed"]["value"] == size
    assert checks["keys"]["result"] == "told"
    assert checks["consistency"]["result"] == "unchecked"
    assert {"fsync", "full_page_writes", "synchronous_commit", "ddl_guard"} <= checks.keys()
    office.settle()
    office.decide()
    office.settle()
    second = {row["check"]: row for row in json.loads(office.pull("log-verification"))["rows"]}
    assert second["consistency"]["result"] == "pass"
    assert second["consistency"]["value"]["entry_id"] == first["header"]["entry_id"]
    assert second["consistency"]["value"]["root"] == checks["root"]["value"]


def test_a_log_that_was_changed_fails_and_says_where(office: Any, admin: Any) -> None:
    _some(office)
    office.pull("log-verification")
    office.settle()
    admin.execute("set session_replication_role = replica")
    admin.execute("set event_triggers = off")
    admin.execute("drop trigger append_only on audit.entry")
    admin.execute("update audit.entry set leaf_hash = sha256('x') where type = 'token.issued'")
    admin.commit()
    document = json.loads(office.pull("log-verification"))
    checks = {row["check"]: row for row in document["rows"]}
    assert document["header"]["summary"] == {"result": "FAIL"}
    assert checks["problems"]["result"] == "fail"
    assert any("leaf hash" in problem for problem in checks["problems"]["value"])
    office.settle()
    said = [row["said"] for row in office.rows("access-log") if row["type"] == "report.pulled"]
    assert [body["result"] for body in said] == ["PASS", "FAIL"]


def test_a_root_that_is_not_the_last_certificates_fails(office: Any) -> None:
    """As a log looks that was rewritten with its signatures, to who kept the last certificate in it."""
    _some(office)
    body = {"report": "log-verification", "tree_size": 2, "root": "ab" * 32, "rows": 0, "filters": {}}
    office.append("report.pulled", body)
    office.settle()
    document = json.loads(office.pull("log-verification"))
    assert document["header"]["summary"] == {"result": "FAIL"}


def test_what_custody_does_differently_from_the_log_fails_in_the_order_of_fsck(
    office: Any, admin: Any, database: Any
) -> None:
    _some(office)
    hold = office.append("hold.placed", {"hold_id": str(UUID(int=9)), "scope": {"kind": "everything"}})
    erasure = office.append("erasure.completed", {"erasure_id": str(UUID(int=8))})
    office.settle()
    admin.execute("set session_replication_role = replica")
    admin.execute("set event_triggers = off")
    admin.execute("drop trigger append_only on audit.tile")
    admin.commit()
    document = json.loads(office.pull("log-verification"))
    checks = {row["check"]: row for row in document["rows"]}
    with psycopg.connect(database.url("auditor")) as conn:
        log = list(fsck(conn, [CHECKPOINT_KEY.verifier.vkey], office.log.origin).problems)
        custody = custody_problems(conn)
    assert log
    assert custody == [
        f"entry {entry_id} ({kind}) is of nothing that is known"
        for entry_id, kind in sorted([(hold, "hold.placed"), (erasure, "erasure.completed")])
    ]
    assert document["header"]["summary"] == {"result": "FAIL"}
    assert (checks["custody"]["result"], checks["custody"]["value"]) == ("fail", custody)
    assert checks["problems"]["value"] == [*log, *custody]
    assert checks["faults"]["value"]["custody"] == 2


def test_a_certificate_made_by_several_processes_is_the_same(
    office: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    _some(office)
    office.desk = replace(office.desk, processes=2)
    rows = {row["check"]: row for row in office.rows("log-verification")}
    office.desk = replace(office.desk, processes=1)
    alone = {row["check"]: row for row in office.rows("log-verification")}
    assert rows["problems"]["result"] == rows["custody"]["result"] == "pass"
    assert rows["pending"]["value"] == 0
    same = rows.keys() - {"pending"}  # the first pull itself waits for the integrator
    assert {name: rows[name] for name in same} == {name: alone[name] for name in same}
    monkeypatch.setitem(__import__("audit.queries").queries.FSCK, "export_snapshot", "select 'none'")
    office.rows("log-verification")
    office.desk = replace(office.desk, processes=2)
    with pytest.raises(AuditUnavailable):
        office.rows("log-verification")


def _row(office: Any, check: str) -> dict[str, Any]:
    rows: list[dict[str, Any]] = office.rows("log-verification")
    return next(row for row in rows if row["check"] == check)


def _witnessed(office: Any) -> dict[str, Any]:
    return _row(office, "witnessed")


def test_what_witnesses_cosigned_is_told_and_checked_with_their_keys(office: Any, admin: Any) -> None:
    _some(office)
    assert (_witnessed(office)["result"], _witnessed(office)["value"]) == ("unchecked", None)
    assert "rewritten with its own keys" in _witnessed(office)["meaning"]
    cosigner, newest = Cosigner.generate("witness.test/w"), office.log.newest_checkpoint()
    at = office.clock.now().replace(microsecond=0)
    line = cosigner.cosign(newest.note.partition("\n\n")[0] + "\n", at)
    keep = "insert into audit.cosignature (tree_size, key_id, line, cosigned_at) values (%s, %s, %s, %s)"
    admin.execute(keep, (newest.tree_size, cosigner.key.key_id, line, at))
    admin.commit()
    told = {"witness": cosigner.key.key_id, "tree_size": newest.tree_size}
    told["cosigned_at"] = at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    row = _witnessed(office)
    assert (row["result"], row["value"]) == ("unchecked", [{**told, "verified": None}])
    row = _row(office, "vouched")
    assert (row["result"], row["value"]["cosignatures_by_unknown_keys"]) == ("unchecked", 1)
    office.desk = replace(office.desk, witness_vkeys=(cosigner.key.vkey,))
    row = _witnessed(office)
    assert (row["result"], row["value"]) == ("pass", [{**told, "verified": True}])
    row = _row(office, "vouched")
    assert (row["result"], row["value"]["cosignatures"]) == ("told", 1)
    liar = Cosigner.generate("witness.test/x")
    admin.execute(keep, (newest.tree_size, liar.key.key_id, liar.cosign("another log\n1\nAAAA\n", at), at))
    admin.commit()
    office.desk = replace(office.desk, witness_vkeys=(cosigner.key.vkey, liar.key.vkey))
    document = json.loads(office.pull("log-verification"))
    row = next(row for row in document["rows"] if row["check"] == "witnessed")
    assert row["result"] == "fail"
    assert [(one["witness"], one["verified"]) for one in row["value"]] == [
        (cosigner.key.key_id, True),
        (liar.key.key_id, False),
    ]
    assert document["header"]["summary"] == {"result": "FAIL"}


def test_the_whole_log_is_not_read_where_that_is_bounded(office: Any) -> None:
    fill(office)
    with pytest.raises(ReportTooLarge, match="ofrecord report log-verification"):
        make(office.desk, find_report("log-verification"), Asked(), "json", Bounds(entries=3))
    with pytest.raises(ReportTimedOut):
        make(office.desk, find_report("access-log"), Asked(), "json", Bounds(seconds=0.00001))
    assert list(office.desk.folder.iterdir()) == []


def test_the_record_of_one_decision_has_everything_and_its_proof(office: Any) -> None:
    decided = fill(office)
    private = canonical({"content": "bGV0dGVy", "letter": "{}"})
    office.append("notice.rendered", {"template": "adverse_action"}, decided, private=private, subject="S-1")
    office.append("explanation.reviewed", {"kind": "overridden", "outcome": "approve"}, decided)
    office.settle()
    document = json.loads(office.pull("adverse-action-record", asked=Asked(explanation_id=decided)))
    *rows, evidence = document["rows"]
    concerned = [
        stored for stored in office.entries() if decided in (stored.entry.entry_id, stored.entry.about)
    ]
    assert [row["index"] for row in rows] == [stored.index for stored in concerned]
    assert [row["part"] for row in rows] == ["decision", "read", "read", "replay", "notice", "review"]
    assert rows[4]["disclosed"] == {"content": "bGV0dGVy", "letter": "{}"}
    file = json.dumps(evidence["disclosed"]).encode()
    held = Evidence.parse(file)
    assert held.opening is not None
    assert parse_entry(held.entry).entry_id == decided
    verify_evidence(file, [CHECKPOINT_KEY.verifier.vkey, RECEIPT_KEY.verifier.vkey])
    office.settle()
    reads = [row for row in office.rows("access-log", explanation_id=decided) if row["how"] == "report"]
    assert len(reads) == 1
    assert "S-1" not in json.dumps(document["header"])


def test_a_letter_does_not_burst_a_cell_of_a_spreadsheet(office: Any) -> None:
    decided = office.decide()
    letter = bytes(range(256)) * 160
    private = canonical({"content": base64.b64encode(letter).decode(), "letter": "{}"})
    body = {"template": "adverse_action", "media_type": "application/pdf"}
    entry_id = office.append("notice.rendered", body, decided, private=private, subject="S-1")
    office.settle()
    asked = Asked(explanation_id=decided)
    (row,) = [
        row
        for row in json.loads(office.pull("adverse-action-record", asked=asked))["rows"]
        if row["part"] == "notice"
    ]
    assert base64.b64decode(row["disclosed"]["content"]) == letter
    text = office.pull("adverse-action-record", "csv", asked).decode()
    data = text.partition('"the digest covers every byte after this line"\r\n')[2]
    rows = list(csv.DictReader(io.StringIO(data, newline=""), strict=True))
    assert max(len(cell) for one in rows for cell in one.values()) < 32_767
    (cell,) = [json.loads(one["disclosed"]) for one in rows if one["part"] == "notice"]
    assert cell == {
        "content": {
            "entry_id": str(entry_id),
            "media_type": "application/pdf",
            "length": len(letter),
            "sha256": hashlib.sha256(letter).hexdigest(),
        },
        "letter": "{}",
    }


def test_what_is_erased_is_said_to_be_and_stays_proved(office: Any, database: Any) -> None:
    decided = fill(office)
    with psycopg.connect(database.keys_admin_url) as keys:
        keys.execute(
            "update keys.subject_key set wrapped = null, subject_index = null, destroyed_at = %s",
            (office.clock.now(),),
        )
    document = json.loads(office.pull("adverse-action-record", asked=Asked(explanation_id=decided)))
    first, *_, evidence = document["rows"]
    assert (first["erased"], first["disclosed"]) == (True, None)
    assert first["said"]["outcome"] == "decline"
    assert document["header"]["summary"] == {"erased": [str(decided)]}
    file = json.dumps(evidence["disclosed"]).encode()
    held = Evidence.parse(file)
    assert held.opening is None
    verify_evidence(file, [CHECKPOINT_KEY.verifier.vkey, RECEIPT_KEY.verifier.vkey])


def test_what_is_no_decision_has_no_record(office: Any) -> None:
    decided = fill(office)
    with pytest.raises(EntryNotFound):
        office.pull("adverse-action-record", asked=Asked(explanation_id=UUID(int=1)))
    read = next(stored.entry for stored in office.entries() if stored.entry.about == decided)
    with pytest.raises(EntryNotFound):
        office.pull("adverse-action-record", asked=Asked(explanation_id=read.entry_id))
    with pytest.raises(ParameterRefused, match="not yet in the tree"):
        office.pull("adverse-action-record", asked=Asked(explanation_id=office.decide()))


def test_a_private_part_that_is_no_json_is_kept_as_bytes(office: Any) -> None:
    decided = fill(office)
    office.append("narrative.created", {}, decided, private=b"\xff\x00", subject="S-1")
    office.settle()
    rows = office.rows("adverse-action-record", explanation_id=decided)
    assert base64.b64decode(rows[-2]["disclosed"]) == b"\xff\x00"


def test_a_false_limit_in_the_table_fails_no_certificate(office: Any, admin: Any) -> None:
    _some(office)
    vkey = CHECKPOINT_KEY.verifier.vkey
    publish = "insert into audit.verifier_key values (%s, 'checkpoint', '2026-11-20Z') on conflict do nothing"
    admin.execute(publish, (vkey,))
    admin.execute("select audit.publish_key_limit_v1(%s, 0, '2026-11-20Z')", (vkey,))
    admin.commit()
    office.desk = replace(office.desk, vkeys=())
    rows = {row["check"]: row for row in office.rows("log-verification")}
    assert (rows["keys"]["result"], rows["keys"]["value"]) == ("unchecked", [vkey])
    assert rows["problems"]["value"] == []
