"""What a witness says halts the log only if it proves it; a gateway's word does not."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest

from audit.checkpoint import Checkpoint, sign_checkpoint
from audit.cosignature import Cosigner
from audit.cosigning import Answer, Cosigning, WitnessSilent, WitnessUnproved
from audit.entry import Draft
from audit.errors import IntegrityHalt
from audit.note import Signer

WITNESS = Cosigner("witness.example/w1", bytes(range(40, 72)))
STRANGER = Cosigner("witness.example/w1", bytes(range(50, 82)))


@dataclass
class Speaking:
    """Whoever stands at the witness's address, with what is answered to a submission and to a look."""

    submitted: Answer
    shown: Answer

    def submit(self, _: str) -> Answer:
        return self.submitted

    def checkpoint(self, _: str) -> Answer:
        return self.shown


def append(rig: Any, count: int) -> None:
    rig.log.append([Draft(type="log.tested", actor="anna", body={"n": n}) for n in range(count)], rig.now)
    rig.integrator.step(rig.now)


def ask(rig: Any, submitted: Answer, shown: Answer) -> None:
    client = Speaking(submitted, shown)
    pool, verifiers = rig.integrator_pool, [rig.signer.verifier]
    Cosigning(pool, client, WITNESS.key, rig.origin, verifiers, signers=[rig.signer]).step()


def note(rig: Any, size: int, *, log: Signer | None = None, by: Cosigner = WITNESS, root: bytes = b"") -> str:
    """A checkpoint of another tree, as a witness may show it."""
    checkpoint = Checkpoint(rig.origin, size, root or b"\x05" * 32)
    return sign_checkpoint(checkpoint, [log or rig.signer]) + by.cosign(checkpoint.text(), rig.now)


HINTS = [
    Answer(409, "999999\n"),
    Answer(409, "4611686018427387904"),
    Answer(422, "<html>not entitled</html>"),
]
SHOWN = {
    "nothing": lambda _: Answer(404, ""),
    "no note": lambda _: Answer(200, "<html>please log in</html>"),
    "another log's": lambda rig: Answer(200, note(rig, 999999, log=Signer(rig.origin, b"\x07" * 32))),
    "not cosigned": lambda rig: Answer(200, note(rig, 999999).rpartition("— witness")[0]),
    "cosigned by a stranger": lambda rig: Answer(200, note(rig, 999999, by=STRANGER)),
    "what we have": lambda rig: Answer(
        200, note(rig, 5, root=rig.log.newest_checkpoint().root) if rig.log.newest_checkpoint() else ""
    ),
}


@pytest.mark.parametrize("shown", SHOWN)
def test_an_objection_without_proof_halts_nobody(rig: Any, shown: str) -> None:
    for step in range(2):
        for hint in HINTS:
            with pytest.raises(WitnessUnproved):
                ask(rig, hint, SHOWN[shown](rig))
        if not step:
            append(rig, 5)
    for status in (400, 403, 404, 500):
        with pytest.raises(WitnessSilent, match=f"status {status}"):
            ask(rig, Answer(status, ""), SHOWN[shown](rig))


@pytest.mark.parametrize("hint", HINTS)
def test_what_is_signed_and_cosigned_is_believed(rig: Any, hint: Answer) -> None:
    with pytest.raises(IntegrityHalt, match="a tree of 9, the database has one of 0: it was emptied"):
        ask(rig, hint, Answer(200, note(rig, 9)))
    append(rig, 5)
    with pytest.raises(IntegrityHalt, match="a tree of 9, the database has one of 5: an older state"):
        ask(rig, hint, Answer(200, note(rig, 9)))
    for size in (3, 5):
        with pytest.raises(IntegrityHalt, match=f"another history than the tree of {size}"):
            ask(rig, hint, Answer(200, note(rig, size)))


def test_that_there_is_no_such_page_does_not_say_that_no_tree_was_seen(rig: Any) -> None:
    with pytest.raises(WitnessSilent, match="404"):
        ask(rig, Answer(404, ""), Answer(404, ""))


def test_an_empty_tree_is_agreed_to_by_cosigning_it(rig: Any) -> None:
    empty = Checkpoint(
        rig.origin,
        0,
        bytes.fromhex("e3b0c44298fc1c149afbf4c8996fb924") + bytes.fromhex("27ae41e4649b934ca495991b7852b855"),
    )
    ask(rig, Answer(200, WITNESS.cosign(empty.text(), rig.now)), Answer(404, ""))
    with pytest.raises(WitnessSilent, match="cosignature"):
        ask(rig, Answer(200, STRANGER.cosign(empty.text(), rig.now)), Answer(404, ""))


def test_a_cosignature_of_a_time_that_no_table_keeps_is_no_answer(rig: Any) -> None:
    append(rig, 5)
    text = rig.log.newest_checkpoint().note.partition("\n\n")[0] + "\n"
    for year in (1999, 9999):
        at = datetime(year, 12, 31, 12, tzinfo=UTC)
        with pytest.raises(WitnessSilent, match="a time that the log does not keep"):
            ask(rig, Answer(200, WITNESS.cosign(text, at)), Answer(404, ""))
    ask(rig, Answer(200, WITNESS.cosign(text, rig.now)), Answer(404, ""))
