"""The receipt: a signed promise, made at commit, that an entry will be in the tree before a given time."""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

from audit.canonical import JsonValue
from audit.entry import Appended, format_time, parse_time
from audit.errors import MalformedEntry, MalformedNote, MalformedProof
from audit.note import RECEIPT_SUFFIX, Signer, Verifier, decode_base64

_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_HEX = re.compile(r"[0-9a-f]{64}")
INTEGRATE_WITHIN = timedelta(hours=24)
"""As in Certificate Transparency; integration takes about a second, and an alarm sounds long before."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """A promise about one entry. `index` is known once it is kept; the checkpoint vouches for it."""

    entry_id: UUID
    leaf_hash: bytes
    log_origin: str
    time: datetime
    integrate_by: datetime
    key_id: str
    signature: bytes
    index: int | None = None

    def text(self) -> bytes:
        """Return what is signed."""
        return receipt_text(self.log_origin, self.leaf_hash, self.time, self.integrate_by)

    def with_index(self, index: int) -> Receipt:
        """Return the same promise, kept."""
        return replace(self, index=index)

    def to_json(self) -> dict[str, JsonValue]:
        """Return the receipt as it stands in an answer."""
        return {
            "entry_id": str(self.entry_id),
            "leaf_hash": self.leaf_hash.hex(),
            "log_origin": self.log_origin,
            "time": format_time(self.time),
            "integrate_by": format_time(self.integrate_by),
            "key_id": self.key_id,
            "signature": base64.b64encode(self.signature).decode(),
            "index": self.index,
        }

    @classmethod
    def from_json(cls, value: Mapping[str, object]) -> Receipt:
        """Read what `to_json` wrote; unknown members are ignored, so that receipts may grow."""
        try:
            index = value.get("index")
            if index is not None and (type(index) is not int or index < 0):
                raise MalformedProof("a receipt's index is a number")
            return cls(
                entry_id=UUID(_text(value, "entry_id", _UUID)),
                leaf_hash=bytes.fromhex(_text(value, "leaf_hash", _HEX)),
                log_origin=_text(value, "log_origin"),
                time=parse_time(value["time"]),
                integrate_by=parse_time(value["integrate_by"]),
                key_id=_text(value, "key_id"),
                signature=decode_base64(_text(value, "signature")),
                index=index,
            )
        except (KeyError, ValueError, MalformedEntry, MalformedNote) as error:
            raise MalformedProof(f"not a receipt: {error}") from error


def _text(value: Mapping[str, object], name: str, form: re.Pattern[str] | None = None) -> str:
    found = value[name]
    if not isinstance(found, str) or (form is not None and not form.fullmatch(found)):
        raise MalformedProof(f"a receipt's {name} does not have its form")
    return found


def receipt_text(origin: str, leaf: bytes, time: datetime, integrate_by: datetime) -> bytes:
    """Return the text a receipt key signs."""
    lines = ("ofrecord-receipt/v1", origin, leaf.hex(), format_time(time), format_time(integrate_by), "")
    return "\n".join(lines).encode()


def receipt_key_name(origin: str) -> str:
    """Return the name of a log's receipt keys; it keeps them from ever passing for a checkpoint key."""
    return origin + RECEIPT_SUFFIX


def issue_receipt(
    signer: Signer, origin: str, appended: Appended, *, integrate_within: timedelta = INTEGRATE_WITHIN
) -> Receipt:
    """Promise that a committed entry will be integrated. The same entry always gets the same receipt."""
    if signer.verifier.name != receipt_key_name(origin):
        raise MalformedNote(f"a receipt key of this log is named {receipt_key_name(origin)}")
    by = appended.time + integrate_within
    signature = signer.sign(receipt_text(origin, appended.leaf_hash, appended.time, by))
    return Receipt(
        appended.entry_id, appended.leaf_hash, origin, appended.time, by, signer.verifier.key_id, signature
    )


def verify_receipt(receipt: Receipt, verifiers: Sequence[Verifier]) -> bool | None:
    """Tell whether a receipt key of its log signed it; None when that key is not among the verifiers."""
    for verifier in verifiers:
        if verifier.name == receipt_key_name(receipt.log_origin) and verifier.key_id == receipt.key_id:
            return verifier.verify(receipt.text(), receipt.signature)
    return None
