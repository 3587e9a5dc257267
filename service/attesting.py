"""What the log attests to anybody: its keys, its leaves and RFC 6962 proofs, with the roots they lead to."""

from __future__ import annotations

import base64
from functools import cache
from hashlib import sha256
from importlib.resources import files
from uuid import UUID

from audit.note import key_id_of
from audit.proof import TlogProof
from audit.stamps import StoredStamp, first_stamp
from audit.tree import StoredTree, checkpoint_covering, checkpoint_to_show, newest_checkpoint
from records.reaching import transaction
from runtime.postgres import Connection
from schemas.base import format_moment
from service.context import Services
from service.errors import InvalidInput
from service.explanations.record import JsonObject
from service.strict_json import Flaw

VERIFIER_NAME = "ofrecord_verify.py"


@cache
def verifier() -> tuple[bytes, str]:
    """The offline verifier as it was shipped, and its digest."""
    source = files("audit").joinpath("verifier", VERIFIER_NAME).read_bytes()
    return source, "sha256:" + sha256(source).hexdigest()


def keys(services: Services) -> JsonObject:
    """Every key that signs or signed for this log, the newest of each purpose first."""
    found = services.log.verifier_keys()
    return {
        "log_origin": services.settings.log_origin,
        "verifier_digest": verifier()[1],
        "keys": [
            {
                "purpose": key.role,
                "key_id": key_id_of(key.vkey),
                "vkey": key.vkey,
                "valid_from": format_moment(key.since),
                "valid_until": None if key.limited_at is None else format_moment(key.limited_at),
                "tree_limit": key.limit,
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


def checkpoint(services: Services) -> str | None:
    """The newest cosigned checkpoint, or the newest where one waited too long; None: nothing is signed."""
    with transaction(services.pool) as conn:
        shown = checkpoint_to_show(conn, services.clock.now())
    return None if shown is None else shown.note


def stamp(services: Services, tree_size: int) -> StoredStamp | None:
    """The time stamp of the smallest stamped tree of at least this size; None: there is none yet."""
    with transaction(services.pool) as conn:
        return first_stamp(conn, tree_size)


def inclusion(
    services: Services, index: int | None, entry_id: UUID | None, tree_size: int | None
) -> JsonObject | None:
    """The audit path of one leaf and the root of that tree; None while the entry is not integrated.

    Without `tree_size` the tree is that of the newest checkpoint that a witness cosigned, or of the newest.
    In that one the proof comes as a C2SP tlog-proof too, with the checkpoint that signs the root.
    """
    if (index is None) == (entry_id is None):
        raise InvalidInput((Flaw("/index", "either index or entry_id names the leaf"),))
    stored = services.log.entry_at(index or 0) if entry_id is None else services.log.read(entry_id)
    if stored.index is None:
        return None
    with transaction(services.pool) as conn:
        tree, covering = StoredTree(conn), checkpoint_covering(conn, stored.index)
        size = covering.tree_size if tree_size is None else tree_size
        _require_tree(conn, "/tree_size", size)
        if stored.index >= size:
            says = f"leaf {stored.index} is not in a tree of {size}"
            raise InvalidInput(
                (Flaw("/index" if entry_id is None else "/entry_id", says), Flaw("/tree_size", says))
            )
        path, root = tree.inclusion_path(stored.index, size), tree.root(size)
    signed = size == covering.tree_size
    return {
        "entry_id": str(stored.entry.entry_id),
        "index": stored.index,
        "tree_size": size,
        "leaf_hash": stored.leaf_hash.hex(),
        "root": root.hex(),
        "hashes": [node.hex() for node in path],
        "tlog_proof": TlogProof(stored.index, tuple(path), covering.note).to_text() if signed else None,
    }


def consistency(services: Services, old: int, new: int) -> JsonObject:
    """The proof that the older tree is a prefix of the newer, and both roots."""
    with transaction(services.pool) as conn:
        _require_tree(conn, "/to", new)
        if not 0 < old <= new:
            says = f"there is no consistency proof from {old} to {new}"
            raise InvalidInput((Flaw("/from", says), Flaw("/to", says)))
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


def _require_tree(conn: Connection, pointer: str, size: int) -> None:
    """Refuse a size that the log has not reached."""
    newest = newest_checkpoint(conn)
    if newest is None or size > newest.tree_size:
        raise InvalidInput((Flaw(pointer, f"there is no tree of {size} yet"),))
