"""How the private part of an entry is encrypted and committed to. Pure; key storage is in `audit.keys`.

    plaintext' = blind (32) || plaintext
    ciphertext = nonce (12) || AES-256-GCM(data key, nonce, plaintext', "ofrecord/entry/v1\\n" || entry id)
    commitment = HMAC-SHA256(blind, plaintext)

The blind is as secret as the plaintext and dies with it: a commitment to one of few values cannot be guessed.
"""

from __future__ import annotations

import hmac
import secrets
from dataclasses import dataclass
from hashlib import sha256
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from audit.errors import AuditError

KEY_SIZE = 32
BLIND_SIZE = 32
NONCE_SIZE = 12
TAG_SIZE = 16
_ENTRY_CONTEXT = b"ofrecord/entry/v1\n"


class NotDecrypted(AuditError):
    """The ciphertext does not belong to this key and entry."""


@dataclass(frozen=True, slots=True)
class Opening:
    """What opens a commitment: whoever has it can check the plaintext against the leaf without any key."""

    blind: bytes
    plaintext: bytes


def seal(data_key: bytes, entry_id: UUID, opening: Opening) -> bytes:
    """Encrypt blind and plaintext for one entry."""
    return _encrypt(data_key, opening.blind + opening.plaintext, _ENTRY_CONTEXT + str(entry_id).encode())


def unseal(data_key: bytes, entry_id: UUID, ciphertext: bytes) -> Opening:
    """Decrypt what `seal` wrote."""
    joined = _decrypt(data_key, ciphertext, _ENTRY_CONTEXT + str(entry_id).encode())
    return Opening(joined[:BLIND_SIZE], joined[BLIND_SIZE:])


def commitment(opening: Opening) -> str:
    """Return the commitment to a plaintext, in lower-case hex."""
    return hmac.new(opening.blind, opening.plaintext, sha256).hexdigest()


def digest(ciphertext: bytes) -> str:
    """Return the digest of a ciphertext as text."""
    return "sha256:" + sha256(ciphertext).hexdigest()


def opens(opening: Opening, expected: str) -> bool:
    """Tell whether an opening is the one that was committed to."""
    return len(opening.blind) == BLIND_SIZE and hmac.compare_digest(commitment(opening), expected)


def wrap(wrapping_key: bytes, key: bytes, key_id: UUID) -> bytes:
    """Encrypt one key under another, bound to its id."""
    return _encrypt(wrapping_key, key, str(key_id).encode())


def unwrap(wrapping_key: bytes, wrapped: bytes, key_id: UUID) -> bytes:
    """Decrypt what `wrap` wrote."""
    return _decrypt(wrapping_key, wrapped, str(key_id).encode())


def derive(master_key: bytes, purpose: str) -> bytes:
    """Derive a key for one purpose from the master key (HKDF-SHA256, RFC 5869)."""
    info = b"ofrecord/" + purpose.encode() + b"/v1"
    return HKDF(algorithm=SHA256(), length=KEY_SIZE, salt=None, info=info).derive(master_key)


def _encrypt(key: bytes, plaintext: bytes, context: bytes) -> bytes:
    nonce = secrets.token_bytes(NONCE_SIZE)
    return nonce + AESGCM(key).encrypt(nonce, plaintext, context)


def _decrypt(key: bytes, ciphertext: bytes, context: bytes) -> bytes:
    if len(ciphertext) < NONCE_SIZE + TAG_SIZE:
        raise NotDecrypted
    try:
        return AESGCM(key).decrypt(ciphertext[:NONCE_SIZE], ciphertext[NONCE_SIZE:], context)
    except InvalidTag as error:
        raise NotDecrypted from error
