"""An entry from before components, notices and proxies: it still reads back as it was answered then."""

from __future__ import annotations

import orjson

from records.private import build_private, parse_private
from schemas.answer import Explanation
from service.explanations.record import answer

ID = "0193b8a0-0000-7000-8000-000000000000"
DIGEST = "sha256:" + "0" * 64
# The canonical bytes that the first release wrote, and the answer that it gave.
PRIVATE = (
    b'{"application":{"action":"denial","completed_at":"2026-11-12T08:00:00.000000Z"},'
    b'"attribution":{"base_value":"-1.204","method":"interventional_treeshap","reconciliation":'
    b'{"error":"0","expected":"0.896","sum":"0.896","tolerance":"0.0001"},"reference":{"band":"0.2",'
    b'"digest":"' + DIGEST.encode() + b'","id":"' + DIGEST.encode() + b'","kind":"near_cutoff_approved",'
    b'"rows":312},"values":[{"feature":"debt_ratio","phi":"2.1"}]},"counterfactuals":{"complete":true,'
    b'"dropped":0,"effort":[],"evaluation_id":null,"evaluations":7,"items":[],"proof":null,"seed":"9",'
    b'"status":"no_recourse"},"decided":null,"decision":{"favourable":false,"margin":"0.896","outcome":'
    b'"decline","output_space":"margin","score":"0.71","threshold":"0.5"},"decision_id":"A-1","features":'
    b'[{"name":"debt_ratio","type":"number","value":"61"}],"purpose":null,"reasons":[{"code":"R07",'
    b'"contribution":"2.1","factor":"debt","near_tie":false,"observed":[{"feature":"debt_ratio","value":'
    b'"61"}],"rank":1,"reference_value":"33.2","sensitive":true,"share":"1","text":"Excessive obligations"}],'
    b'"subject_ref":"S-1","warnings":[]}'
)
BODY = {"model": "loans", "version": "1"}
FIRST_ANSWER = {
    "explanation_id": ID,
    "decision_id": "A-1",
    "model": "loans",
    "version": "1",
    "decision": {
        "outcome": "decline",
        "favourable": False,
        "score": 0.71,
        "margin": 0.896,
        "threshold": 0.5,
        "output_space": "margin",
    },
    "attribution": {
        "method": "interventional_treeshap",
        "reference": {
            "id": DIGEST,
            "kind": "near_cutoff_approved",
            "rows": 312,
            "digest": DIGEST,
            "band": 0.2,
        },
        "base_value": -1.204,
        "values": [{"feature": "debt_ratio", "value": 61.0, "phi": 2.1}],
        "reconciliation": {"expected": 0.896, "sum": 0.896, "error": 0.0, "tolerance": 0.0001},
    },
    "reasons": [
        {
            "rank": 1,
            "code": "R07",
            "factor": "debt",
            "text": "Excessive obligations",
            "contribution": 2.1,
            "share": 1.0,
            "reference_value": 33.2,
            "observed": {"debt_ratio": 61.0},
            "near_tie": False,
            "sensitive": True,
        }
    ],
    "counterfactuals": {"status": "no_recourse", "complete": True, "items": [], "evaluation_id": None},
    "warnings": [],
}


def test_it_is_answered_as_it_was_byte_for_byte() -> None:
    part = parse_private(PRIVATE)
    assert orjson.dumps(answer(part, BODY, ID)) == orjson.dumps(FIRST_ANSWER)
    assert build_private(part) == PRIVATE


def test_the_schema_of_today_reads_it() -> None:
    receipt = {
        "entry_id": ID, "leaf_hash": "0" * 64, "log_origin": "o", "time": "2026-11-20T10:15:00.000000Z",
        "integrate_by": "2026-11-21T10:15:00.000000Z", "key_id": "k", "signature": "s", "index": None,
    }  # fmt: skip
    read = Explanation.model_validate({**answer(parse_private(PRIVATE), BODY, ID), "receipt": receipt})
    assert (read.combined, read.notice, read.reasons[0].component) == (None, None, None)
