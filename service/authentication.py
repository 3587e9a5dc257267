"""Who a bearer token belongs to, remembered for a few seconds."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable

from records.tokens import Principal, digest_of
from service.errors import Unauthenticated

# How long a revoked token may still be honoured; below it every call would ask the database.
REMEMBERED_SECONDS = 2.0
_REMEMBERED_TOKENS = 1024
_LONGEST_TOKEN = 256


class Authenticator:
    """Finds the principal of a token, by digest; lives on the event loop and needs no lock."""

    def __init__(self, find: Callable[[str], Awaitable[Principal | None]]) -> None:
        self._find = find
        self._known: OrderedDict[bytes, tuple[float, Principal]] = OrderedDict()

    async def principal_of(self, secret: str) -> Principal:
        """The principal; raises `Unauthenticated` if the token is unknown, expired or revoked.

        Only good tokens are remembered, so a flood of guesses cannot push them out.
        """
        digest = digest_of(secret)
        known = self._known.get(digest)
        if known is not None and known[0] > time.monotonic():
            return known[1]
        self._known.pop(digest, None)
        if len(secret) > _LONGEST_TOKEN:
            raise Unauthenticated("The token is not valid.")
        found = await self._find(secret)
        if found is None:
            raise Unauthenticated("The token is not valid.")
        self._known[digest] = (time.monotonic() + REMEMBERED_SECONDS, found)
        while len(self._known) > _REMEMBERED_TOKENS:
            self._known.popitem(last=False)
        return found
