"""Cosignatures: what a witness says of a checkpoint, and when (C2SP tlog-cosignature, Ed25519).

A cosigner states that, at the time it names, this was the largest consistent tree it had seen of the log.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from audit.errors import MalformedNote
from audit.note import (
    PRIVATE_PREFIX,
    Note,
    Verifier,
    check_name,
    check_point,
    hash_of_key,
    key_parts,
    parse_note,
    signature_line,
    split_limit,
    verify_note,
)

_COSIGNATURE = b"\x04"
_TIME_BYTES = 8
_SIGNATURE_BYTES = 64
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class CosignerKey:
    """A witness's public key with its name, written `<name>+<key hash>+<base64>` (a vkey of type 0x04).

    `limit` is that of a past key, as a log's may have one.
    """

    name: str
    public_key: bytes
    limit: int | None = None

    @classmethod
    def parse(cls, vkey: str) -> CosignerKey:
        """Read a vkey and check that its key hash is right."""
        plain, limit = split_limit(vkey)
        name, key_hash, material = key_parts(plain, _COSIGNATURE)
        key = cls(name, check_point(name, material), limit)
        if key.key_hash.hex() != key_hash:
            raise MalformedNote(f"the key hash of {name} is not that of its key")
        return key

    @property
    def key_hash(self) -> bytes:
        """Return the first four bytes of SHA-256(name || 0x0A || 0x04 || public key)."""
        return hash_of_key(self.name, _COSIGNATURE, self.public_key)

    @property
    def key_id(self) -> str:
        """Return `<name>+<key hash>`, which names the key without carrying it."""
        return f"{self.name}+{self.key_hash.hex()}"

    @property
    def vkey(self) -> str:
        """Return the verifier key as text, without its limit."""
        return f"{self.key_id}+{base64.b64encode(_COSIGNATURE + self.public_key).decode()}"

    def verify(self, text: bytes, signature: bytes) -> bool:
        """Tell whether this key cosigned the text at the time that the signature itself names."""
        seconds = _seconds(signature)
        if seconds is None:
            return False
        try:
            key = Ed25519PublicKey.from_public_bytes(self.public_key)
            key.verify(signature[_TIME_BYTES:], cosigned_message(text, seconds))
        except (InvalidSignature, ValueError):
            return False
        return True


class Cosigner:
    """A witness's private key, written `PRIVATE+KEY+<name>+<key hash>+<base64>` with type 0x04.

    A key of another type is refused: one that signs logs must never cosign them.
    """

    __slots__ = ("_private_key", "key")

    def __init__(self, name: str, seed: bytes) -> None:
        """Make a cosigner out of a 32-byte Ed25519 seed."""
        self._private_key = Ed25519PrivateKey.from_private_bytes(seed)
        self.key = CosignerKey(check_name(name), self._private_key.public_key().public_bytes_raw())

    @classmethod
    def generate(cls, name: str) -> Cosigner:
        """Make a new key."""
        return cls(name, Ed25519PrivateKey.generate().private_bytes_raw())

    @classmethod
    def parse(cls, text: str) -> Cosigner:
        """Read a private key."""
        stripped = text.strip()
        if not stripped.startswith(PRIVATE_PREFIX):
            raise MalformedNote("not a private note key")
        name, key_hash, seed = key_parts(stripped.removeprefix(PRIVATE_PREFIX), _COSIGNATURE)
        cosigner = cls(name, seed)
        if cosigner.key.key_hash.hex() != key_hash:
            raise MalformedNote(f"the key hash of {name} is not that of its key")
        return cosigner

    def private_text(self) -> str:
        """Return the private key as text. It is a secret."""
        seed = self._private_key.private_bytes_raw()
        return f"{PRIVATE_PREFIX}{self.key.key_id}+{base64.b64encode(_COSIGNATURE + seed).decode()}"

    def cosign(self, text: str, now: datetime) -> str:
        """Return the signature line over a checkpoint's text (not its signatures) at this time."""
        seconds = int((now - _EPOCH).total_seconds())
        signature = self._private_key.sign(cosigned_message(text.encode(), seconds))
        return signature_line(self.key, seconds.to_bytes(_TIME_BYTES, "big") + signature)


@dataclass(frozen=True, slots=True)
class Cosignature:
    """A verified cosignature: whose it is, of when, and its line."""

    key: CosignerKey
    time: datetime
    line: str


def cosigned_message(text: bytes, seconds: int) -> bytes:
    """Return what a cosigner signs: two lines of its own before the checkpoint's text."""
    return b"cosignature/v1\ntime %d\n" % seconds + text


def read_cosignatures(note: Note | str, keys: Sequence[CosignerKey]) -> tuple[Cosignature, ...]:
    """Return the cosignatures of known keys on a note, the first of each; there may be none.

    A note on which a known key's cosignature is wrong is refused.
    """
    parsed = parse_note(note) if isinstance(note, str) else note
    known = {(key.name, key.key_hash): key for key in keys}
    found: dict[CosignerKey, Cosignature] = {}
    for line in parsed.signatures:
        key = known.get((line.name, line.key_hash))
        time = cosigned_at(line.signature)
        if key is None or key in found:
            continue
        verify_note(Note(parsed.text, (line,)), [key])
        if time is not None:
            found[key] = Cosignature(key, time, signature_line(key, line.signature))
    return tuple(found.values())


def cosigned_at(signature: bytes) -> datetime | None:
    """Return the time in a timestamped signature, which need not be a right one; None if there is none."""
    seconds = _seconds(signature)
    return None if seconds is None else _EPOCH + timedelta(seconds=seconds)


def parse_keys(vkeys: Sequence[str]) -> tuple[tuple[Verifier, ...], tuple[CosignerKey, ...]]:
    """Sort verifier keys into those that sign for a log and those of witnesses."""
    verifiers: list[Verifier] = []
    cosigners: list[CosignerKey] = []
    for vkey in vkeys:
        try:
            cosigners.append(CosignerKey.parse(vkey))
        except MalformedNote:
            verifiers.append(Verifier.parse(vkey))
    return tuple(verifiers), tuple(cosigners)


def _seconds(signature: bytes) -> int | None:
    """Return the time in a timestamped signature; None if there is none that a calendar knows."""
    if len(signature) != _TIME_BYTES + _SIGNATURE_BYTES:
        return None
    seconds = int.from_bytes(signature[:_TIME_BYTES], "big")
    return seconds if 0 < seconds < 253_402_300_800 else None  # until the end of the year 9999
