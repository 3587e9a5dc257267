"""Tokens are found once, honoured for seconds, and never guessed into the cache."""

from __future__ import annotations

import asyncio
from uuid import UUID

import pytest

from records.tokens import Principal
from service import authentication
from service.authentication import Authenticator
from service.errors import Unauthenticated

GOOD = "ofr_good"


class _Tokens:
    """The database as the authenticator sees it, counting questions."""

    def __init__(self) -> None:
        self.valid = {GOOD: Principal(UUID(int=1), "los", frozenset({"explain"}))}
        self.asked = 0

    async def find(self, secret: str) -> Principal | None:
        self.asked += 1
        return self.valid.get(secret)


class _Time:
    def __init__(self) -> None:
        self.now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> _Time:
    made = _Time()
    monkeypatch.setattr(authentication, "time", made)
    return made


def test_a_good_token_is_asked_for_once_in_a_while(time: _Time) -> None:
    async def scenario() -> None:
        tokens = _Tokens()
        authenticator = Authenticator(tokens.find)
        for _ in range(10):
            assert (await authenticator.principal_of(GOOD)).name == "los"
        assert tokens.asked == 1
        time.now += authentication.REMEMBERED_SECONDS
        await authenticator.principal_of(GOOD)
        assert tokens.asked == 2

    asyncio.run(scenario())


def test_a_revoked_token_is_refused_within_seconds(time: _Time) -> None:
    async def scenario() -> None:
        tokens = _Tokens()
        authenticator = Authenticator(tokens.find)
        await authenticator.principal_of(GOOD)
        tokens.valid.clear()
        time.now += authentication.REMEMBERED_SECONDS
        with pytest.raises(Unauthenticated):
            await authenticator.principal_of(GOOD)

    assert authentication.REMEMBERED_SECONDS <= 5
    asyncio.run(scenario())


def test_guesses_do_not_push_good_tokens_out(time: _Time) -> None:
    async def scenario() -> None:
        tokens = _Tokens()
        authenticator = Authenticator(tokens.find)
        await authenticator.principal_of(GOOD)
        for guess in range(3000):
            with pytest.raises(Unauthenticated):
                await authenticator.principal_of(f"ofr_{guess}")
        asked = tokens.asked
        await authenticator.principal_of(GOOD)
        assert tokens.asked == asked

    asyncio.run(scenario())


def test_an_endless_token_never_reaches_the_database() -> None:
    async def scenario() -> None:
        tokens = _Tokens()
        with pytest.raises(Unauthenticated):
            await Authenticator(tokens.find).principal_of("x" * 100_000)
        assert tokens.asked == 0

    asyncio.run(scenario())


@pytest.mark.parametrize(
    ("scopes", "scope", "may"),
    [
        ({"explain"}, "explain", True),
        ({"explain"}, "approve", False),
        ({"admin"}, "approve", True),
        (set(), "read", False),
    ],
)
def test_scopes(scopes: set[str], scope: str, may: bool) -> None:
    assert Principal(UUID(int=1), "p", frozenset(scopes)).may(scope) is may
