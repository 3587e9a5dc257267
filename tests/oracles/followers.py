"""Somebody who follows a published log from its files alone (C2SP tlog-tiles)."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

WIDTH = 256


class NotAsPublished(Exception):
    """The files do not agree with the checkpoint."""


@dataclass(frozen=True)
class Follower:
    """A folder and the log's verifier key."""

    folder: Path
    vkey: str

    def read(self) -> tuple[int, list[bytes]]:
        """Return the tree size and every entry, after deriving each tile and the root from them."""
        size, root = self._checkpoint()
        entries = self._entries(size)
        hashes = [hashlib.sha256(b"\x00" + entry).digest() for entry in entries]
        if self._root(hashes) != root:
            raise NotAsPublished("root")
        return size, entries

    def _checkpoint(self) -> tuple[int, bytes]:
        text, _, signatures = (self.folder / "checkpoint").read_text().partition("\n\n")
        name, key_hash, material = self.vkey.split("+", 2)
        for line in signatures.splitlines():
            _, signer, blob = line.split(" ")
            raw = base64.b64decode(blob)
            if (signer, raw[:4].hex()) == (name, key_hash):
                public = Ed25519PublicKey.from_public_bytes(base64.b64decode(material)[1:])
                public.verify(raw[4:], f"{text}\n".encode())
                origin, size, root = text.split("\n")
                assert origin == name
                return int(size), base64.b64decode(root)
        raise NotAsPublished("signature")

    def _entries(self, size: int) -> list[bytes]:
        entries: list[bytes] = []
        for index in range(-(-size // WIDTH)):
            width = min(WIDTH, size - index * WIDTH)
            data = self._file("entries", index, width)
            bundle = []
            while data:
                length = int.from_bytes(data[:2], "big")
                bundle.append(data[2 : 2 + length])
                data = data[2 + length :]
            if len(bundle) != width:
                raise NotAsPublished(f"bundle {index}")
            entries += bundle
        return entries

    def _root(self, hashes: list[bytes]) -> bytes:
        """Compare each level's tiles with the nodes derived from below, and return MTH over the leaves."""
        level, nodes = 0, hashes
        while nodes:
            for index in range(-(-len(nodes) // WIDTH)):
                expected = nodes[index * WIDTH : (index + 1) * WIDTH]
                if self._file(str(level), index, len(expected)) != b"".join(expected):
                    raise NotAsPublished(f"tile {level}/{index}")
            full = range(len(nodes) // WIDTH)
            nodes = [mth(nodes[index * WIDTH : (index + 1) * WIDTH]) for index in full]
            level += 1
        return mth(hashes)

    def _file(self, level: str, index: int, width: int) -> bytes:
        digits = f"{index:03}" if index < 1000 else f"x{index // 1000:03}/{index % 1000:03}"
        suffix = "" if width == WIDTH else f".p/{width}"
        try:
            return (self.folder / f"tile/{level}/{digits}{suffix}").read_bytes()
        except FileNotFoundError as error:
            raise NotAsPublished(f"tile {level}/{digits}{suffix}") from error


def mth(nodes: list[bytes]) -> bytes:
    """RFC 6962, section 2.1, over hashes of leaves or of equally high subtrees."""
    if not nodes:
        return hashlib.sha256(b"").digest()
    if len(nodes) == 1:
        return nodes[0]
    split = 1
    while split * 2 < len(nodes):
        split *= 2
    return hashlib.sha256(b"\x01" + mth(nodes[:split]) + mth(nodes[split:])).digest()


def published(folder: Path) -> str:
    """Return the published checkpoint; empty while there is none."""
    try:
        return (folder / "checkpoint").read_text()
    except FileNotFoundError:
        return ""
