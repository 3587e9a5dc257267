"""What a letter is written from: one record and what it names, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from explain.catalogue import ReasonCatalogue
from records.private_parts import PrivatePart
from records.reviews import CountedReview
from schemas.manifest import Manifest


@dataclass(frozen=True, slots=True)
class LetterSource:
    """One explanation as it stands on record.

    `body` is the clear part of its entry, `part` the private one, `recorded_at` the entry's time (aware).
    `manifest` is that of the version which decided, `words` the catalogue that the entry names.
    `reviews` are those that counted when the letter was first made, oldest first.
    """

    explanation_id: str
    model: str
    version: str
    recorded_at: datetime
    body: Mapping[str, object]
    part: PrivatePart
    manifest: Manifest
    words: ReasonCatalogue
    reviews: tuple[CountedReview, ...] = ()
