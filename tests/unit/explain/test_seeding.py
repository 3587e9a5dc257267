"""Seeds are a function of what is explained, and of nothing else."""

from __future__ import annotations

import hashlib

import numpy as np

from explain.seeding import canonical_row, seed_for


def test_seed_is_the_hash_of_its_parts() -> None:
    parts = [b"sha256:ab", b"\x01\x02", b"kernelshap/1"]
    stream = b"ofrecord/seed/v1" + b"".join(len(p).to_bytes(8, "big") + p for p in parts)
    expected = int.from_bytes(hashlib.sha256(stream).digest()[:8], "big") >> 1
    assert seed_for("sha256:ab", b"\x01\x02", "kernelshap/1") == expected
    assert 0 <= expected < 2**63


def test_parts_do_not_run_into_each_other() -> None:
    assert seed_for("ab", b"c", "m") != seed_for("a", b"bc", "m")
    assert seed_for("a", b"", "mm") != seed_for("a", b"m", "m")


def test_equal_rows_have_equal_bytes() -> None:
    other_nan = np.frombuffer(b"\x01\x00\x00\x00\x00\x00\xf8\xff", dtype="<f8")[0]
    assert np.isnan(other_nan)
    assert canonical_row(np.array([0.0, np.nan, 2.5])) == canonical_row(np.array([-0.0, other_nan, 2.5]))
    assert canonical_row(np.array([0.0, 1.0])) != canonical_row(np.array([1.0, 0.0]))


def test_the_row_is_not_changed() -> None:
    row = np.array([-0.0, 1.0])
    row.setflags(write=False)
    canonical_row(row)
    assert np.signbit(row[0])
