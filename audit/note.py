"""Signed notes with Ed25519 keys (C2SP signed-note)."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Protocol, TypeVar

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from audit.errors import MalformedNote

NOTE_LIMIT_BYTES = 128 << 10
SIGNATURES_LIMIT = 64
PRIVATE_PREFIX = "PRIVATE+KEY+"
RECEIPT_SUFFIX = "/receipt"
_ED25519 = b"\x01"
_ALGORITHMS = (_ED25519, b"\x04")  # Ed25519, and Ed25519 cosignatures with their time
_KEY_SIZE = 32
_LIMIT = re.compile(r"(.*)@(0|[1-9][0-9]{0,17})", re.DOTALL)
# Ed25519 (RFC 8032, section 5.1): the field, the curve's d, the five y of its eight points of small order.
_P = 2**255 - 19
_D = -121665 * pow(121666, -1, _P) % _P
_Y8 = 0x05FC536D880238B13933C6D305ACDFD5F098EFF289F4C345B027B2C28F95E826
_SMALL_ORDER = frozenset({0, 1, _P - 1, _Y8, _P - _Y8})


@dataclass(frozen=True, slots=True)
class Signature:
    """One signature line: who says to have signed, and the bytes."""

    name: str
    key_hash: bytes
    signature: bytes


@dataclass(frozen=True, slots=True)
class Note:
    """A parsed note; its text means nothing before a signature is verified."""

    text: str
    signatures: tuple[Signature, ...]


class Key(Protocol):
    """Whatever can tell whether it signed a note."""

    @property
    def name(self) -> str:
        """Return who signs."""
        ...

    @property
    def key_hash(self) -> bytes:
        """Return the four bytes that stand before its signatures."""
        ...

    @property
    def key_id(self) -> str:
        """Return `<name>+<key hash>`."""
        ...

    @property
    def limit(self) -> int | None:
        """Return the size of the largest tree it may sign; None: of any."""
        ...

    def verify(self, text: bytes, signature: bytes) -> bool:
        """Tell whether this key signed the text."""
        ...


KeyKind = TypeVar("KeyKind", bound=Key)


@dataclass(frozen=True, slots=True)
class Verifier:
    """A public key with its name, written `<name>+<key hash>+<base64>` (a vkey), a past one `<vkey>@<limit>`.

    `limit` is the size of the largest tree that it may sign; None: of any.
    """

    name: str
    public_key: bytes
    limit: int | None = None

    @classmethod
    def parse(cls, vkey: str) -> Verifier:
        """Read a vkey and check that its key hash is right."""
        plain, limit = split_limit(vkey)
        name, key_hash, material = key_parts(plain, _ED25519)
        verifier = cls(name, check_point(name, material), limit)
        if verifier.key_hash.hex() != key_hash:
            raise MalformedNote(f"the key hash of {name} is not that of its key")
        return verifier

    @property
    def key_hash(self) -> bytes:
        """Return the first four bytes of SHA-256(name || 0x0A || 0x01 || public key)."""
        return hash_of_key(self.name, _ED25519, self.public_key)

    @property
    def key_id(self) -> str:
        """Return `<name>+<key hash>`, which names the key without carrying it."""
        return f"{self.name}+{self.key_hash.hex()}"

    @property
    def vkey(self) -> str:
        """Return the verifier key as text, without its limit."""
        return f"{self.key_id}+{base64.b64encode(_ED25519 + self.public_key).decode()}"

    def verify(self, text: bytes, signature: bytes) -> bool:
        """Tell whether this key signed the text."""
        try:
            Ed25519PublicKey.from_public_bytes(self.public_key).verify(signature, text)
        except (InvalidSignature, ValueError):
            return False
        return True


class Signer:
    """A private key with its name, written `PRIVATE+KEY+<name>+<key hash>+<base64>`."""

    __slots__ = ("_private_key", "verifier")

    def __init__(self, name: str, seed: bytes) -> None:
        """Make a signer out of a 32-byte Ed25519 seed."""
        self._private_key = Ed25519PrivateKey.from_private_bytes(seed)
        self.verifier = Verifier(check_name(name), self._private_key.public_key().public_bytes_raw())

    @classmethod
    def generate(cls, name: str) -> Signer:
        """Make a new key."""
        return cls(name, Ed25519PrivateKey.generate().private_bytes_raw())

    @classmethod
    def parse(cls, text: str) -> Signer:
        """Read a private key."""
        stripped = text.strip()
        if not stripped.startswith(PRIVATE_PREFIX):
            raise MalformedNote("not a private note key")
        name, key_hash, seed = key_parts(stripped.removeprefix(PRIVATE_PREFIX), _ED25519)
        signer = cls(name, seed)
        if signer.verifier.key_hash.hex() != key_hash:
            raise MalformedNote(f"the key hash of {name} is not that of its key")
        return signer

    def private_text(self) -> str:
        """Return the private key as text. It is a secret."""
        seed = self._private_key.private_bytes_raw()
        return f"{PRIVATE_PREFIX}{self.verifier.key_id}+{base64.b64encode(_ED25519 + seed).decode()}"

    def sign(self, text: bytes) -> bytes:
        """Return the 64-byte signature over a text."""
        return self._private_key.sign(text)


def sign_note(text: str, signers: Iterable[Signer]) -> str:
    """Return the text as a note signed by all of them."""
    lines = [signature_line(signer.verifier, signer.sign(text.encode())) for signer in signers]
    return f"{text}\n{''.join(lines)}"


def signature_line(key: Key, signature: bytes) -> str:
    """Return one signature line."""
    return f"— {key.name} {base64.b64encode(key.key_hash + signature).decode()}\n"


def parse_note(note: str) -> Note:
    """Split a note into its text and its signatures; verify nothing."""
    try:
        if len(note.encode()) > NOTE_LIMIT_BYTES:
            raise MalformedNote(f"a note has at most {NOTE_LIMIT_BYTES} bytes")
    except UnicodeEncodeError as error:
        raise MalformedNote("a note is UTF-8") from error
    if any(character < " " and character != "\n" for character in note):
        raise MalformedNote("a note has no control characters")
    end = note.rfind("\n\n")
    lines = note[end + 2 :].split("\n")
    if end < 0 or lines[-1] != "" or len(lines) < 2:
        raise MalformedNote("a note is a text, an empty line and signature lines")
    if len(lines) - 1 > SIGNATURES_LIMIT:
        raise MalformedNote(f"a note has at most {SIGNATURES_LIMIT} signatures")
    return Note(note[: end + 1], tuple(_signature(line) for line in lines[:-1]))


def verify_note(note: Note, verifiers: Sequence[KeyKind]) -> tuple[KeyKind, ...]:
    """Return the known keys that signed.

    A note that no known key signed is refused, and one on which a known key's signature is wrong.
    """
    signed: list[KeyKind] = []
    known = {(verifier.name, verifier.key_hash): verifier for verifier in verifiers}
    for line in note.signatures:
        verifier = known.get((line.name, line.key_hash))
        if verifier is None or verifier in signed:
            continue
        if not verifier.verify(note.text.encode(), line.signature):
            raise MalformedNote(f"the signature of {verifier.key_id} is wrong")
        signed.append(verifier)
    if not signed:
        raise MalformedNote("no known key has signed this note")
    return tuple(signed)


def within(keys: Sequence[KeyKind], tree_size: int) -> list[KeyKind]:
    """Return those that may sign a tree of this size; of one key given twice the smaller limit counts."""
    beyond = {key.key_id for key in keys if key.limit is not None and key.limit < tree_size}
    return [key for key in keys if key.key_id not in beyond]


def check_name(name: str) -> str:
    """Return a key name that a note can carry."""
    if not name or "+" in name or any(character.isspace() or character < " " for character in name):
        raise MalformedNote("a key name is not empty and has neither spaces nor plus signs")
    return name


def check_point(name: str, public_key: bytes) -> bytes:
    """Return a public key that binds: the only encoding of a point, and not one of small order.

    The library accepts others; under a key of small order one signature holds for many texts.
    """
    y = int.from_bytes(public_key, "little") & (1 << 255) - 1
    square = (y * y - 1) * (_D * y * y + 1) % _P  # x*x times a square
    if y >= _P or y in _SMALL_ORDER or pow(square, (_P - 1) // 2, _P) != 1:
        raise MalformedNote(f"{name}: no key that binds: no point, a second form of one, or small order")
    return public_key


def decode_base64(text: str) -> bytes:
    """Decode strict, padded standard base64."""
    try:
        decoded = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise MalformedNote("not base64") from error
    if base64.b64encode(decoded).decode() != text:
        raise MalformedNote("not the only base64 of its bytes")
    return decoded


def _signature(line: str) -> Signature:
    parts = line.split(" ")
    if len(parts) != 3 or parts[0] != "—":
        raise MalformedNote("a signature line is a dash, a key name and base64")
    decoded = decode_base64(parts[2])
    if len(decoded) < 5:
        raise MalformedNote("a signature is longer than its key hash")
    return Signature(check_name(parts[1]), decoded[:4], decoded[4:])


def key_parts(text: str, *algorithms: bytes) -> tuple[str, str, bytes]:
    """Split `<name>+<key hash>+<base64>` into name, key hash and 32 bytes of key of one of the algorithms."""
    parts = text.split("+", 2)
    if len(parts) != 3:
        raise MalformedNote("a key is written <name>+<key hash>+<base64>")
    material = decode_base64(parts[2])
    if len(material) != 1 + _KEY_SIZE or material[:1] not in algorithms:
        raise MalformedNote(f"{parts[0]}: not an Ed25519 key for this purpose")
    return check_name(parts[0]), parts[1], material[1:]


def split_limit(vkey: str) -> tuple[str, int | None]:
    """Take `@<limit>` off a vkey: base64 has no such sign. What only a receipt's key signs has no size."""
    found = _LIMIT.fullmatch(vkey)
    if found is None:
        return vkey, None
    if found[1].partition("+")[0].endswith(RECEIPT_SUFFIX):
        raise MalformedNote("a receipt key signs no tree: it has no limit")
    return found[1], int(found[2])


def hash_of_key(name: str, algorithm: bytes, public_key: bytes) -> bytes:
    """Return the first four bytes of SHA-256(name || 0x0A || algorithm || public key)."""
    return sha256(name.encode() + b"\n" + algorithm + public_key).digest()[:4]


def key_id_of(vkey: str) -> str:
    """Return `<name>+<key hash>` of a verifier key of any kind that is known here."""
    name, key_hash, _ = key_parts(vkey, *_ALGORITHMS)
    return f"{name}+{key_hash}"
