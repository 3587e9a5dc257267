"""Hostile zip files and schemas end in a named error, soon and in little memory."""

from __future__ import annotations

import resource
import time
import zipfile
from collections.abc import Iterator

import numpy as np
import pytest
from sklearn.ensemble import RandomForestClassifier

from explain.errors import ModelCorrupt, ModelUnsupported
from explain.features import FeatureSpace
from explain.models import load_model, sklearn
from explain.models.sklearn_archive import read_array
from tests.oracles.sklearn_files import opened, packed, stored, with_header
from tests.oracles.sklearn_models import train

SECONDS = 2.0  # of processor time, making the file included; refusing it takes less than half
MEBIBYTES = 400


@pytest.fixture(scope="module")
def forest() -> tuple[bytes, FeatureSpace]:
    made = train(RandomForestClassifier(n_estimators=2, max_depth=3, random_state=0))
    return made.artifact, made.space


@pytest.fixture(autouse=True)
def soon_and_small() -> Iterator[None]:
    """Whatever a test does with a hostile file, it takes little time and memory."""
    peak_before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started = time.process_time()
    yield
    assert time.process_time() - started < SECONDS
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - peak_before < MEBIBYTES << 10


@pytest.fixture(autouse=True)
def no_native_loader(monkeypatch: pytest.MonkeyPatch) -> None:
    class Reached(Exception):
        """Our check has let a file through."""

    def refuse(*_: object) -> None:
        raise Reached

    monkeypatch.setattr(sklearn, "NativeEstimator", refuse)


@pytest.mark.parametrize("artifact", [b"", b"{", b"\x80\x04pickle", b"tree\n", b"PK\x05\x06" + b"\0" * 18])
def test_other_formats_are_refused(forest: tuple, artifact: bytes) -> None:
    with pytest.raises(ModelUnsupported, match="format other than skops"):
        load_model("sklearn", artifact, forest[1])


SCHEMAS = {
    "deep": (b'{"a":' + b"[" * 100_000, ModelCorrupt),
    "deeper": (b'{"protocol":2,"a":' + b"[" * 300 + b"]" * 300 + b"}", ModelCorrupt),
    "many nodes": (b"[" + b"{}," * 600_000 + b"{}]", ModelUnsupported),
    "many values": (b"[" + b"1," * 6_000_000 + b"1]", ModelUnsupported),
    "repeated member": (b'{"protocol":2,"protocol":1}', ModelCorrupt),
    "long integer": (b'{"protocol":' + b"9" * 5000 + b"}", ModelCorrupt),
    "not UTF-8": (b'{"\xff":1}', ModelCorrupt),
    "no object": (b"[]", ModelCorrupt),
    "no protocol": (b"{}", ModelUnsupported),
    "no nodes": (b'{"protocol":2}', ModelCorrupt),
    "identity": (b'{"protocol":2,"__loader__":"ObjectNode","__id__":"1"}', ModelCorrupt),
}


@pytest.mark.parametrize("name", SCHEMAS)
def test_hostile_schemas_are_refused(forest: tuple, name: str) -> None:
    schema, error = SCHEMAS[name]
    artifact = packed({"schema.json": schema}, zipfile.ZIP_DEFLATED)
    with pytest.raises((error, ModelCorrupt)):
        load_model("sklearn", artifact, forest[1])


def test_a_zip_bomb_is_not_unpacked(forest: tuple) -> None:
    members = {"schema.json": b"{}", "1.npy": b"\0" * (64 << 20)}
    artifact = packed(members, zipfile.ZIP_DEFLATED)
    assert len(artifact) < 1 << 20
    with pytest.raises(ModelCorrupt, match="would unpack to 67108866"):
        load_model("sklearn", artifact, forest[1])


def test_a_member_that_lies_about_its_size_is_refused(forest: tuple) -> None:
    artifact = bytearray(packed({"schema.json": b" " * (4 << 20)}, zipfile.ZIP_DEFLATED))
    entry = artifact.rindex(b"PK\x01\x02")
    artifact[entry + 24 : entry + 28] = (100).to_bytes(4, "little")
    with pytest.raises(ModelCorrupt):
        load_model("sklearn", bytes(artifact), forest[1])


def test_a_directory_of_a_million_entries_is_not_read(forest: tuple) -> None:
    entry = b"PK\x01\x02" + b"\0" * 42
    directory = entry * 1_000_000
    end = b"PK\x05\x06" + b"\0" * 4 + (1).to_bytes(2, "little") * 2
    end += len(directory).to_bytes(4, "little") + (4).to_bytes(4, "little") + b"\0\0"
    with pytest.raises(ModelCorrupt, match="directory is larger"):
        load_model("sklearn", b"PK\x03\x04" + directory + end, forest[1])


def test_other_ways_of_packing_are_refused(forest: tuple) -> None:
    artifact, space = forest
    with pytest.raises(ModelUnsupported, match="other means than deflate"):
        load_model("sklearn", opened(artifact).packed(zipfile.ZIP_BZIP2), space)
    with pytest.raises(ModelUnsupported, match=r"without schema\.json"):
        load_model("sklearn", packed({"1.npy": b""}), space)


def test_the_largest_schema_that_is_read_is_refused_in_time(forest: tuple) -> None:
    """What lies just below the limits is parsed and walked: that must be bearable too."""
    node = b'{"__id__":1,"__loader__":"JsonNode","__module__":"a","__class__":"b","content":"1"},'
    schema = b'{"protocol":2,"content":[' + node * 240_000 + b'0],"__loader__":"ListNode"}'
    artifact = packed({"schema.json": schema})
    with pytest.raises(ModelUnsupported, match="a file of a ListNode"):
        load_model("sklearn", artifact, forest[1])


def test_one_large_array_that_many_trees_name_is_not_read_for_each(forest: tuple) -> None:
    file = opened(forest[0])
    tree = file.trees()[0]
    nodes, values = file.array(tree["nodes"]), file.array(tree["values"])
    file.replace(tree["nodes"], np.tile(nodes, 3000))
    file.replace(tree["values"], np.tile(values, (3000, 1, 1)))
    tree["node_count"]["content"] = str(3000 * len(nodes))
    del tree["node_count"]["__id__"]
    trees = file.attributes()["estimators_"]["content"]
    file.attributes()["estimators_"]["content"] = [trees[0]] * 1500
    with pytest.raises(ModelCorrupt, match="the same arrays again and again"):
        load_model("sklearn", file.packed(), forest[1])


def test_many_appearances_of_one_node_are_compared_once(forest: tuple) -> None:
    file = opened(forest[0])
    trees = file.attributes()["estimators_"]["content"]
    file.attributes()["estimators_"]["content"] = [trees[0]] * 1500 + [
        trees[1] | {"__id__": trees[0]["__id__"]}
    ]
    with pytest.raises(ModelCorrupt, match="one identity"):
        load_model("sklearn", file.packed(), forest[1])


HEADERS = {
    "dimensions": "{'descr': '<f8', 'fortran_order': False, 'shape': (0, 1, 1, 1), }",
    "columns first": "{'descr': '<f8', 'fortran_order': True, 'shape': (0, 1), }",
    "references": "{'descr': [('a', '|O')], 'fortran_order': False, 'shape': (0,), }",
    "text without end": "{'descr': '<U0', 'fortran_order': False, 'shape': (1000000000,), }",
    "big-endian": "{'descr': '>f8', 'fortran_order': False, 'shape': (0,), }",
    "times": "{'descr': '<M8', 'fortran_order': False, 'shape': (0,), }",
    "negative": "{'descr': '<f8', 'fortran_order': False, 'shape': (-1,), }",
    "long number": "{'descr': '<f8', 'fortran_order': False, 'shape': (" + "9" * 5000 + ",), }",
}


@pytest.mark.parametrize("name", HEADERS)
def test_array_headers_are_matched_not_evaluated(name: str) -> None:
    with pytest.raises((ModelUnsupported, ModelCorrupt)):
        read_array(with_header(HEADERS[name]), "1.npy")


@pytest.mark.parametrize("bits", [b"\2", b"\xff"])
def test_flags_are_true_or_false(bits: bytes) -> None:
    raw = with_header("{'descr': '|b1', 'fortran_order': False, 'shape': (1,), }", bits)
    with pytest.raises(ModelCorrupt, match="other than true and false"):
        read_array(raw, "1.npy")


def test_text_is_text() -> None:
    raw = with_header("{'descr': '<U1', 'fortran_order': False, 'shape': (1,), }", b"\xff" * 4)
    with pytest.raises(ModelCorrupt, match="other than text"):
        read_array(raw, "1.npy")


def test_plain_arrays_are_read() -> None:
    for array in (np.arange(6.0).reshape(1, 2, 3), np.array(["no", "yes"]), np.array(3), np.zeros((0, 8))):
        assert np.array_equal(read_array(stored(array), "1.npy"), array)
