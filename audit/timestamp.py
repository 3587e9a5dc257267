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
_SHA256 = "2.16.840.1.101.3.4.2.1"


class TimestampRefused(Exception):
    """The authority's answer is not a time stamp that can be trusted."""


@dataclass(frozen=True, slots=True)
class TimestampRequest:
    """A question about some bytes, and the number that its answer must repeat."""

    body: bytes
    nonce: int | None


@dataclass(frozen=True, slots=True)
class Stamp:
    """What a time stamp says; nothing of it is verified."""

    time: datetime
    digest: bytes
    algorithm: str  # a dotted object identifier
    numbers: tuple[int, int | None, str]  # its serial number, the request's nonce, the authority's policy

    def is_of(self, message: bytes) -> bool:
        """Tell whether it is over the SHA-256 of a message."""
        return (self.algorithm, self.digest) == (_SHA256, sha256(message).digest())


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


def read_timestamp(response: bytes) -> Stamp:
    """Read an authority's answer without trusting it; raise `TimestampRefused` if it is no stamp."""
    try:
        said = decode_timestamp_response(response).tst_info
        imprint = said.message_imprint
        numbers = said.serial_number, said.nonce, said.policy.dotted_string
        return Stamp(said.gen_time, imprint.message, imprint.hash_algorithm.dotted_string, numbers)
    except ValueError as error:
        raise TimestampRefused(str(error)) from error


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
