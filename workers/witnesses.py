"""One witness, over HTTP (C2SP tlog-witness)."""

from __future__ import annotations

from audit.cosigning import Answer, WitnessSilent
from workers.bounded_http import Limits, NoAnswer, Request, ask

_LIMITS = Limits(seconds=15.0, body_bytes=256 << 10)


class HttpWitness:
    """A witness by its address. What it says is bounded in size and time, and trusted by its signature."""

    def __init__(self, url: str, limits: Limits = _LIMITS) -> None:
        """Take the submission prefix, at which it also serves checkpoints."""
        self._url = url.rstrip("/")
        self._limits = limits

    def submit(self, body: str) -> Answer:
        """Send `add-checkpoint`."""
        return self._ask(Request("POST", f"{self._url}/add-checkpoint", body.encode()))

    def checkpoint(self, origin_digest: str) -> Answer:
        """Ask for the latest checkpoint it cosigned of one log."""
        return self._ask(Request("GET", f"{self._url}/{origin_digest}/checkpoint"))

    def _ask(self, request: Request) -> Answer:
        try:
            status, body = ask(request, self._limits)
            return Answer(status, body.decode())
        except NoAnswer as error:
            raise WitnessSilent(str(error)) from error
        except UnicodeDecodeError as error:
            raise WitnessSilent("its answer is not text") from error
