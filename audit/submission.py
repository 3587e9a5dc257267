"""What a log sends to a witness (C2SP tlog-witness).

A checkpoint, and the proof that it grew out of the one before.
"""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass

from audit.errors import MalformedNote, MalformedProof
from audit.merkle import HASH_SIZE
from audit.note import NOTE_LIMIT_BYTES, decode_base64

PROOF_LIMIT = 63
SUBMISSION_LIMIT_BYTES = NOTE_LIMIT_BYTES + 4096
_OLD = re.compile(r"old (0|[1-9][0-9]{0,18})")


@dataclass(frozen=True, slots=True)
class Submission:
    """The body of `add-checkpoint`: the size the witness saw last, the consistency proof, the signed note."""

    old_size: int
    proof: tuple[bytes, ...]
    note: str

    def to_text(self) -> str:
        """Write the body."""
        lines = [f"old {self.old_size}", *(base64.b64encode(node).decode() for node in self.proof)]
        return "\n".join(lines) + "\n\n" + self.note

    @classmethod
    def parse(cls, body: bytes) -> Submission:
        """Read a body; verify nothing. Raise `MalformedProof` or `MalformedNote`."""
        if len(body) > SUBMISSION_LIMIT_BYTES:
            raise MalformedProof(f"a submission has at most {SUBMISSION_LIMIT_BYTES} bytes")
        try:
            head, found, note = body.decode().partition("\n\n")
        except UnicodeDecodeError as error:
            raise MalformedNote("a submission is UTF-8") from error
        lines = head.split("\n")
        old = _OLD.fullmatch(lines[0])
        if not found or old is None:
            raise MalformedProof("a submission is an old size, a proof, an empty line and a checkpoint")
        if len(lines) - 1 > PROOF_LIMIT:
            raise MalformedProof(f"a consistency proof has at most {PROOF_LIMIT} hashes")
        proof = tuple(decode_base64(line) for line in lines[1:])
        if any(len(node) != HASH_SIZE for node in proof):
            raise MalformedProof("a consistency proof is made of 32-byte hashes")
        return cls(int(old[1]), proof, note)
