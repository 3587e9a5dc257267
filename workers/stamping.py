"""Have checkpoints stamped by a time-stamp authority over HTTP (RFC 3161, section 3.4)."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

from audit.stamps import checkpoint_to_stamp, keep_timestamp
from audit.timestamp import (
    REQUEST_TYPE,
    RESPONSE_LIMIT_BYTES,
    TimestampRefused,
    read_certificates,
    timestamp_request,
    verify_timestamp,
)
from runtime.clock import Clock
from runtime.postgres import Pool
from workers.bounded_http import Limits, NoAnswer, Request, ask

EVERY = timedelta(hours=1)
_LIMITS = Limits(seconds=30.0, body_bytes=RESPONSE_LIMIT_BYTES)
_OK = 200


class Stamping:
    """One authority. What it says is verified before it is kept."""

    def __init__(self, pool: Pool, url: str, certificates: Path, clock: Clock) -> None:
        """Take the integrator's pool, the authority's address, and whom to trust about time (PEM)."""
        self._pool = pool
        self._url = url
        self._roots = read_certificates(certificates)
        self._clock = clock

    def step(self) -> bool:
        """Have the newest checkpoint stamped when it is time; raises `TimestampRefused`."""
        newest = checkpoint_to_stamp(self._pool, self._url, self._clock.now(), EVERY)
        if newest is None:
            return False
        message = newest.note.encode()
        request = timestamp_request(message)
        response = self._ask(request.body)
        stamped_at = verify_timestamp(response, message, self._roots, request.nonce)
        keep_timestamp(self._pool, newest.tree_size, self._url, stamped_at, response)
        return True

    def _ask(self, body: bytes) -> bytes:
        try:
            status, response = ask(Request("POST", self._url, body, {"content-type": REQUEST_TYPE}), _LIMITS)
        except NoAnswer as error:
            raise TimestampRefused(str(error)) from error
        if status != _OK:
            raise TimestampRefused(f"it answered with status {status}")
        return response
