"""A witness's past key counts up to its limit, and alike wherever it is looked at."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import psycopg
import pytest

from audit.cosignature import CosignerKey
from audit.publish import Publisher
from audit.witnessed import latest_cosignatures
from runtime.errors import SettingsError
from runtime.settings import Settings
from tests.integration.audit.test_audit_fsck_vouched import WITNESS, authority, vouched
from workers.log_keys import witness_keys

__all__ = ["authority", "vouched"]  # fixtures


@pytest.mark.parametrize(("limit", "holds"), [("", True), ("@600", True), ("@599", False)])
def test_the_last_word_and_the_whole_check_agree(vouched, limit, holds):
    vkey = f"{WITNESS.key.vkey}{limit}"
    with psycopg.connect(vouched.rig.database.url("auditor")) as connection:
        (word,) = latest_cosignatures(connection, 600, [CosignerKey.parse(vkey)])
        report = vouched.fsck(connection, witnesses=[vkey])
    assert (word.tree_size, word.verified) == (600, holds)
    assert report.passed is holds


def test_a_publisher_counts_no_line_beyond_the_limit(vouched, tmp_path: Path):
    rig = vouched.rig
    with psycopg.connect(rig.database.url("auditor")) as connection:
        query = "select line from audit.cosignature where tree_size = 600"
        note = vouched.note(600) + connection.execute(query).fetchone()[0]
    for limit, lines in ((None, 2), (600, 2), (599, 1)):
        key = replace(WITNESS.key, limit=limit)
        verifiers = [rig.signer.verifier]
        publisher = Publisher(rig.integrator_pool, tmp_path, rig.origin, verifiers, witnesses=[key])
        assert publisher._vouching(note) == lines


def test_a_witness_that_is_asked_has_no_limit():
    asked = ((f"{WITNESS.key.vkey}@7", "http://127.0.0.1:1"),)
    with pytest.raises(SettingsError, match=r"OFRECORD_WITNESSES: .* has a limit, and is still asked"):
        witness_keys(Settings(witnesses=asked))
