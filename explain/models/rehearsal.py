"""Loading a model for the first time in a child process that may crash.

Our own check refuses every structure that is known to crash a native library; what is not known is met
here: the child has limits on memory and time, loads the artifact and predicts a few extreme rows. Only an
artifact that survives is loaded where others would suffer with it.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import numpy as np

from explain.errors import ExplainError, ModelCorrupt
from explain.features import LARGEST_FLOAT32, Feature, FeatureSpace
from explain.models import load_model

MEMORY_BYTES = 4 << 30
TIME_SECONDS = 60.0
REFUSED = 3  # the child's exit status when the artifact is refused in an orderly way
ROOT = Path(__file__).resolve().parents[2]


def rehearse(
    family: str,
    artifact: bytes,
    space: FeatureSpace,
    *,
    memory_bytes: int = MEMORY_BYTES,
    time_seconds: float = TIME_SECONDS,
) -> None:
    """Load and probe an artifact in a disposable child; ModelCorrupt if the child does not survive it.

    An orderly refusal (ModelUnsupported, ManifestContradiction and so on) is left to `load_model` to raise.
    """
    head = {
        "family": family,
        "memory_bytes": memory_bytes,
        "features": [asdict(feature) for feature in space.features],
        "float_width": space.float_width,
    }
    command = [sys.executable, "-m", "explain.models.rehearsal"]
    sent = json.dumps(head).encode() + b"\n" + artifact
    try:
        done = subprocess.run(  # noqa: S603  our own interpreter and module
            command, input=sent, capture_output=True, timeout=time_seconds, check=False, cwd=ROOT
        )
    except subprocess.TimeoutExpired:
        raise ModelCorrupt(f"loading it takes more than {time_seconds:g} seconds") from None
    if done.returncode < 0:
        raise ModelCorrupt(f"the native library crashed on it (signal {-done.returncode})")
    if done.returncode not in (0, REFUSED):
        raise ModelCorrupt("the native library could not load and run it")


def main() -> int:
    """Read a head line and an artifact from standard input, load it and predict."""
    head = json.loads(sys.stdin.buffer.readline())
    artifact = sys.stdin.buffer.read()
    resource.setrlimit(resource.RLIMIT_AS, (head["memory_bytes"], head["memory_bytes"]))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    features = tuple(
        Feature(**{**given, "categories": tuple(given["categories"])}) for given in head["features"]
    )
    space = FeatureSpace(features, head["float_width"])
    try:
        model = load_model(head["family"], artifact, space)
    except ExplainError:  # the parent meets it again, and raises it
        return REFUSED
    extremes = (np.nan, 0.0, -LARGEST_FLOAT32, LARGEST_FLOAT32)
    model.predict(np.array([[extreme] * len(features) for extreme in extremes]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
