"""Have checkpoints stamped by a time-stamp authority over HTTP (RFC 3161, section 3.4)."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import httpx

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

EVERY = timedelta(hours=1)
_SILENCE_SECONDS = 10.0


class Stamping:
    """One authority. What it says is verified before it is kept."""

    def __init__(self, pool: Pool, url: str, certificates: Path, clock: Clock) -> None:
        """Take the integrator's pool, the authority's address, and whom to trust about time (PEM)."""
        self._pool = pool
        self._url = url
        self._roots = read_certificates(certificates)
        self._clock = clock
        self._http = httpx.Client(timeout=_SILENCE_SECONDS, follow_redirects=False)

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

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def _ask(self, body: bytes) -> bytes:
        headers = {"content-type": REQUEST_TYPE}
        try:
            with self._http.stream("POST", self._url, content=body, headers=headers) as response:
                taken = bytearray()
                for piece in response.iter_bytes():
                    taken += piece
                    if len(taken) > RESPONSE_LIMIT_BYTES:
                        raise TimestampRefused("its answer has no end")
        except httpx.HTTPError as error:
            raise TimestampRefused(f"it does not answer ({type(error).__name__})") from error
        if response.status_code != httpx.codes.OK:
            raise TimestampRefused(f"it answered with status {response.status_code}")
        return bytes(taken)
