"""The witness: it cosigns a log's checkpoint only if it grew out of what was seen before (C2SP tlog-witness).

It trusts neither the log nor its database, only the log's public keys, which it was given, and its own
memory. Two checkpoints of one size that the log signed convict it, and are kept. Whoever can read a log can
bring its checkpoints here, old ones, and with false proofs: that is refused and says nothing of the log.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256

from audit.checkpoint import Checkpoint, checkpoint_keys, read_checkpoint, verify_signers
from audit.cosignature import Cosigner
from audit.errors import MalformedNote, MalformedProof
from audit.merkle import EMPTY_ROOT, verify_consistency
from audit.note import Note, Verifier, parse_note, signature_line
from audit.refusals import (
    CheckpointConflict,
    InconsistentCheckpoint,
    UnknownLog,
    UnsignedCheckpoint,
    WitnessError,
)
from audit.submission import Submission
from audit.witness_store import Cosigned, Refused, Turn, WitnessStore

_LOG = logging.getLogger(__name__)

FORK = "fork"
UNPROVED = "unproved"
TEXT_LIMIT_BYTES = 4 << 10
"""A checkpoint's text; its extension lines are the log's own words, and kept here for ever."""
_LEVELS = {FORK: logging.CRITICAL, UNPROVED: logging.WARNING}


@dataclass(frozen=True, slots=True)
class _Signed:
    """A submitted checkpoint that the log's own key has signed; `note` has the verified signatures alone."""

    checkpoint: Checkpoint
    text: str
    note: str


class Witness:
    """Cosign for the logs whose checkpoint keys are given. Calls must not overlap within one instance."""

    def __init__(self, store: WitnessStore, cosigner: Cosigner, vkeys: Sequence[str]) -> None:
        """Take the memory, the witness's key, and verifier keys, of which checkpoint keys count."""
        self._store = store
        self._cosigner = cosigner
        self._logs: dict[str, list[Verifier]] = {}
        for verifier in checkpoint_keys(vkeys):
            self._logs.setdefault(verifier.name, []).append(verifier)
        if not self._logs:
            raise MalformedNote("none of the verifier keys is a log's checkpoint key")

    @property
    def origins(self) -> tuple[str, ...]:
        """Return the logs it knows."""
        return tuple(sorted(self._logs))

    @property
    def vkey(self) -> str:
        """Return its own verifier key."""
        return self._cosigner.key.vkey

    def add_checkpoint(self, body: bytes, now: datetime) -> str:
        """Return the cosignature's line, after what was seen is on disk.

        Raises `MalformedNote` or `MalformedProof` for what is no submission, `UnknownLog`,
        `UnsignedCheckpoint`, `CheckpointConflict` when the old size is not that of the latest cosigned
        checkpoint, and `InconsistentCheckpoint` when the proof does not hold.
        """
        submission = Submission.parse(body)
        signed = self._signed(submission)
        if submission.old_size > signed.checkpoint.tree_size:
            raise MalformedProof("the old size is larger than the checkpoint's")
        if len(signed.text.encode()) > TEXT_LIMIT_BYTES:
            raise MalformedNote(f"a checkpoint's text has at most {TEXT_LIMIT_BYTES} bytes here")
        with self._store.turn() as turn:
            latest = turn.latest(signed.checkpoint.origin)
            refusal = _refusal(turn, latest, submission, signed, now)
            if refusal is None:
                checkpoint = signed.checkpoint
                at = now if latest is None else max(now, latest.cosigned_at)  # a clock may go back
                line = self._cosigner.cosign(signed.text, at)
                cosigned = Cosigned(checkpoint.tree_size, checkpoint.root, signed.note, line, at)
                convicted = turn.keep_cosigned(checkpoint.origin, cosigned, latest)
            else:
                error, refused = refusal
                new = refused is not None and turn.keep_refused(refused)
        if refusal is None:
            for one in convicted:
                _report(one)
            return line
        if refused is not None and new:
            _report(refused)
        raise error

    def checkpoint(self, origin_digest: str) -> str | None:
        """Return the latest cosigned note of the log whose origin has this SHA-256 digest (hex)."""
        for origin in self.origins:
            if sha256(origin.encode()).hexdigest() == origin_digest:
                latest = self._store.latest(origin)
                return None if latest is None else latest.note + latest.cosignature
        return None

    def latest(self) -> list[tuple[str, Cosigned]]:
        """Return what it cosigned last, log by log."""
        return self._store.all_latest()

    def refused(self) -> list[Refused]:
        """Return what it refused although the log's own key had signed it, and knows no good reason for."""
        return self._store.refused()

    def _signed(self, submission: Submission) -> _Signed:
        parsed = parse_note(submission.note)
        checkpoint = read_checkpoint(parsed)
        verifiers = self._logs.get(checkpoint.origin)
        if verifiers is None:
            raise UnknownLog
        try:
            signed_by = verify_signers(parsed, verifiers, checkpoint.tree_size)
        except MalformedNote as error:
            raise UnsignedCheckpoint(str(error)) from error
        return _Signed(checkpoint, parsed.text, f"{parsed.text}\n{_lines_of(parsed, signed_by)}")


def _refusal(
    turn: Turn, latest: Cosigned | None, submission: Submission, signed: _Signed, now: datetime
) -> tuple[WitnessError, Refused | None] | None:
    """Return why this checkpoint is not cosigned, and what of it has to be kept; None when it may be."""
    checkpoint = signed.checkpoint
    size = latest.size if latest is not None else 0
    same_size = turn.at(checkpoint.origin, checkpoint.tree_size)
    error: WitnessError
    kind: str | None = None
    if submission.old_size != size:
        error = CheckpointConflict(size, behind=checkpoint.tree_size < size and same_size is None)
    elif _grown(latest, submission, checkpoint):
        return None
    else:
        error, kind = InconsistentCheckpoint(), UNPROVED
    if same_size is not None:
        kind = FORK if same_size.root != checkpoint.root else None  # the same one, with a false proof
    if kind is None:
        return error, None  # whoever asks where the witness stands, or brings an old checkpoint again
    against = same_size if kind == FORK else latest
    contradicted = "" if against is None else against.note + against.cosignature
    return error, Refused(
        origin=checkpoint.origin,
        kind=kind,
        size=checkpoint.tree_size,
        root=checkpoint.root,
        note=signed.note,
        old_size=submission.old_size,
        proof=submission.proof,
        against=contradicted,
        first_at=now,
        last_at=now,
        times=1,
        resolved=False,
    )


def _grown(latest: Cosigned | None, submission: Submission, checkpoint: Checkpoint) -> bool:
    """Tell whether the proof leads from the latest cosigned tree to this one."""
    if submission.old_size == 0 or latest is None:
        return not submission.proof and (checkpoint.tree_size > 0 or checkpoint.root == EMPTY_ROOT)
    return verify_consistency(
        latest.size, checkpoint.tree_size, latest.root, checkpoint.root, submission.proof
    )


def _lines_of(parsed: Note, verifiers: Sequence[Verifier]) -> str:
    """Return the lines of keys that signed: what strangers add to a note is not kept."""
    lines: dict[Verifier, str] = {}
    known = {(verifier.name, verifier.key_hash): verifier for verifier in verifiers}
    for signature in parsed.signatures:
        verifier = known.get((signature.name, signature.key_hash))
        if verifier is not None:
            lines.setdefault(verifier, signature_line(verifier, signature.signature))
    return "".join(lines.values())


def _report(refused: Refused) -> None:
    """Tell the operator, once for each checkpoint."""
    _LOG.log(
        _LEVELS[refused.kind],
        "the log has signed two trees of one size"
        if refused.kind == FORK
        else "refused a checkpoint that came without a proof that holds",
        extra={"kind": refused.kind, "tree_size": refused.size, "reason": refused.origin},
    )
