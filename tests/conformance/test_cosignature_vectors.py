"""Cosignatures against what the public witness network has published, and against the example of C2SP."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from audit.cosignature import CosignerKey, read_cosignatures
from audit.errors import MalformedNote
from audit.note import parse_note

# A checkpoint of a public test log as the public witness network distributed it, and two witnesses' keys.
NOTE = (
    "arche2025h1.staging.ct.transparency.dev\n"
    "1432088532\n"
    "U7WM79jrzyhGZ5/GUBTpM7NzwdyfFx61t3RovgcC4Ro=\n"
    "\n"
    "— arche2025h1.staging.ct.transparency.dev "
    "ui8GwCF1+kWqZrxGdhj4aX3gcw7XUlXQQabg/27lefwhUkzbC3NygNI75MdhL1bfTW9g8Ei59RA23oHP7Ry1k3ZFWwQ=\n"
    "— witness1.smartit.nu/witness1 "
    "pIyCDwAAAABqEiEghIp82KWebrw7/oHQwlTAm3g2RKS4+eebl8eO0WH+/iEcxZ75W3u5hNI7TOQtmJbqmNWVuE0tgh0XwzdZsDsUAQ==\n"
    "— remora.n621.de "
    "2net5wAAAABqEiEgPlfF3V06o0Y+fHM+J5J9s27wgxxcOVSpZ/2g/KSiXCg9DEZI+aVCIobWX9sXTynk5XeU/zZ0WBxtqB0DrAWfBw==\n"
)
REMORA = "remora.n621.de+da77ade7+BOvN63jn/bLvkieywe8R6UYAtVtNbZpXh34x7onlmtw2"
SMARTIT = "witness1.smartit.nu/witness1+a48c820f+BPSFWg9G6KPiO7QPryYO5Xq4oYJJ+kAvLKLSimDhoxMO"
# C2SP tlog-cosignature, the example in its introduction; its key is not printed.
C2SP_LINE = (
    "— witness.example.com/w1 "
    "jWbPPwAAAABkGFDLEZMHwSRaJNiIDoe9DYn/zXcrtPHeolMI5OWXEhZCB9dlrDJsX3b2oyin1nPZqhf5nNo0xUe+mbIUBkBIfZ+qnA=="
)


def test_published_keys_have_the_hash_they_were_published_with():
    for vkey in (REMORA, SMARTIT):
        assert CosignerKey.parse(vkey).vkey == vkey


def test_two_witnesses_of_a_public_log_verify():
    found = read_cosignatures(NOTE, [CosignerKey.parse(REMORA), CosignerKey.parse(SMARTIT)])
    assert [one.key.name for one in found] == ["witness1.smartit.nu/witness1", "remora.n621.de"]
    assert {one.time for one in found} == {datetime.fromtimestamp(0x6A122120, tz=UTC)}
    assert all(one.line in NOTE for one in found)


@pytest.mark.parametrize(
    ("old", "new"), [("1432088532", "1432088533"), ("U7WM", "U7WN"), ("net5wAAAABq", "net5wAAAABr")]
)
def test_a_changed_checkpoint_or_time_does_not_verify(old, new):
    with pytest.raises(MalformedNote, match="signature of remora"):
        read_cosignatures(NOTE.replace(old, new), [CosignerKey.parse(REMORA)])


def test_the_time_stands_where_the_specification_prints_it():
    signature = parse_note(f"any\n\n{C2SP_LINE}\n").signatures[0].signature
    assert int.from_bytes(signature[:8], "big") == 1679315147
