"""When checkpoints are said to have been signed, held against each other.

No signature covers that time. A cosignature and a time stamp are held against it, so it must not be moved to
where they fit.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import NamedTuple

from audit.fsck_found import Findings

SKEW = timedelta(minutes=10)
"""How far the clocks of the log, its witnesses and its authorities may be apart."""


class Noted(NamedTuple):
    """A checkpoint as it is stored; `signed_at` is None where the row has no time that can be read."""

    note: str
    signed_at: datetime | None


def check_times(findings: Findings, noted: Mapping[int, Noted], latest: datetime | None) -> None:
    """Check checkpoints, given by their sizes in order; `latest` is when the one before them was signed."""
    for size, (_, signed_at) in noted.items():
        if signed_at is None:
            findings.add("checkpoint", f"checkpoint {size}: its row has no time that can be read")
            continue
        if latest is not None and signed_at < latest - SKEW:
            findings.add("checkpoint", f"checkpoint {size}: its row has a time before that of a smaller one")
        latest = signed_at if latest is None else max(latest, signed_at)
