"""What is shown of a busy log carries a cosignature: the newest checkpoint hardly ever has one."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from audit import publish
from audit.checkpoint import read_checkpoint
from audit.cosignature import Cosigner, read_cosignatures
from audit.database import session
from audit.entry import Draft
from audit.errors import IntegrityHalt
from audit.publish import Publisher
from audit.queries import LOG
from audit.tree import checkpoint_to_show
from tests.oracles.followers import Follower, published

FIRST = Cosigner("first.example/w", bytes(range(40, 72)))
SECOND = Cosigner("second.example/w", bytes(range(50, 82)))
Grow = Callable[..., None]


@pytest.fixture
def grow(rig: Any) -> Grow:
    """Let the log grow, and be cosigned by these where it stands then."""

    def work(count: int, *cosigners: Cosigner, seconds: float = 0.0) -> None:
        now = rig.now + timedelta(seconds=seconds)
        rig.log.append([Draft(type="log.tested", actor="test", body={"n": n}) for n in range(count)], now)
        rig.integrator.step(now)
        for cosigner in cosigners:
            cosign(rig, cosigner)

    return work


def cosign(rig: Any, cosigner: Cosigner, text: str = "") -> None:
    newest = rig.log.newest_checkpoint()
    line = cosigner.cosign(text or newest.note.partition("\n\n")[0] + "\n", rig.now)
    row = {"tree_size": newest.tree_size, "key_id": cosigner.key.key_id, "line": line, "cosigned_at": rig.now}
    with session(rig.integrator_pool) as connection:
        connection.execute(LOG["keep_cosignature"], row)


@pytest.fixture
def publisher(rig: Any, tmp_path: Path) -> Publisher:
    keys = [FIRST.key, SECOND.key]
    return Publisher(rig.integrator_pool, tmp_path, rig.origin, [rig.signer.verifier], witnesses=keys)


def public(folder: Path) -> tuple[int, int]:
    """The published size, and how many witnesses stand for it."""
    note = published(folder)
    if not note:
        return 0, 0
    return read_checkpoint(note).tree_size, len(read_cosignatures(note, [FIRST.key, SECOND.key]))


def test_a_busy_log_is_published_as_far_as_it_is_cosigned(
    rig: Any, publisher: Publisher, tmp_path: Path, grow: Grow
) -> None:
    assert not publisher.step()
    grow(3)
    assert not publisher.step(), "it waits for a witness"
    for size in (5, 7, 9):
        cosign(rig, FIRST)
        grow(2)
        assert publisher.step()
        assert public(tmp_path) == (size - 2, 1)
        assert not publisher.step()
        assert rig.log.newest_checkpoint().tree_size == size
    assert Follower(tmp_path, rig.signer.verifier.vkey).read()[0] == 7


def test_without_a_witness_it_is_published_some_seconds_later(
    rig: Any, publisher: Publisher, tmp_path: Path, grow: Grow, monkeypatch: pytest.MonkeyPatch
) -> None:
    grow(3, FIRST)
    assert publisher.step()
    grow(2)
    assert not publisher.step()
    monkeypatch.setattr(publish, "COSIGNATURE_TIME", timedelta())
    assert publisher.step()
    assert public(tmp_path) == (5, 0)
    cosign(rig, SECOND)
    assert publisher.step(), "and again as soon as it is cosigned"
    assert public(tmp_path) == (5, 1)
    cosign(rig, FIRST)
    assert publisher.step()
    assert public(tmp_path) == (5, 2)


def test_what_witnesses_said_is_not_taken_back(
    rig: Any, publisher: Publisher, tmp_path: Path, grow: Grow
) -> None:
    grow(3, FIRST, SECOND)
    assert publisher.step()
    rig.tamper("delete from audit.cosignature")
    assert not publisher.step()
    cosign(rig, FIRST)
    assert not publisher.step()
    assert public(tmp_path) == (3, 2)


def test_a_made_up_cosignature_is_not_published(
    rig: Any, publisher: Publisher, tmp_path: Path, grow: Grow
) -> None:
    grow(3)
    cosign(rig, FIRST, text=f"{rig.origin}\n4\nAAAA\n")
    with pytest.raises(IntegrityHalt, match="signature of first"):
        publisher.step()
    assert public(tmp_path) == (0, 0)


def test_the_service_shows_the_newest_cosigned_while_it_is_fresh(rig: Any, grow: Grow) -> None:
    def shown(seconds: float) -> tuple[int, int]:
        with session(rig.pool) as connection:
            checkpoint = checkpoint_to_show(connection, rig.now + timedelta(seconds=seconds))
        if checkpoint is None:
            return 0, 0
        return checkpoint.tree_size, len(read_cosignatures(checkpoint.note, [FIRST.key]))

    assert shown(0) == (0, 0)
    grow(3)
    assert shown(0) == (3, 0)
    cosign(rig, FIRST)
    assert shown(7200) == (3, 1), "nothing newer waits"
    grow(2, seconds=7200)
    assert shown(7209) == (3, 1)
    grow(2, seconds=7209)
    assert shown(7211) == (7, 0), "one has waited for longer than that"
    cosign(rig, FIRST)
    assert shown(7300) == (7, 1)
