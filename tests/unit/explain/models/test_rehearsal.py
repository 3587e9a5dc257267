"""A crash while loading happens in a child and comes back as a named error."""

from __future__ import annotations

import json

import pytest

from explain.errors import ModelCorrupt
from explain.models import rehearsal
from explain.models.rehearsal import rehearse
from tests.oracles.boosters import train


def test_a_sound_artifact_survives() -> None:
    trained = train(("q", "c"), rounds=2)
    rehearse("xgboost", trained.artifact(), trained.space)


def test_an_orderly_refusal_is_left_to_the_loader() -> None:
    trained = train(("q", "q"), rounds=2)
    rehearse("xgboost", b"{", trained.space)


@pytest.mark.parametrize(
    ("program", "message"),
    [
        ("import os; os.kill(os.getpid(), 11)", "crashed on it .signal 11"),
        ("import time; time.sleep(60)", "more than 0.5 seconds"),
        ("raise MemoryError", "could not load and run"),
    ],
)
def test_a_child_that_dies_is_named(monkeypatch: pytest.MonkeyPatch, program: str, message: str) -> None:
    run = rehearsal.subprocess.run
    monkeypatch.setattr(
        rehearsal.subprocess, "run", lambda command, **options: run([command[0], "-c", program], **options)
    )
    trained = train(("q", "q"), rounds=1)
    with pytest.raises(ModelCorrupt, match=message):
        rehearse("xgboost", trained.artifact(), trained.space, time_seconds=0.5)


def test_memory_is_limited() -> None:
    trained = train(("q", "q"), rounds=2)
    document = trained.document()
    document["learner"]["attributes"] = {"padding": "x" * (96 << 20)}
    artifact = json.dumps(document).encode()
    with pytest.raises(ModelCorrupt, match=r"could not load and run|crashed"):
        rehearse("xgboost", artifact, trained.space, memory_bytes=200 << 20)
