"""The schema of a skops file: a tree of typed nodes, looked at one by one and written anew.

skops builds objects by the names in this tree. Which names are looked at at all is decided by the reader of
each estimator; what is not asked for is never built. Two readers must see the same thing, so a name given
twice, and two different nodes under one identity (skops would take the first for both), are refused.
"""

from __future__ import annotations

import json

import numpy as np
from numpy.typing import NDArray

from explain.errors import ModelCorrupt, ModelUnsupported
from explain.models.sklearn_archive import SCHEMA, Archive

Node = dict[str, object]
Scalar = str | int | float | bool | None

PROTOCOLS = (0, 1, 2)
CONTAINER_LIMIT = 400_000  # lists and objects of the JSON text: a second's work
VALUE_LIMIT = 5_000_000
DEPTH_LIMIT = 48  # of JSON; real files have half of it
TEXT_LIMIT = 10_000
_NUMBER_CLASSES = frozenset({"int64", "int32", "uint64", "uint8", "float64", "float32", "bool", "bool_"})
_PLAIN = ("JsonNode", "TypeNode")


class Schema:
    """The checked JSON of a skops file and the arrays it names; `installed` is the library's version here."""

    def __init__(self, archive: Archive, installed: str) -> None:
        self.archive = archive
        self.installed = installed
        self.root = _read(archive.read(SCHEMA))
        protocol = self.root.get("protocol")
        if isinstance(protocol, bool) or protocol not in PROTOCOLS:
            raise ModelUnsupported(f"skops protocol {str(protocol)[:20]}")
        self._shared = _shared(self.root)

    def loader(self, node: object) -> str:
        """Return how a node is to be built; a node of several appearances must always be the same."""
        if not isinstance(node, dict) or not isinstance(node.get("__loader__"), str):
            raise ModelCorrupt("a node of the schema has no loader")
        identity = node.get("__id__")
        if isinstance(identity, int) and identity in self._shared:
            first, *others = self._shared.pop(identity)
            if not all(_same(first, other) for other in others):
                raise ModelCorrupt("two different nodes of the schema have one identity")
        return str(node["__loader__"])

    def class_of(self, node: object) -> tuple[str, str]:
        """Return module and name of the class that an object node names."""
        if self.loader(node) != "ObjectNode":
            raise ModelUnsupported(f"a {self.loader(node)} where an object is expected")
        return _names(node)

    def names(self, node: object) -> tuple[str, str]:
        """Return module and name of the class that any node names."""
        return _names(node)

    def arguments(self, node: object) -> list[object]:
        """Return the arguments that an object is made with."""
        return self.items(_part(_part(node, "__reduce__"), "args"))

    def attributes(self, node: object) -> dict[str, object]:
        """Return the attributes of an object node."""
        return self.members(_part(node, "content"))

    def members(self, node: object) -> dict[str, object]:
        """Return the members of a dictionary whose keys are all text."""
        if self.loader(node) != "DictNode" or _names(node) != ("builtins", "dict"):
            raise ModelCorrupt("the schema has something else where a dictionary is expected")
        content = _part(node, "content")
        keys = self.items(_part(node, "key_types"))
        if not isinstance(content, dict) or len(keys) != len(content):
            raise ModelCorrupt("a dictionary of the schema does not fit its keys")
        for key in keys:
            if self.loader(key) != "TypeNode" or _names(key) != ("builtins", "str"):
                raise ModelUnsupported("a dictionary with keys other than text")
        return content

    def items(self, node: object) -> list[object]:
        """Return the items of a list or tuple node."""
        if self.loader(node) not in ("ListNode", "TupleNode") or _names(node)[0] != "builtins":
            raise ModelCorrupt("the schema has something else where a list is expected")
        return _list(node)

    def is_scalar(self, node: object) -> bool:
        """Tell whether a node is a plain value; what else it may be is not looked at."""
        return _part(node, "__loader__") == "JsonNode"

    def scalar(self, node: object, where: str) -> Scalar:
        """Return a plain value: text, a number, true, false or null."""
        if self.loader(node) == "NdArrayNode":
            return self._number(node, where)
        content = _part(node, "content")
        if self.loader(node) != "JsonNode" or not isinstance(content, str) or len(content) > TEXT_LIMIT:
            raise ModelCorrupt(f"{where} is not a plain value")
        try:
            value = json.loads(content)
        except (ValueError, RecursionError):
            raise ModelCorrupt(f"{where} is not valid JSON") from None
        if isinstance(value, list | dict):
            raise ModelCorrupt(f"{where} is not a plain value")
        return value if value is None else _scalar(value)

    def _number(self, node: object, where: str) -> Scalar:
        """Return a numpy scalar, which skops stores as an array without dimensions."""
        if _names(node)[0] != "numpy" or _names(node)[1] not in _NUMBER_CLASSES:
            raise ModelCorrupt(f"{where} is not a number")
        array = self._stored(node, where)
        if array.shape != () or array.dtype.kind not in "iufb":
            raise ModelCorrupt(f"{where} is not a number")
        return _scalar(array.item())

    def count(self, node: object, where: str) -> int:
        """Return a plain value that is a non-negative integer."""
        value = self.scalar(node, where)
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < 2**31:
            raise ModelCorrupt(f"{where} is not a count: {str(value)[:40]!r}")
        return value

    def array(self, node: object, where: str) -> NDArray[np.generic]:
        """Return an array of numbers, records or text of fixed length."""
        if self.loader(node) != "NdArrayNode" or _names(node) != ("numpy", "ndarray"):
            raise ModelCorrupt(f"{where} is not an array")
        return self._stored(node, where)

    def _stored(self, node: object, where: str) -> NDArray[np.generic]:
        return self.archive.array(self.file(node, where))

    def file(self, node: object, where: str) -> str:
        """Return the member that holds a stored array; skops names it after the node's identity."""
        name, identity = _part(node, "file"), _part(node, "__id__")
        if _part(node, "type") != "numpy" or not isinstance(name, str):
            raise ModelCorrupt(f"{where} is not a stored array")
        if identity is not None and name != f"{identity}.npy":
            raise ModelCorrupt(f"{where} is stored under another identity")
        return name

    def objects(self, node: object, where: str) -> tuple[list[object], tuple[int, ...]]:
        """Return the items (rows as they stand in the file) and the shape of an array of objects."""
        if self.loader(node) != "NdArrayNode" or _names(node) != ("numpy", "ndarray"):
            raise ModelCorrupt(f"{where} is not an array")
        if _part(node, "type") != "json":
            raise ModelCorrupt(f"{where} is not an array of objects")
        shape = tuple(self.count(size, where) for size in self.items(_part(node, "shape")))
        items = _list(node)
        if not shape or len(items) != shape[0]:
            raise ModelCorrupt(f"{where} has {len(items)} items for the shape {shape}")
        return items, shape

    def labels(self, node: object, where: str) -> tuple[Scalar, ...]:
        """Return a vector of plain values, stored as numbers, as text of fixed length or as objects."""
        if _part(node, "type") == "json":
            items, shape = self.objects(node, where)
            if len(shape) != 1:
                raise ModelCorrupt(f"{where} is not a vector")
            return tuple(self.scalar(item, where) for item in items)
        array = self.array(node, where)
        if array.ndim != 1 or array.dtype.kind not in "iufbU":
            raise ModelCorrupt(f"{where} is not a vector of plain values")
        return tuple(_scalar(value) for value in array.tolist())


def words(text: str) -> frozenset[str]:
    """Return the names in a line of text."""
    return frozenset(text.split())


def _read(raw: bytes) -> Node:
    """Parse the JSON text, after counting what it would become."""
    if raw.count(b"{") + raw.count(b"[") > CONTAINER_LIMIT or raw.count(b",") > VALUE_LIMIT:
        raise ModelUnsupported(f"a schema of more than {CONTAINER_LIMIT} nodes")
    try:
        document = json.loads(raw.decode("utf-8"), object_pairs_hook=_unique)
    except RecursionError:
        raise ModelCorrupt("the schema is nested too deeply") from None
    except ValueError as fault:  # undecodable text, broken JSON, integers of thousands of digits
        raise ModelCorrupt(f"the schema is not valid JSON: {fault}") from None
    if not isinstance(document, dict):
        raise ModelCorrupt("the schema is not an object")
    return document


def _shared(root: Node) -> dict[int, list[Node]]:
    """Return the nodes of each identity that several containers have; plain nodes are compared at once."""
    first: dict[object, Node] = {}
    shared: dict[int, list[Node]] = {}
    level: list[object] = [root]
    for _ in range(DEPTH_LIMIT):
        below: list[object] = []
        for value in level:
            if isinstance(value, dict):
                if "__id__" in value:
                    _enter(value, first, shared)
                below += [one for one in value.values() if isinstance(one, dict | list)]
            elif isinstance(value, list):
                below += [one for one in value if isinstance(one, dict | list)]
        if not below:
            return shared
        level = below
    raise ModelCorrupt("the schema is nested too deeply")


def _enter(node: Node, first: dict[object, Node], shared: dict[int, list[Node]]) -> None:
    """Compare a plain node with the first of its identity; note any other for when it is read."""
    identity = node["__id__"]
    if type(identity) is not int:
        raise ModelCorrupt("a node of the schema has an identity that is no integer")
    other = first.setdefault(identity, node)
    if other is node:
        return
    if node.get("__loader__") not in _PLAIN and other.get("__loader__") not in _PLAIN:
        shared.setdefault(identity, [other]).append(node)
    elif node != other:
        raise ModelCorrupt("two different nodes of the schema have one identity")


def _unique(pairs: list[tuple[str, object]]) -> Node:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ModelCorrupt("an object of the schema has the same member twice")
    return members


def _same(one: object, other: object) -> bool:
    """Compare two nodes in everything but identities: what skops makes anew for each visit has a new one."""
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(
            name == "__id__" or _same(value, other[name]) for name, value in one.items()
        )
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(_same(a, b) for a, b in zip(one, other, strict=True))
    return type(one) is type(other) and one == other


def _part(node: object, name: str) -> object:
    if not isinstance(node, dict):
        raise ModelCorrupt("a node of the schema is no object")
    return node.get(name)


def _names(node: object) -> tuple[str, str]:
    module, name = _part(node, "__module__"), _part(node, "__class__")
    if not isinstance(module, str) or not isinstance(name, str):
        raise ModelCorrupt("a node of the schema names no class")
    return module[:200], name[:200]


def _list(node: object) -> list[object]:
    content = _part(node, "content")
    if not isinstance(content, list):
        raise ModelCorrupt("a list of the schema has no items")
    return content


def _scalar(value: object) -> Scalar:
    if isinstance(value, str | int | float | bool):
        return value
    raise ModelCorrupt("the schema has something else where a plain value is expected")
