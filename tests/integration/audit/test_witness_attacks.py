"""Who may do anything in the database, and holds the log's key, is still found out from outside.

In every one of these attacks fsck passes: the database agrees with itself, and the signatures are genuine.
What tells is a witness, the public folder, and any evidence file that somebody kept.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from audit.checkpoint import verify_checkpoint
from audit.cosignature import read_cosignatures
from audit.cosigning import Cosigning
from audit.entry import Draft
from audit.errors import IntegrityHalt, MalformedNote
from audit.merkle import verify_consistency
from audit.note import parse_note
from audit.proof import Evidence, TlogProof
from audit.publish import Publisher
from audit.verify import verify_evidence
from tests.oracles.forgers import Forger
from tests.oracles.witnesses import Running, started
from workers.witnesses import HttpWitness

SIZE = 300
SAID, FORGED = b'"actor":"anna"', b'"actor":"nobody"'


@dataclass
class Scene:
    """A log of some age, cosigned and published; an applicant has kept the evidence of entry 7."""

    rig: Any
    witness: Running
    publisher: Publisher
    forger: Forger
    kept: bytes = b""

    def cosign(self) -> bool:
        """What a new integrator asks the witness before it signs anything."""
        return self.cosign_by(self.witness)

    def cosign_by(self, witness: Running) -> bool:
        rig = self.rig
        client, verifiers = HttpWitness(witness.url), [rig.signer.verifier]
        signers = [rig.signer]
        pool = rig.integrator_pool
        return Cosigning(pool, client, witness.key, rig.origin, verifiers, signers=signers).step()

    def refused(self) -> list[dict[str, Any]]:
        return self.witness.get("/state?refused=9").json()["refused"]

    def append(self, count: int) -> None:
        drafts = [Draft(type="log.tested", actor="anna", body={"n": n}) for n in range(count)]
        self.rig.log.append(drafts, self.rig.now)
        while self.rig.integrator.step(self.rig.now):
            pass

    def restart(self) -> int:
        """What a new integrator finds in the database alone: nothing wrong."""
        assert self.rig.fsck().problems == ()
        self.rig.integrator = self.rig.another_integrator()
        return self.rig.integrator.verify_edge()

    def rewind(self, size: int) -> None:
        """Put the log back to a size, and sign that."""
        self.rig.tamper(
            "insert into audit.checkpoint (tree_size, root, note, signed_at) "
            f"select {size}, root, note, signed_at from audit.checkpoint order by tree_size desc limit 1"
        )
        self.forger.cut(size)


@pytest.fixture
def scene(rig, tmp_path: Path) -> Iterator[Scene]:
    forger = Forger(rig.database.admin_url, rig.signer)
    publisher = Publisher(rig.integrator_pool, tmp_path / "public", rig.origin, [rig.signer.verifier])
    with started(tmp_path / "witness.sqlite", [rig.signer.verifier.vkey]) as witness:
        made = Scene(rig, witness, publisher, forger)
        made.append(SIZE)
        assert made.cosign()
        assert publisher.step()
        made.kept = rig.log.evidence(rig.log.entry_at(7).entry.entry_id).to_bytes()
        yield made


def test_an_entry_rewritten_and_everything_signed_again(scene: Scene) -> None:
    honest = scene.rig.log.newest_checkpoint()
    scene.forger.rewrite(7, SAID, FORGED)
    assert scene.restart() == SIZE
    with pytest.raises(IntegrityHalt, match="another history") as caught:
        scene.cosign()
    assert scene.witness.key.key_id in str(caught.value)
    (refused,) = scene.refused()
    assert (refused["kind"], refused["tree_size"]) == ("fork", SIZE)
    forged = scene.rig.log.newest_checkpoint()
    assert parse_note(refused["note"]).text == parse_note(forged.note).text
    assert parse_note(refused["against"]).text == parse_note(honest.note).text
    for name in ("note", "against"):
        verify_checkpoint(refused[name], [scene.rig.signer.verifier])
    with pytest.raises(IntegrityHalt, match="history was rewritten"):
        scene.publisher.step()


def test_an_evidence_file_kept_outside_contradicts_the_rewritten_log(scene: Scene) -> None:
    scene.append(50)
    scene.forger.rewrite(7, SAID, FORGED)
    assert scene.restart() == SIZE + 50
    proved = verify_evidence(scene.kept, scene.rig.vkeys)
    assert proved.entry.actor == "anna", "the file proves what was once said"
    now = scene.rig.log.newest_checkpoint()
    path = scene.rig.log.consistency_path(proved.tree_size, now.tree_size)
    assert not verify_consistency(proved.tree_size, now.tree_size, proved.root, now.root, path)
    note = TlogProof.parse(Evidence.parse(scene.kept).tlog_proof).checkpoint
    assert len(read_cosignatures(note, [scene.witness.key])) == 1, "and a witness stands for it"


@pytest.mark.parametrize("forgets", [False, True])
@pytest.mark.parametrize("index", [0, 299])
def test_a_rewritten_log_that_grows_past_what_was_seen(scene: Scene, index: int, forgets: bool) -> None:
    scene.forger.rewrite(index, SAID, FORGED)
    if forgets:
        scene.forger.forget_cosignatures()
    assert scene.restart() == SIZE
    scene.append(10)
    assert scene.rig.fsck().passed
    with pytest.raises(IntegrityHalt, match="another history"):
        scene.cosign()
    (refused,) = scene.refused()
    assert (refused["kind"], refused["tree_size"], refused["resolved"]) == ("unproved", SIZE + 10, False)
    with pytest.raises(IntegrityHalt, match="history was rewritten"):
        scene.publisher.step()


@pytest.mark.parametrize("size", [100, 256, 299])
def test_a_backup_put_back(scene: Scene, size: int) -> None:
    scene.rewind(size)
    assert scene.restart() == size
    with pytest.raises(IntegrityHalt, match=f"a tree of {SIZE}, the database has one of {size}"):
        scene.cosign()
    with pytest.raises(IntegrityHalt, match="put back"):
        scene.publisher.step()


def test_a_backup_put_back_that_grows_to_the_same_size(scene: Scene) -> None:
    """Two histories, each in itself without fault: the fork is proved by two notes of one size."""
    scene.rewind(290)
    assert scene.restart() == 290
    scene.append(10)
    assert scene.rig.fsck().passed
    assert scene.rig.log.newest_checkpoint().tree_size == SIZE
    with pytest.raises(IntegrityHalt, match="another history"):
        scene.cosign()
    assert [refused["kind"] for refused in scene.refused()] == ["fork"]
    with pytest.raises(IntegrityHalt, match="history was rewritten"):
        scene.publisher.step()


def test_a_log_emptied(scene: Scene) -> None:
    tables = ("leaf", "tile", "checkpoint", "cosignature", "entry")
    scene.rig.tamper(";".join(f"delete from audit.{table}" for table in tables))
    assert scene.restart() == 0
    with pytest.raises(IntegrityHalt, match="it was emptied"):
        scene.cosign()
    with pytest.raises(IntegrityHalt, match="put back"):
        scene.publisher.step()
    scene.append(3)
    with pytest.raises(IntegrityHalt, match="put back"):
        scene.cosign()


def test_two_histories_shown_to_two_witnesses(scene: Scene, tmp_path: Path) -> None:
    """A split view: whoever compares the two witnesses has two notes of one size."""
    scene.forger.rewrite(7, SAID, FORGED)
    scene.forger.forget_cosignatures()
    with started(tmp_path / "second.sqlite", [scene.rig.signer.verifier.vkey]) as second:
        assert scene.cosign_by(second), "who saw nothing before cannot know"
        shown = [running.get("/state").json()["logs"][0] for running in (scene.witness, second)]
    assert {log["tree_size"] for log in shown} == {SIZE}
    assert len({log["root"] for log in shown}) == 2
    with pytest.raises(IntegrityHalt, match="another history"):
        scene.cosign()


def test_a_cosignature_cannot_be_made_up(scene: Scene) -> None:
    """A line that is written into the database for another tree is refused by who knows the witness's key."""
    scene.append(1)
    scene.rig.tamper(
        "insert into audit.cosignature (tree_size, key_id, line, cosigned_at) "
        f"select {SIZE + 1}, key_id, line, cosigned_at from audit.cosignature"
    )
    note = scene.rig.log.newest_checkpoint().note
    with pytest.raises(MalformedNote, match="signature of witness"):
        read_cosignatures(note, [scene.witness.key])
