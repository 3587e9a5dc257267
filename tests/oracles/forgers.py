"""An administrator who may do anything in the database and holds the log's checkpoint key."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import psycopg

from audit.checkpoint import Checkpoint, sign_checkpoint
from audit.note import Signer
from audit.tiles import Edge, Tile

_SECURED = "select tgrelid::regclass::text from pg_trigger where tgname = 'append_only'"


class Forger:
    """Rewrites the log so that the database and its signatures agree with each other again."""

    def __init__(self, admin_url: str, signer: Signer) -> None:
        self._url = admin_url
        self._signer = signer

    def rewrite(self, index: int, old: bytes, new: bytes) -> None:
        """Change the bytes of one entry, then everything that was derived from them and signed."""
        with psycopg.connect(self._url) as connection:
            tables = self._disarm(connection)
            at = "from audit.leaf join audit.entry using (entry_id) where index = %s"
            entry_id, canonical = connection.execute(f"select entry_id, canonical {at}", (index,)).fetchone()
            changed = canonical.replace(old, new)
            assert changed != canonical
            digest = hashlib.sha256(b"\x00" + changed).digest()
            connection.execute(
                "update audit.entry set canonical = %s, leaf_hash = %s where entry_id = %s",
                (changed, digest, entry_id),
            )
            connection.execute("update audit.leaf set leaf_hash = %s where index = %s", (digest, index))
            self._sign_again(connection)
            self._arm(connection, tables)

    def cut(self, size: int) -> None:
        """Put the log back to an earlier size, as a restored backup would; its last entries never were."""
        with psycopg.connect(self._url) as connection:
            tables = self._disarm(connection)
            gone = "select entry_id from audit.leaf where index >= %s"
            connection.execute(f"delete from audit.entry where entry_id in ({gone})", (size,))
            connection.execute("delete from audit.leaf where index >= %s", (size,))
            connection.execute("delete from audit.checkpoint where tree_size > %s", (size,))
            connection.execute("delete from audit.cosignature where tree_size > %s", (size,))
            self._sign_again(connection)
            self._arm(connection, tables)

    def forget_cosignatures(self) -> None:
        """Take away what the witnesses said."""
        with psycopg.connect(self._url) as connection:
            tables = self._disarm(connection)
            connection.execute("delete from audit.cosignature")
            self._arm(connection, tables)

    def _sign_again(self, connection: psycopg.Connection) -> None:
        leaves = [row[0] for row in connection.execute("select leaf_hash from audit.leaf order by index")]
        sizes = [row[0] for row in connection.execute("select tree_size from audit.checkpoint order by 1")]
        connection.execute("delete from audit.tile")
        edge = Edge()
        for size in sizes:
            self._write(connection, edge.append(leaves[edge.size : size]))
            checkpoint = Checkpoint(self._signer.verifier.name, size, edge.root())
            connection.execute(
                "update audit.checkpoint set root = %s, note = %s where tree_size = %s",
                (checkpoint.root, sign_checkpoint(checkpoint, [self._signer]), size),
            )

    def _write(self, connection: psycopg.Connection, tiles: Sequence[Tile]) -> None:
        for tile in tiles:
            connection.execute(
                "insert into audit.tile (level, index, hashes, root) values (%s, %s, %s, %s)",
                (tile.level, tile.index, tile.hashes, tile.root),
            )

    def _disarm(self, connection: psycopg.Connection) -> list[str]:
        connection.execute("set event_triggers = off")
        tables = [row[0] for row in connection.execute(_SECURED)]
        for table in tables:
            connection.execute(f"alter table {table} disable trigger append_only")
        return tables

    def _arm(self, connection: psycopg.Connection, tables: Sequence[str]) -> None:
        for table in tables:
            connection.execute(f"alter table {table} enable always trigger append_only")
        connection.execute("set event_triggers = on")
