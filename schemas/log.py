"""The log as clients see it: receipts, verifier keys, entries and proofs."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from schemas.base import Digest, HexHash, Identifier, Many, Moment, Wire


class Receipt(Wire):
    """A signed promise that an entry is committed and will be in the tree by a given time."""

    entry_id: Identifier = Field(description="the entry")
    leaf_hash: HexHash = Field(description="RFC 6962 leaf hash of the entry's canonical bytes")
    log_origin: str = Field(description="which log")
    time: Moment = Field(description="when the entry was made")
    integrate_by: Moment = Field(description="from then on the log owes an inclusion proof")
    key_id: str = Field(description="the receipt key, as listed at /v1/log/keys")
    signature: str = Field(description="Ed25519 signature, base64")
    index: int | None = Field(default=None, ge=0, description="place in the tree, once integrated")


class VerifierKey(Wire):
    """One public key that signs something of the log."""

    purpose: Literal["receipt", "checkpoint", "witness"] = Field(description="what the key signs")
    key_id: str = Field(description="the key's id within its purpose")
    vkey: str = Field(description="C2SP signed-note verifier key: name+hash+base64")
    valid_from: Moment | None = Field(default=None, description="first use; null when not known")
    valid_until: Moment | None = Field(
        default=None, description="when its limit was made known; null while in use, or retired without one"
    )
    tree_limit: int | None = Field(
        default=None,
        ge=0,
        description="a past checkpoint key: the largest tree it may sign; verifiers take `vkey@tree_limit`",
    )


class VerifierKeys(Wire):
    """Present and past verifier keys."""

    log_origin: str = Field(description="which log")
    verifier_digest: Digest | None = Field(
        default=None, description="of the file that /v1/log/verifier serves: compare it with the release's"
    )
    keys: Many[VerifierKey] = Field(description="newest first")


class LogEntry(Wire):
    """One leaf of the tree with the bytes it commits to."""

    index: int = Field(ge=0, description="place in the tree")
    entry_id: Identifier = Field(description="the entry")
    leaf_hash: HexHash = Field(description="RFC 6962 leaf hash")
    entry: str = Field(description="the entry's canonical bytes, base64")


class InclusionProof(Wire):
    """RFC 6962 audit path of one leaf."""

    entry_id: Identifier | None = Field(default=None, description="the entry that is this leaf")
    index: int = Field(ge=0, description="the leaf")
    tree_size: int = Field(ge=1, description="the tree it is proved in")
    leaf_hash: HexHash = Field(description="the leaf's hash")
    root: HexHash = Field(description="root of that tree")
    hashes: Many[HexHash] = Field(description="sibling hashes, from the leaf upwards")
    tlog_proof: str | None = Field(
        default=None, description="the same as a C2SP tlog-proof, where `tree_size` was left to the log"
    )


class ConsistencyProof(Wire):
    """RFC 6962 proof that one tree is a prefix of another."""

    from_size: int = Field(alias="from", ge=0, description="size of the older tree")
    to_size: int = Field(alias="to", ge=0, description="size of the newer tree")
    from_root: HexHash = Field(description="root of the older tree")
    to_root: HexHash = Field(description="root of the newer tree")
    hashes: Many[HexHash] = Field(description="the proof")
