"""Names and bundles as C2SP tlog-tiles prints them."""

from __future__ import annotations

import pytest

from audit.errors import IntegrityHalt
from audit.tile_paths import bundle, entries_path, tile_path


@pytest.mark.parametrize(
    ("level", "index", "width", "path"),
    [
        (0, 1234067, 256, "tile/0/x001/x234/067"),  # the specification's own example
        (0, 0, 256, "tile/0/000"),
        (1, 999, 1, "tile/1/999.p/1"),
        (2, 1000, 255, "tile/2/x001/000.p/255"),
        (0, 273, 112, "tile/0/273.p/112"),  # a tree of 70,000
    ],
)
def test_paths(level, index, width, path):
    assert tile_path(level, index, width) == path
    assert entries_path(index, width) == path.replace(f"tile/{level}/", "tile/entries/")


def test_a_bundle_is_entries_behind_their_lengths():
    assert bundle([b"ab", b"", b"c" * 258]) == b"\x00\x02ab\x00\x00\x01\x02" + b"c" * 258
    assert bundle([b"x" * 65535])[:2] == b"\xff\xff"
    with pytest.raises(IntegrityHalt):
        bundle([b"x" * 65536])
