"""What a witness has seen, for a machine and for a person."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from audit.witness import BEHIND, Witness
from audit.witness_store import Refused, WitnessStore


def state_of(witness: Witness) -> dict[str, object]:
    """Return the latest checkpoints and every refusal, with both notes."""
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
        "refused": [_refusal(refused) for refused in witness.refused()],
    }


def misbehaved(refused: Refused) -> bool:
    """Tell whether somebody has to look: another history, or one that was never proved."""
    return not refused.resolved and refused.kind != BEHIND


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


def _refusal(refused: Refused) -> dict[str, object]:
    return {
        "origin": refused.origin,
        "kind": refused.kind,
        "resolved": refused.resolved,
        "tree_size": refused.size,
        "root": refused.root.hex(),
        "note": refused.note,
        "against": refused.against,
        "first_at": _time(refused.first_at),
        "last_at": _time(refused.last_at),
        "times": refused.times,
    }


def _time(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
