"""Mutated artifacts through the whole examination: each ends in a named refusal, or is a sound model."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from explain.errors import ExplainError, ManifestContradiction, ModelCorrupt, ModelUnsupported
from registry.errors import RegistryError
from registry.examining import Examiner, Limits
from registry.manifests import ParsedManifest, parse_manifest

MEMORY_BYTES = 2 << 30
SECONDS = 20.0  # on the clock of a machine that does other things: alone, each takes one
Artifact = Callable[[bytes], bytes]


@pytest.fixture(scope="module")
def sound(example_upload: tuple[bytes, bytes]) -> dict[str, bytes]:
    """The specification's example in both of its spellings."""
    import xgboost  # noqa: PLC0415

    text = example_upload[0]
    booster = xgboost.Booster(model_file=bytearray(text))
    return {"json": text, "ubj": bytes(booster.save_raw("ubj"))}


def _edited(change: Callable[[dict[str, Any]], None]) -> Artifact:
    """Change the document's members: of its first tree, and of the whole."""

    def edit(artifact: bytes) -> bytes:
        document = json.loads(artifact)
        change(document)
        return json.dumps(document).encode()

    return edit


def _model(document: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = document["learner"]["gradient_booster"]["model"]
    return found


def _in_tree(name: str, at: int, value: object) -> Artifact:
    def change(document: dict[str, Any]) -> None:
        _model(document)["trees"][0][name][at] = value

    return _edited(change)


def _count_of_nodes(document: dict[str, Any]) -> None:
    _model(document)["trees"][0]["tree_param"]["num_nodes"] = str(10**9)


def _count_of_trees(document: dict[str, Any]) -> None:
    _model(document)["gbtree_model_param"]["num_trees"] = str(10**9)


def _two_parents(document: dict[str, Any]) -> None:
    tree = _model(document)["trees"][0]
    tree["right_children"][0] = tree["left_children"][0]


TEXT: dict[str, Artifact] = {
    "truncated": lambda artifact: artifact[: len(artifact) // 3],
    "one byte short": lambda artifact: artifact[:-1],
    "deep": lambda _: b'{"learner":' * 200_000,
    "deep arrays": lambda _: b'{"learner":' + b"[" * 1_000_000,
    "a cycle": _in_tree("left_children", 0, 0),
    "two parents": _edited(_two_parents),
    "a child out of range": _in_tree("right_children", 0, 2**31 - 1),
    "a negative child": _in_tree("left_children", 0, -7),
    "a feature out of range": _in_tree("split_indices", 0, 2**30),
    "an infinite leaf": _in_tree("split_conditions", -1, 1e300),
    "a leaf of text": _in_tree("split_conditions", -1, "x"),
    "a thousand million nodes": _edited(_count_of_nodes),
    "a thousand million trees": _edited(_count_of_trees),
    "a number of many digits": lambda artifact: artifact.replace(b":0", b":" + b"9" * 400_000, 1),
    "a repeated name": lambda artifact: artifact.replace(b'{"learner"', b'{"learner":{},"learner"', 1),
}
BINARY: dict[str, Artifact] = {
    "truncated": lambda artifact: artifact[: len(artifact) // 3],
    "one byte short": lambda artifact: artifact[:-1],
    "deep": lambda _: b"{L\x00\x00\x00\x00\x00\x00\x00\x07learner" * 200_000,
    "an array of 2^40": lambda artifact: artifact.replace(
        b"[$l#L" + bytes(7), b"[$l#L\x00\x01" + bytes(5), 1
    ),
    "an array of 10^9 and nothing in it": lambda _: b"{L" + bytes(7) + b"\x01a[$Z#l\x3b\x9a\xca\x00",
    "a negative length": lambda artifact: artifact.replace(b"#L" + bytes(7), b"#L" + b"\xff" * 7, 1),
}


class Examined:
    """One examiner for all, as a service has it."""

    def __init__(self, parsed: ParsedManifest, reference: bytes, cache_dir: Path) -> None:
        self._parsed, self._reference = parsed, reference
        limits = Limits(memory_bytes=MEMORY_BYTES, seconds=60.0)
        self._examiner = Examiner(cache_dir=cache_dir, limits=limits)

    def __call__(self, artifact: bytes) -> Exception | None:
        """Return the refusal, None for a model that passed; anything else raises."""
        started = time.monotonic()
        try:
            self._examiner.examine(self._parsed, artifact, self._reference, None)
        except (ExplainError, RegistryError) as refusal:
            assert time.monotonic() - started < SECONDS
            return refusal
        return None


@pytest.fixture(scope="module")
def examined(example_manifest: bytes, example_upload: tuple[bytes, bytes], cache_folder: Path) -> Examined:
    return Examined(parse_manifest(example_manifest), example_upload[1], cache_folder)


@pytest.mark.parametrize(
    ("spelling", "mutation"),
    [*(("json", name) for name in TEXT), *(("ubj", name) for name in BINARY)],
    ids=lambda value: value,
)
def test_a_hostile_artifact_is_refused_by_name(
    examined: Examined, sound: dict[str, bytes], spelling: str, mutation: str
) -> None:
    change = (TEXT if spelling == "json" else BINARY)[mutation]
    hostile = change(sound[spelling])
    assert hostile != sound[spelling]
    refusal = examined(hostile)
    assert isinstance(refusal, ModelCorrupt | ModelUnsupported), refusal
    # Our own check says what is wrong with it; no child had to die for that.
    assert not any(word in str(refusal) for word in ("crashed", "memory", "seconds", "examin"))


def test_the_next_registration_is_as_ever(examined: Examined, sound: dict[str, bytes]) -> None:
    assert [examined(artifact) for artifact in sound.values()] == [None, None]


def _flipped(artifact: bytes, seed: int) -> Iterator[bytes]:
    """Flip a few bits, put bytes in, take bytes out, copy a piece elsewhere: one of these each time."""
    random = np.random.default_rng(seed)
    while True:
        changed, kind = bytearray(artifact), int(random.integers(4))
        at, to = sorted(random.integers(len(changed), size=2).tolist())
        if kind == 0:
            for place in random.integers(len(changed), size=int(random.integers(1, 4))):
                changed[place] ^= 1 << int(random.integers(8))
        elif kind == 1:
            changed[at:at] = random.bytes(int(random.integers(1, 9)))
        elif kind == 2:
            del changed[at : min(to, at + int(random.integers(1, 2000)))]
        else:
            piece = changed[at : at + int(random.integers(1, 200))]
            changed[to : to + len(piece)] = piece
        yield bytes(changed)


def _harmless(refusal: Exception | None) -> bool:
    """A flip may leave a sound model, of another threshold; whatever is refused has one of these names."""
    return refusal is None or isinstance(refusal, ModelCorrupt | ModelUnsupported | ManifestContradiction)


@pytest.mark.parametrize("spelling", ["json", "ubj"])
def test_damaged_bytes_end_in_a_name(examined: Examined, sound: dict[str, bytes], spelling: str) -> None:
    damaged = _flipped(sound[spelling], seed=5)
    found = [examined(next(damaged)) for _ in range(6)]
    assert all(_harmless(refusal) for refusal in found), found


@pytest.mark.prove
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("spelling", ["json", "ubj"])
@pytest.mark.parametrize("seed", range(4))
def test_damaged_bytes_end_in_a_name_many_times(
    examined: Examined, sound: dict[str, bytes], spelling: str, seed: int
) -> None:
    damaged = _flipped(sound[spelling], seed=100 + seed)
    found = [examined(next(damaged)) for _ in range(150)]
    odd = [refusal for refusal in found if not _harmless(refusal)]
    assert odd == []
    crashed = [refusal for refusal in found if refusal is not None and "crashed" in str(refusal)]
    assert crashed == []
    assert examined(sound[spelling]) is None
