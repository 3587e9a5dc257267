"""What a witness has seen, for a machine and for a person."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from audit.witness import FORK, Witness
from audit.witness_store import Refused, WitnessStore

LISTED = 100
"""Refusals that are told at once."""


def state_of(witness: Witness, notes: int = 0) -> dict[str, object]:
    """Return the latest checkpoints and the refusals, forks first; so many of them with both notes."""
    refused = witness.refused()[:LISTED]
    latest = dict(witness.latest())
    return {
        "witness": witness.vkey,
        "logs": [
            {
                "origin": origin,
                "tree_size": latest[origin].size if origin in latest else 0,
                "root": latest[origin].root.hex() if origin in latest else None,
                "cosigned_at": _time(latest[origin].cosigned_at) if origin in latest else None,
            }
            for origin in sorted({*witness.origins, *latest})
        ],
        "refused": [_refusal(one, with_notes=number < notes) for number, one in enumerate(refused)],
    }


def misbehaved(refused: Refused) -> bool:
    """Tell whether the log contradicted itself: it signed two trees of one size, and nothing less says so."""
    return refused.kind == FORK


def told(store: WitnessStore) -> Iterator[str]:
    """Return the state as lines for a person."""
    for origin, latest in store.all_latest():
        when = _time(latest.cosigned_at)
        yield f"{origin}  tree of {latest.size}, root {latest.root.hex()}, cosigned {when}"
    for refused in store.refused():
        state = "resolved" if refused.resolved else refused.kind.upper()
        yield (
            f"{state}  {refused.origin}  tree of {refused.size}, root {refused.root.hex()}, "
            f"{refused.times}x, first {_time(refused.first_at)}, last {_time(refused.last_at)}"
        )


def _refusal(refused: Refused, *, with_notes: bool) -> dict[str, object]:
    evidence = {
        "note": refused.note,
        "against": refused.against,
        "proof": [node.hex() for node in refused.proof],
    }
    return {
        "origin": refused.origin,
        "kind": refused.kind,
        "resolved": refused.resolved,
        "tree_size": refused.size,
        "root": refused.root.hex(),
        "old_size": refused.old_size,
        "first_at": _time(refused.first_at),
        "last_at": _time(refused.last_at),
        "times": refused.times,
        **(evidence if with_notes else {}),
    }


def _time(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
