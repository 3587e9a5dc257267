"""Seeds that replay: derived from what is explained and how, never from a clock or a global generator."""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray

_DOMAIN = b"ofrecord/seed/v1"


def canonical_row(row: NDArray[np.float64]) -> bytes:
    """Return the bytes of a model-order row: little-endian float64, one NaN, no negative zero."""
    numbers = np.asarray(row, dtype="<f8") + 0.0
    numbers[np.isnan(numbers)] = np.nan
    return numbers.tobytes()


def seed_for(model_digest: str, instance: bytes, method: str) -> int:
    """Return a 63-bit seed for one model, one canonical instance and one method with its version.

    The parts are length-prefixed before they are hashed, so that no two different triples share their bytes.
    """
    digest = hashlib.sha256(_DOMAIN)
    for part in (model_digest.encode(), instance, method.encode()):
        digest.update(len(part).to_bytes(8, "big"))
        digest.update(part)
    return int.from_bytes(digest.digest()[:8], "big") >> 1
