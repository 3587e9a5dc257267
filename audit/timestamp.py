"""Time stamps by an authority (RFC 3161): the only door to the library that writes and verifies them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from pathlib import Path

from cryptography import x509
from rfc3161_client import (
    HashAlgorithm,
    TimestampRequestBuilder,
    VerificationError,
    VerifierBuilder,
    decode_timestamp_response,
)

REQUEST_TYPE = "application/timestamp-query"
RESPONSE_LIMIT_BYTES = 64 << 10


class TimestampRefused(Exception):
    """The authority's answer is not a time stamp that can be trusted."""


@dataclass(frozen=True, slots=True)
class TimestampRequest:
    """A question about some bytes, and the number that its answer must repeat."""

    body: bytes
    nonce: int | None


def timestamp_request(message: bytes) -> TimestampRequest:
    """Ask for a stamp over the SHA-256 of a message; nothing else of it leaves."""
    made = TimestampRequestBuilder().data(message).hash_algorithm(HashAlgorithm.SHA256).build()
    return TimestampRequest(made.as_bytes(), made.nonce)


def read_certificates(path: Path) -> tuple[x509.Certificate, ...]:
    """Read the authorities that are trusted about time (PEM); raise `TimestampRefused`."""
    try:
        found = tuple(x509.load_pem_x509_certificates(path.read_bytes()))
    except (OSError, ValueError) as error:
        raise TimestampRefused(f"{path} holds no certificates that can be read") from error
    return found


def verify_timestamp(
    response: bytes, message: bytes, roots: tuple[x509.Certificate, ...], nonce: int | None = None
) -> datetime:
    """Return when an authority saw a message; raise `TimestampRefused`.

    Checked are the authority's signature, its chain to one of the roots at that time, its purpose, and the
    message's digest, which must be SHA-256; with `nonce`, also that it answers that very request.
    """
    builder = VerifierBuilder(roots=list(roots), nonce=nonce)
    try:
        decoded = decode_timestamp_response(response)
        builder.build().verify(decoded, sha256(message).digest())
    except (VerificationError, ValueError) as error:
        raise TimestampRefused(str(error)) from error
    return decoded.tst_info.gen_time
