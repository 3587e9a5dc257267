"""One entry of every kind that any report lists, between others."""

from __future__ import annotations

from typing import Any
from uuid import UUID

READS = {
    *("explanation.read", "explanation.replayed", "notice.read", "hold.read", "report.pulled"),
    *("token.issued", "token.revoked"),
}
CHANGES = {
    *("model.registered", "model.approved", "model.retired", "model.catalogue_changed"),
    *("catalogue.registered", "schema.change", "token.issued", "token.revoked"),
    *("incident.raised", "explanation.reviewed"),
}
KEEPING = {
    *("erasure.requested", "erasure.refused", "erasure.held", "erasure.completed"),
    *("hold.placed", "hold.released", "retention.expired"),
}
REPLAYS = {"explanation.replayed", "replay.completed"}


def fill(office: Any) -> UUID:
    """One entry of every kind that any report lists, between others; returns the decision they are about."""
    decided: UUID = office.decide()
    other = office.decide(model="cards", approve=True)
    office.append("explanation.read", {"explanation_id": str(decided), "how": "find"}, decided)
    office.append("explanation.read", {"explanation_id": str(other), "how": "read"}, other, actor="=1+1")
    letter = {"template": "adverse_action", "how": "first", "media_type": "application/pdf"}
    office.append("notice.read", letter, decided)
    office.append("hold.read", {"hold_id": str(other)}, UUID(int=7))
    office.append("token.issued", {"token_id": str(other), "principal": "app", "scopes": ["read"]})
    for kind in sorted(CHANGES - READS):
        office.append(
            kind, {"model": "loans", "version": "1", "digest": "sha256:" + "1" * 64, "room": "audit"}
        )
    for kind in sorted(KEEPING):
        office.append(
            kind, {"entries": 3, "retention_class": "clinical", "month": "2020-01", "ground": "hold"}
        )
    told = {
        "verdict": "different",
        "compared": ["attribution"],
        "first_difference": "/phi/0",
        "tolerance": "1e-9",
        "not_compared": [{"part": "counterfactuals", "why": "other code"}],
    }
    office.append("explanation.replayed", told, decided)
    office.append("explanation.replayed", {**told, "verdict": "identical", "first_difference": None}, other)
    run = {"model": "loans", "verdicts": {"identical": 1, "different": 1}, "not_compared": 1, "run_id": "r"}
    office.append("replay.completed", run)
    office.settle()
    return decided
