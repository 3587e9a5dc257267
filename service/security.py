"""Whether a caller may: bearer tokens and the scopes they hold."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from records.tokens import Principal
from service.context import services_of
from service.errors import Forbidden, Unauthenticated

bearer = HTTPBearer(auto_error=False, description="A token issued by `ofrecord`.")


def needs(scope: str) -> Callable[..., Awaitable[Principal]]:
    """A dependency that lets only principals with this scope through, before a byte of the body is read."""

    async def principal(
        request: Request,
        credentials: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)],
    ) -> Principal:
        services = services_of(request)
        if credentials is None:
            raise Unauthenticated
        found = await services.authenticator.principal_of(credentials.credentials)
        if not found.may(scope):
            raise Forbidden(f"This token does not hold the scope {scope!r}.")
        return found

    return principal
