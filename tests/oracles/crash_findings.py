"""After the crashes: what was answered, held against what the log and the keys hold."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256

import psycopg

from audit.checkpoint import checkpoint_keys, verify_checkpoint
from audit.errors import MalformedNote
from audit.keys import KeyStore
from audit.log import AuditLog
from audit.note import Verifier
from audit.published import read_published
from audit.receipt import Receipt
from audit.trust import Trust
from audit.verify import verify_evidence
from runtime.postgres import open_pool
from tests.oracles.crash_clients import Clients
from tests.oracles.crash_machine import ORIGIN, Machine

PATIENCE_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Found:
    """How much was checked."""

    answered: int
    repeats: int
    entries: int
    checkpoints: int
    keys_without_entry: int


def examine(machine: Machine, clients: Clients) -> Found:
    """Check every promise; an AssertionError says which was broken. All processes are up, nobody asks."""
    assert clients.wrong == [], clients.wrong[:5]
    leaves = _integrated(machine)
    hashes = [leaf for _, _, leaf in leaves]
    assert [index for index, _, _ in leaves] == list(range(len(leaves)))
    assert len({entry_id for _, entry_id, _ in leaves}) == len(leaves)

    _check_checkpoints(clients, checkpoint_keys(machine.verifier_keys), hashes)
    _check_published(machine, hashes)
    _check_fsck(machine)

    in_log = _decisions(machine, len(leaves))
    assert max(in_log.values()) == 1, "a decision is in the log twice"
    assert in_log.keys() == clients.answered.keys(), "the log holds other decisions than were answered"
    _check_answers(machine, clients, {entry_id: leaf for _, entry_id, leaf in leaves})
    return Found(
        len(clients.answered), clients.repeats, len(leaves), len(clients.checkpoints), _spare_keys(machine)
    )


def _integrated(machine: Machine) -> list[tuple[int, str, bytes]]:
    """Return (index, entry id, leaf hash) of every leaf; nothing waits any more."""
    with psycopg.connect(machine.database("auditor")) as connection:
        waiting = connection.execute("select count(*) from audit.pending").fetchone()
        assert waiting == (0,)
        return connection.execute(
            "select index, entry_id::text, leaf_hash from audit.leaf order by index"
        ).fetchall()


def roots(leaves: list[bytes], sizes: list[int]) -> dict[int, bytes]:
    """Return the root of the first n leaves for each n: whole subtrees once, then RFC 6962's right edge."""
    whole = [leaves]
    while len(whole[-1]) > 1:
        below = whole[-1]
        pairs = zip(below[0::2], below[1::2], strict=False)
        whole.append([sha256(b"\x01" + left + right).digest() for left, right in pairs])
    found = {}
    for size in sizes:
        root = b""
        for level in range(size.bit_length()):
            if size >> level & 1:
                left = whole[level][(size >> level) - 1]
                root = sha256(b"\x01" + left + root).digest() if root else left
        found[size] = root
    return found


def _check_checkpoints(clients: Clients, verifiers: Sequence[Verifier], leaves: list[bytes]) -> None:
    """Each checkpoint that was ever seen is a signed root of the beginning of today's tree."""
    assert max(clients.checkpoints) <= len(leaves)
    expected = roots(leaves, list(clients.checkpoints))
    for size, note in clients.checkpoints.items():
        seen, _ = verify_checkpoint(note, verifiers)
        assert (seen.origin, seen.tree_size, seen.root) == (ORIGIN, size, expected[size])


def wait_published(machine: Machine, size: int) -> None:
    """Wait until a tree of this size is published with the witness's cosignature."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    trust = Trust.parse(machine.verifier_keys, require_witness=True)
    while True:
        try:
            seen = trust.checkpoint((machine.public / "checkpoint").read_text(encoding="utf-8"))
        except (MalformedNote, FileNotFoundError):  # not cosigned, or not even published yet
            seen = None
        if seen is not None and seen.checkpoint.tree_size >= size:
            return
        assert time.monotonic() < deadline, "the last checkpoint was not published with its cosignature"
        time.sleep(0.1)


def _check_published(machine: Machine, leaves: list[bytes]) -> None:
    """The public folder is the whole log, and the witness has cosigned it."""
    wait_published(machine, len(leaves))
    published = read_published(machine.public, Trust.parse(machine.verifier_keys, require_witness=True))
    assert list(published.leaves) == leaves


def _check_fsck(machine: Machine) -> None:
    told = machine.command("auditor", "fsck")
    assert told.splitlines()[-1] == "PASS", told


def _decisions(machine: Machine, entries: int) -> Counter[str]:
    """Open every private part in the log; return how often each decision is there."""
    found: Counter[str] = Counter()
    with _log(machine) as log:
        for index in range(entries):
            stored = log.entry_at(index)
            opened = log.open(stored)  # raises where a key is missing
            if stored.entry.type == "explanation.created":
                found[json.loads(opened)["decision_id"]] += 1
    return found


def _check_answers(machine: Machine, clients: Clients, leaf_of: dict[str, bytes]) -> None:
    """Each answered decision is in the log under the leaf hash its receipt promised, and can be proved."""
    vkeys = machine.verifier_keys
    with _log(machine) as log:
        for decision, answer in clients.answered.items():
            assert leaf_of[answer.entry_id].hex() == answer.leaf_hash, decision
            receipt = Receipt.from_json(answer.receipt)
            evidence = log.evidence(receipt.entry_id, receipt=receipt)
            assert evidence is not None, decision
            proved = verify_evidence(evidence.to_bytes(), vkeys)
            assert proved.receipt_checked, decision
            assert proved.private is not None
            assert proved.private["decision_id"] == decision


def _spare_keys(machine: Machine) -> int:
    """How many keys were kept for an entry that then was not: they open nothing."""
    with psycopg.connect(machine.servers["main"].url("ofrecord")) as connection:
        used = connection.execute("select key_id from audit.entry where key_id is not null").fetchall()
    with psycopg.connect(machine.servers["keys"].url("keys")) as connection:
        kept = connection.execute("select key_id from keys.entry_key where wrapped is not null").fetchall()
    assert set(used) <= set(kept)
    return len(kept) - len(used)


@contextmanager
def _log(machine: Machine) -> Iterator[AuditLog]:
    """The log, read as the API reads it."""
    with (
        open_pool(machine.database("service"), max_size=1) as pool,
        open_pool(machine.keys_database("service"), max_size=1) as keys,
    ):
        yield AuditLog(pool, KeyStore(keys, bytes.fromhex(machine.secrets["master-key"])), origin=ORIGIN)
