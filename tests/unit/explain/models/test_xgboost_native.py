"""The door to the native library: its own words, its own bits, and nothing left changed behind it."""

from __future__ import annotations

import gc
import json
import subprocess
import sys
import weakref
from pathlib import Path

import numpy as np
import pytest
import xgboost as xgb

from explain.errors import ModelCorrupt
from explain.models import load_model
from explain.models.xgboost_native import NativeBooster, sigmoid
from tests.oracles.boosters import train

ROOT = Path(__file__).resolve().parents[4]
FORKED = """
import os, sys
import numpy as np
from explain.models.xgboost_native import NativeBooster
in_place, outputs, artifact = sys.argv[1] == "True", int(sys.argv[2]), sys.stdin.buffer.read()
booster = NativeBooster(artifact, 0, outputs, in_place=in_place)
rows = np.arange(12.0).reshape(4, 3)
before = booster.margins(rows).tobytes()
child = os.fork()
if not child:
    os._exit(0 if booster.margins(rows).tobytes() == before else 1)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


def test_a_refusal_says_why_and_not_where_in_the_librarys_source() -> None:
    trained = train(("q", "q"), rounds=2, max_depth=2)
    document = trained.document()
    document["version"] = "x"
    with pytest.raises(ModelCorrupt, match=r"native library refused it: [^/]+$"):
        load_model("xgboost", json.dumps(document).encode(), trained.space)


def test_the_logistic_score_is_the_librarys_to_the_bit() -> None:
    labels = np.arange(4) % 2
    bare = xgb.train({"objective": "binary:logistic"}, xgb.DMatrix(np.zeros((4, 1)), label=labels), 0)
    margins = np.concatenate(
        [
            np.linspace(-110, 110, 20_001),
            np.random.default_rng(0).normal(0, 3, 20_000),
            [1e-30, -0.0, 3e38, -3e38],
        ]
    ).astype(np.float32)
    matrix = xgb.DMatrix(np.zeros((len(margins), 1)), base_margin=margins, nthread=1)
    expected = bare.predict(matrix)
    assert bare.predict(matrix, output_margin=True).tolist() == margins.tolist()
    assert [sigmoid(margin) for margin in margins.tolist()] == expected.tolist()


@pytest.mark.parametrize("in_place", [True, False])
def test_it_goes_with_its_last_owner_and_not_with_the_collector(in_place: bool) -> None:
    """What is in memory when the service is warm is out of the collector's sight."""
    booster = NativeBooster(train(("q", "q"), rounds=2).artifact(), 0, 1, in_place=in_place)
    known = weakref.ref(booster)
    gc.disable()
    try:
        del booster
        assert known() is None
    finally:
        gc.enable()


def test_few_rows_of_a_logistic_model_take_one_native_call(monkeypatch: pytest.MonkeyPatch) -> None:
    trained = train(("q", "q"), rounds=2)
    model = trained.model()
    expected = trained.native(trained.rows[:8], margin=False).tolist()

    def refuse(*_: object) -> None:
        raise AssertionError("a second native call")

    monkeypatch.setattr(NativeBooster, "scores", refuse)
    assert model.predict(trained.rows[:8]).scores.tolist() == expected


def test_loading_and_predicting_say_nothing_and_leave_the_verbosity_as_it_was(
    capfd: pytest.CaptureFixture[str],
) -> None:
    trained = train(("q", "q"), booster="gblinear")
    artifact, before = trained.artifact(), xgb.get_config()
    capfd.readouterr()
    model = load_model("xgboost", artifact, trained.space)  # a warning would be an error here
    model.predict(trained.rows)
    assert capfd.readouterr() == ("", "")
    assert xgb.get_config() == before


@pytest.mark.parametrize(
    ("in_place", "parameters"),
    [
        (True, {}),
        (False, {"booster": "gblinear"}),
        (True, {"objective": "multi:softprob", "outputs": 3}),
    ],
)
def test_a_forked_child_gives_the_same_bytes(in_place: bool, parameters: dict) -> None:
    trained = train(("q",) * 3, rounds=3, **parameters)
    outputs = parameters.get("outputs", 1)
    command = [sys.executable, "-W", "ignore", "-c", FORKED, str(in_place), str(outputs)]
    done = subprocess.run(command, input=trained.artifact(), cwd=ROOT, timeout=60, check=False)
    assert done.returncode == 0
