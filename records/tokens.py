"""Bearer tokens: who calls, and what they may do. The database keeps their SHA-256 digests alone."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from psycopg import Connection
from psycopg.rows import TupleRow

from audit.entry import Draft
from audit.log import AuditLog
from runtime.ids import uuid7

SCOPES = ("admin", "register", "approve", "explain", "read", "evaluate", "audit")
_PREFIX = "ofr_"


@dataclass(frozen=True, slots=True)
class Principal:
    """Who a token speaks for; the name is the actor of every entry made with it."""

    token_id: UUID
    name: str
    scopes: frozenset[str]

    def may(self, scope: str) -> bool:
        """Tell whether this principal holds a scope; `admin` holds them all."""
        return scope in self.scopes or "admin" in self.scopes


@dataclass(frozen=True, slots=True)
class IssuedToken:
    """A new token; `secret` is shown this once and kept nowhere."""

    token_id: UUID
    secret: str


def digest_of(secret: str) -> bytes:
    """The SHA-256 digest a token is kept under; 256 random bits need no salt and no slow hash."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).digest()


def issue_token(
    conn: Connection[TupleRow],
    log: AuditLog,
    principal: str,
    scopes: Sequence[str],
    now: datetime,
    *,
    issued_by: str,
    expires_at: datetime | None = None,
) -> IssuedToken:
    """Issues a token and appends `token.issued`, both in the caller's transaction."""
    unknown = sorted(set(scopes) - set(SCOPES))
    if unknown or not scopes:
        raise ValueError(f"scopes must be among {', '.join(SCOPES)}; not {unknown}")
    issued = IssuedToken(uuid7(now), _PREFIX + secrets.token_urlsafe(32))
    conn.execute(
        "SELECT records.issue_token_v1(%s, %s, %s, %s, %s, %s)",
        (issued.token_id, digest_of(issued.secret), principal, sorted(set(scopes)), now, expires_at),
    )
    body = {"token_id": str(issued.token_id), "principal": principal, "scopes": sorted(set(scopes))}
    log.append([Draft(type="token.issued", actor=issued_by, body=body)], now, conn=conn)
    return issued


def find_token(conn: Connection[TupleRow], secret: str, now: datetime) -> Principal | None:
    """The principal of a token that is neither expired nor revoked, or None."""
    digest = digest_of(secret)
    row = conn.execute(
        "SELECT token_id, digest, principal, scopes FROM records.find_token_v1(%s, %s)", (digest, now)
    ).fetchone()
    # The index found equal bytes already; comparing again in constant time keeps that from resting on the
    # index alone.
    if row is None or not hmac.compare_digest(bytes(row[1]), digest):
        return None
    return Principal(row[0], row[2], frozenset(row[3]))


def revoke_token(
    conn: Connection[TupleRow], log: AuditLog, token_id: UUID, now: datetime, *, revoked_by: str
) -> bool:
    """Revokes a token and appends `token.revoked`, both in the caller's transaction.

    False, and no entry, if there is none such or it was revoked before.
    """
    row = conn.execute("SELECT records.revoke_token_v2(%s, %s)", (token_id, now)).fetchone()
    if row is None or row[0] is None:
        return False
    body = {"token_id": str(token_id), "principal": str(row[0])}
    log.append([Draft(type="token.revoked", actor=revoked_by, body=body)], now, conn=conn)
    return True
