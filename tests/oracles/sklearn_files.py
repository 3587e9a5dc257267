"""Taking skops files apart and putting them together again, damaged."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np


@dataclass
class Opened:
    """A skops file in pieces: its schema as plain values, its arrays as bytes."""

    schema: dict
    members: dict[str, bytes]

    def packed(self, compression: int = zipfile.ZIP_STORED) -> bytes:
        return packed({**self.members, "schema.json": json.dumps(self.schema).encode()}, compression)

    def attributes(self, node: dict | None = None) -> dict:
        """The attributes of an object node, the root's where none is given."""
        return (self.schema if node is None else node)["content"]["content"]

    def nodes(self) -> Iterator[dict]:
        """All typed nodes of the schema."""
        waiting: list = [self.schema]
        while waiting:
            value = waiting.pop()
            waiting += value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
            if isinstance(value, dict) and "__loader__" in value:
                yield value

    def trees(self) -> list[dict]:
        """The attributes of every tree or predictor, first tree first."""
        root = self.attributes()
        if "tree_" in root:
            return [self.attributes(root["tree_"])]
        if "_predictors" in root:
            rounds = root["_predictors"]["content"]
            return [self.attributes(one) for row in rounds for one in row["content"]]
        rows = root["estimators_"]["content"]
        groups = [row["content"] if row["__loader__"] == "ListNode" else [row] for row in rows]
        return [self.attributes(self.attributes(one)["tree_"]) for group in groups for one in group]

    def array(self, node: dict) -> np.ndarray:
        return np.load(io.BytesIO(self.members[node["file"]]))

    def replace(self, node: dict, array: np.ndarray) -> None:
        self.members[node["file"]] = stored(array)

    def set_field(self, name: str, position: int, value: float, tree: int = 0) -> None:
        """Change one field of one node of one tree."""
        node = self.trees()[tree]["nodes"]
        records = self.array(node)
        records[name][position] = value
        self.replace(node, records)


def opened(artifact: bytes) -> Opened:
    with zipfile.ZipFile(io.BytesIO(artifact)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    return Opened(json.loads(members.pop("schema.json")), members)


def packed(members: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def stored(array: np.ndarray) -> bytes:
    """An array as numpy writes it."""
    buffer = io.BytesIO()
    np.save(buffer, array, allow_pickle=False)
    return buffer.getvalue()


def with_header(text: str, content: bytes = b"") -> bytes:
    """An array file whose header says what it likes."""
    padded = text.encode("latin-1") + b" " * (-(len(text) + 11) % 64) + b"\n"
    return b"\x93NUMPY\x01\x00" + len(padded).to_bytes(2, "little") + padded + content


def plain(value: object) -> dict:
    """A plain value's node."""
    return {
        "__class__": "str",
        "__module__": "builtins",
        "__loader__": "JsonNode",
        "content": json.dumps(value),
        "is_json": True,
    }
