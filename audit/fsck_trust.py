"""Whom a check of the whole log trusts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from audit.cosignature import CosignerKey
from audit.note import Verifier


@dataclass(frozen=True, slots=True)
class Trust:
    """Whose checkpoints and cosignatures count, whose time stamps (PEM), and the time if it is known."""

    verifiers: tuple[Verifier, ...]
    origin: str
    witnesses: tuple[CosignerKey, ...] = ()
    certificates: Path | None = None
    now: datetime | None = None
