"""One witness, over HTTP (C2SP tlog-witness)."""

from __future__ import annotations

import time

import httpx

from audit.cosigning import Answer, WitnessSilent

_CONNECT_SECONDS = 3.0
_SILENCE_SECONDS = 5.0
_ANSWER_SECONDS = 15.0
_ANSWER_LIMIT_BYTES = 256 << 10


class HttpWitness:
    """A witness by its address. What it says is bounded in size and time, and trusted by its signature."""

    def __init__(self, url: str) -> None:
        """Take the submission prefix, at which it also serves checkpoints."""
        self._url = url.rstrip("/")
        timeout = httpx.Timeout(_SILENCE_SECONDS, connect=_CONNECT_SECONDS)
        self._http = httpx.Client(timeout=timeout, follow_redirects=False)

    def submit(self, body: str) -> Answer:
        """Send `add-checkpoint`."""
        return self._ask("POST", "/add-checkpoint", body.encode())

    def checkpoint(self, origin_digest: str) -> Answer:
        """Ask for the latest checkpoint it cosigned of one log."""
        return self._ask("GET", f"/{origin_digest}/checkpoint", None)

    def close(self) -> None:
        """Close its connections."""
        self._http.close()

    def _ask(self, method: str, path: str, content: bytes | None) -> Answer:
        until = time.monotonic() + _ANSWER_SECONDS
        try:
            with self._http.stream(method, self._url + path, content=content) as response:
                taken = bytearray()
                for piece in response.iter_bytes():
                    taken += piece
                    if len(taken) > _ANSWER_LIMIT_BYTES or time.monotonic() > until:
                        raise WitnessSilent("its answer has no end")
                return Answer(response.status_code, taken.decode())
        except httpx.HTTPError as error:
            raise WitnessSilent(f"it does not answer ({type(error).__name__})") from error
        except UnicodeDecodeError as error:
            raise WitnessSilent("its answer is not text") from error
