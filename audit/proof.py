"""What an examiner receives: the tlog-proof (C2SP) and the evidence file around it."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass

import orjson

from audit.canonical import JsonValue
from audit.errors import MalformedNote, MalformedProof
from audit.merkle import HASH_SIZE
from audit.note import decode_base64
from audit.receipt import Receipt
from audit.sealing import Opening

TLOG_PROOF_HEADER = "c2sp.org/tlog-proof@v1"
EVIDENCE_FORMAT = "ofrecord-evidence/v1"
EVIDENCE_LIMIT_BYTES = 16 << 20
_PATH_LIMIT = 63
_NUMBER = re.compile(r"0|[1-9][0-9]{0,18}")


@dataclass(frozen=True, slots=True)
class TlogProof:
    """An index, an inclusion path and the signed checkpoint the path leads to."""

    index: int
    path: tuple[bytes, ...]
    checkpoint: str
    extra: bytes | None = None

    def to_text(self) -> str:
        """Write the proof in the C2SP format."""
        lines = [TLOG_PROOF_HEADER]
        if self.extra is not None:
            lines.append("extra " + base64.b64encode(self.extra).decode())
        lines.append(f"index {self.index}")
        lines.extend(base64.b64encode(node).decode() for node in self.path)
        return "\n".join(lines) + "\n\n" + self.checkpoint

    @classmethod
    def parse(cls, text: str) -> TlogProof:
        """Read a proof; verify nothing."""
        head, found, checkpoint = text.partition("\n\n")
        lines = head.split("\n")
        if not found or lines.pop(0) != TLOG_PROOF_HEADER:
            raise MalformedProof(f"a proof starts with {TLOG_PROOF_HEADER} and ends with a checkpoint")
        extra = None
        if lines and lines[0].startswith("extra "):
            extra = _base64(lines.pop(0).removeprefix("extra "))
        if not lines or not lines[0].startswith("index "):
            raise MalformedProof("a proof has an index line")
        index = lines.pop(0).removeprefix("index ")
        if not _NUMBER.fullmatch(index):
            raise MalformedProof("an index is a decimal number")
        if len(lines) > _PATH_LIMIT:
            raise MalformedProof(f"a path has at most {_PATH_LIMIT} hashes")
        path = tuple(_base64(line) for line in lines)
        if any(len(node) != HASH_SIZE for node in path):
            raise MalformedProof("a path is made of 32-byte hashes")
        return cls(int(index), path, checkpoint, extra)


@dataclass(frozen=True, slots=True)
class Evidence:
    """One file that proves one entry: its bytes, the proof, and if disclosed what opens its commitment."""

    tlog_proof: str
    entry: bytes
    opening: Opening | None
    receipt: Receipt | None

    def to_bytes(self) -> bytes:
        """Write the file: JSON, indented, for people to look into."""
        opening = self.opening
        value: dict[str, JsonValue] = {
            "format": EVIDENCE_FORMAT,
            "tlog_proof": self.tlog_proof,
            "entry": base64.b64encode(self.entry).decode(),
            "opening": None
            if opening is None
            else {
                "blind": base64.b64encode(opening.blind).decode(),
                "plaintext": base64.b64encode(opening.plaintext).decode(),
            },
            "receipt": None if self.receipt is None else self.receipt.to_json(),
        }
        return orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)

    @classmethod
    def parse(cls, data: bytes) -> Evidence:
        """Read the file; verify nothing. Unknown members are ignored: they prove nothing and harm nothing."""
        value = read_object(data)
        if value.get("format") != EVIDENCE_FORMAT:
            raise MalformedProof(f"the format is not {EVIDENCE_FORMAT}")
        opening = _object(value, "opening")
        receipt = _object(value, "receipt")
        return cls(
            tlog_proof=_string(value, "tlog_proof"),
            entry=_base64(_string(value, "entry")),
            opening=None
            if opening is None
            else Opening(_base64(_string(opening, "blind")), _base64(_string(opening, "plaintext"))),
            receipt=None if receipt is None else Receipt.from_json(receipt),
        )


def read_object(data: bytes) -> dict[str, object]:
    """Read JSON that another reader reads alike: no name twice in one object, no deeper than an entry."""
    if len(data) > EVIDENCE_LIMIT_BYTES:
        raise MalformedProof(f"a file has at most {EVIDENCE_LIMIT_BYTES} bytes")
    try:
        value = orjson.loads(data)
        orjson.dumps(value)  # refuses what is nested deeper than it writes
    except (orjson.JSONDecodeError, orjson.JSONEncodeError) as error:
        raise MalformedProof("not JSON") from error
    if not isinstance(value, dict):
        raise MalformedProof("not a JSON object")
    _check_names(data)
    return value


def _check_names(data: bytes) -> None:
    """Refuse a name that occurs twice in one object: another reader may take the other value."""

    def once(members: list[tuple[str, object]]) -> object:
        if len({name for name, _ in members}) != len(members):
            raise MalformedProof("a name occurs twice in one object")
        return None

    try:
        json.loads(data, object_pairs_hook=once)
    except (ValueError, RecursionError) as error:
        raise MalformedProof("not JSON") from error


def _base64(text: str) -> bytes:
    try:
        return decode_base64(text)
    except MalformedNote as error:
        raise MalformedProof(str(error)) from error


def _string(value: Mapping[str, object], name: str) -> str:
    found = value.get(name)
    if not isinstance(found, str):
        raise MalformedProof(f"{name} is not a string")
    return found


def _object(value: Mapping[str, object], name: str) -> Mapping[str, object] | None:
    found = value.get(name)
    if found is not None and not isinstance(found, dict):
        raise MalformedProof(f"{name} is not an object")
    return found
