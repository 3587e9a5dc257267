"""What the log attests to anybody: its keys, its leaves and RFC 6962 proofs, with the roots they lead to."""

from __future__ import annotations

import base64

from audit.note import key_id_of
from audit.tree import StoredTree
from records.reaching import transaction
from schemas.base import format_moment
from service.context import Services
from service.explanations.record import JsonObject


def keys(services: Services) -> JsonObject:
    """Every key that signs or signed for this log, the newest of each purpose first."""
    found = services.log.verifier_keys()
    return {
        "log_origin": services.settings.log_origin,
        "keys": [
            {
                "purpose": key.role,
                "key_id": key_id_of(key.vkey),
                "vkey": key.vkey,
                "valid_from": format_moment(key.since),
                "valid_until": None,
            }
            for key in found
        ],
    }


def entry(services: Services, index: int) -> JsonObject:
    """One leaf with the bytes it commits to; its private part stays encrypted elsewhere."""
    stored = services.log.entry_at(index)
    return {
        "index": index,
        "entry_id": str(stored.entry.entry_id),
        "leaf_hash": stored.leaf_hash.hex(),
        "entry": base64.b64encode(stored.canonical).decode(),
    }


def inclusion(services: Services, index: int, tree_size: int) -> JsonObject:
    """The audit path of one leaf and the root of that tree."""
    with transaction(services.pool) as conn:
        tree = StoredTree(conn)
        path, root = tree.inclusion_path(index, tree_size), tree.root(tree_size)
    return {
        "index": index,
        "tree_size": tree_size,
        "leaf_hash": services.log.entry_at(index).leaf_hash.hex(),
        "root": root.hex(),
        "hashes": [node.hex() for node in path],
    }


def consistency(services: Services, old: int, new: int) -> JsonObject:
    """The proof that the older tree is a prefix of the newer, and both roots."""
    with transaction(services.pool) as conn:
        tree = StoredTree(conn)
        path = tree.consistency_path(old, new)
        roots = tree.root(old), tree.root(new)
    return {
        "from": old,
        "to": new,
        "from_root": roots[0].hex(),
        "to_root": roots[1].hex(),
        "hashes": [node.hex() for node in path],
    }
