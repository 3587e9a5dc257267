"""Whatever a superuser changes behind the log's back, fsck says what and where."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest

from audit.checkpoint import Checkpoint, sign_checkpoint
from audit.entry import Draft
from audit.fsck import fsck
from audit.note import Signer

NOW = datetime(2026, 11, 20, 10, 15, tzinfo=UTC)


@pytest.fixture
def filled(rig):
    for count in (300, 300):
        rig.log.append([Draft("a.b", "x", {"n": n}, private=b"p", subject="S") for n in range(count)], NOW)
        rig.integrator.step(NOW)
    rig.log.append([Draft("a.b", "x", {}, private=b"p")] * 2, NOW)
    return rig


def test_a_good_log_passes(filled):
    report = filled.fsck()
    assert report.problems == ()
    assert (report.entries, report.tree_size, report.tiles, report.checkpoints, report.pending) == (
        600,
        600,
        2,
        2,
        2,
    )
    assert report.root == filled.log.newest_checkpoint().root


AT_7 = "(select entry_id from audit.leaf where index = 7)"
PENDING = "(select entry_id from audit.pending order by 1 limit 1)"
CHANGED = "convert_to(replace(convert_from(canonical, 'UTF8'), '\"x\"', '\"y\"'), 'UTF8')"
REHASHED = (
    f"update audit.entry set canonical = {CHANGED}, leaf_hash = sha256('\\x00'::bytea || {CHANGED}) "
    f"where entry_id = {AT_7}"
)
STRANGER = Signer("log.example/ofrecord", b"\x01" * 32)
FORGED = sign_checkpoint(Checkpoint("log.example/ofrecord", 300, bytes(32)), [STRANGER])
TAMPERING = {
    "entry bytes": (
        f"update audit.entry set canonical = {CHANGED} where entry_id = {AT_7}",
        "leaf 7: the bytes",
    ),
    "entry bytes and their hash": (REHASHED, "leaf 7: the bytes"),
    "entry bytes, hash and leaf": (
        f"{REHASHED}; update audit.leaf set leaf_hash = entry.leaf_hash from audit.entry "
        "where leaf.entry_id = entry.entry_id",
        "tile 0/0 does not have",
    ),
    "a deleted entry": (f"delete from audit.entry where entry_id = {AT_7}", "leaf 7: entry"),
    "a deleted payload": (
        f"delete from audit.payload where entry_id = {AT_7}",
        "leaf 7: the payload .* is missing",
    ),
    "another payload": (
        f"update audit.payload set ciphertext = ciphertext || '\\x00' where entry_id = {AT_7}",
        "leaf 7: the payload .* is not the one",
    ),
    "another time": (
        f"update audit.entry set time = time + interval '1 second' where entry_id = {AT_7}",
        "leaf 7: the columns",
    ),
    "another type": (f"update audit.entry set type = 'a.c' where entry_id = {AT_7}", "leaf 7: the columns"),
    "another retention class": (
        f"update audit.entry set retention_class = 'clinical' where entry_id = {AT_7}",
        "leaf 7: the columns",
    ),
    "another key": (f"update audit.entry set key_id = null where entry_id = {AT_7}", "leaf 7: the columns"),
    "swapped leaves": (
        "update audit.leaf set index = index + 1000 where index in (7, 8); "
        "update audit.leaf set index = 1015 - index where index > 1000",
        "tile 0/0 does not have",
    ),
    "a deleted leaf": ("delete from audit.leaf where index = 7", "leaf 7 is missing"),
    "the last leaf deleted": (
        "delete from audit.leaf where index = 599",
        "599 leaves, but the newest checkpoint is for 600",
    ),
    "a tile cut": (
        "update audit.tile set hashes = substr(hashes, 33) || substr(hashes, 1, 32) where index = 1",
        "tile 0/1 does not have",
    ),
    "a tile's root": ("update audit.tile set root = sha256('x') where index = 1", "tile 0/1 does not have"),
    "a deleted tile": ("delete from audit.tile where index = 0", "tile 0/0 is missing"),
    "a tile too many": (
        "insert into audit.tile select 1, 0, hashes, root from audit.tile where index = 0",
        "3 tiles are stored; a tree of 600 has 2",
    ),
    "a checkpoint signed by another key": (
        f"update audit.checkpoint set note = '{FORGED}', root = '\\x{bytes(32).hex()}' where tree_size = 300",
        "checkpoint 300: no known key",
    ),
    "a checkpoint's note changed": (
        "update audit.checkpoint set note = replace(note, '300', '301') where tree_size = 300",
        "checkpoint 300: the signature",
    ),
    "a checkpoint's root changed": (
        "update audit.checkpoint set root = sha256('x') where tree_size = 300",
        "checkpoint 300: the note says otherwise",
    ),
    "a checkpoint from the future": (
        "insert into audit.checkpoint select 700, root, note, signed_at from audit.checkpoint limit 1",
        "checkpoint 700: there are only 600",
    ),
    "pending emptied": ("delete from audit.pending", "is neither in the tree nor waits"),
    "a pending entry deleted": (
        f"delete from audit.entry where entry_id = {PENDING}",
        "pending entry .* is missing",
    ),
    "a pending entry changed": (
        f"update audit.entry set canonical = canonical || ' ' where entry_id = {PENDING}",
        "pending entry .*: its bytes",
    ),
    "an integrated entry pending again": (
        f"insert into audit.pending values ({AT_7})",
        "is in the tree and also waits",
    ),
}


def test_fsck_names_what_was_changed(filled):
    for name, (statements, problem) in TAMPERING.items():
        with filled.tampering(statements) as connection:
            report = fsck(connection, [filled.signer.verifier.vkey], filled.origin)
            connection.rollback()
        assert not report.passed, name
        assert any(re.search(problem, found) for found in report.problems), (name, report.problems)
    assert filled.fsck().passed


def test_a_root_that_the_logs_own_key_signed_wrongly_is_found(filled):
    note = sign_checkpoint(Checkpoint(filled.origin, 300, bytes(32)), [filled.signer])
    filled.tamper(
        f"update audit.checkpoint set note = '{note}', root = '\\x{bytes(32).hex()}' where tree_size = 300"
    )
    assert filled.fsck().problems == ("checkpoint 300: the entries do not have the root that was signed",)


def test_the_list_of_problems_ends_at_a_hundred(filled):
    filled.tamper("update audit.entry set type = 'a.c'")
    assert len(filled.fsck().problems) == 100
