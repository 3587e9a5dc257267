"""Writing a skops file anew: what has been checked, and nothing else, reaches the native library.

The arrays are the artifact's own bytes. Nodes carry no identities, so skops builds each where it stands.
"""

from __future__ import annotations

import json

from explain.models.sklearn_archive import SCHEMA, Archive, pack
from explain.models.sklearn_nodes import Node, Scalar

PROTOCOL = 2


def value_node(value: Scalar) -> Node:
    """A plain value."""
    return _node("JsonNode", "builtins.str", content=json.dumps(value), is_json=True)


def dictionary_node(members: dict[str, Node]) -> Node:
    """A dictionary with keys of text."""
    keys = [_node("TypeNode", "builtins.str") for _ in members]
    return _node("DictNode", "builtins.dict", content=members, key_types=list_node(keys))


def list_node(items: list[Node]) -> Node:
    """A list."""
    return _node("ListNode", "builtins.list", content=items)


def tuple_node(items: list[Node]) -> Node:
    """A tuple."""
    return _node("TupleNode", "builtins.tuple", content=items)


def array_node(file: str) -> Node:
    """An array that a member of the file holds."""
    return _node("NdArrayNode", "numpy.ndarray", type="numpy", file=file)


def objects_node(rows: list[list[Node]]) -> Node:
    """A matrix of objects."""
    shape = tuple_node([value_node(len(rows)), value_node(len(rows[0]))])
    return _node(
        "NdArrayNode", "numpy.ndarray", type="json", content=[list_node(row) for row in rows], shape=shape
    )


def object_node(name: str, attributes: dict[str, Node]) -> Node:
    """An object of the named class, with its attributes."""
    return _node("ObjectNode", name, content=dictionary_node(attributes))


def tree_node(arguments: list[Node], state: dict[str, Node]) -> Node:
    """A tree of scikit-learn's compiled class: the arguments it is made with, and its state."""
    return _node(
        "TreeNode",
        "sklearn.tree._tree.Tree",
        content=dictionary_node(state),
        __reduce__={"args": tuple_node(arguments)},
    )


def rewrite(archive: Archive, root: Node) -> bytes:
    """Return a skops file of the given root, with the arrays that it names."""
    members = {SCHEMA: json.dumps({**root, "protocol": PROTOCOL}).encode()}
    waiting: list[object] = [root]
    while waiting:
        value = waiting.pop()
        if isinstance(value, list):
            waiting += value
        elif isinstance(value, dict):
            waiting += value.values()
            name = str(value.get("file"))
            if value.get("type") == "numpy" and name not in members:
                members[name] = archive.read(name)
    return pack(members)


def _node(loader: str, name: str, **members: object) -> Node:
    module, _, class_name = name.rpartition(".")
    return {"__class__": class_name, "__module__": module, "__loader__": loader, **members}
