"""When checkpoints were signed is held against each other; a stamp counts once."""

from __future__ import annotations

from datetime import timedelta

import pytest

from audit.entry import Draft
from audit.fsck_span import SPAN
from audit.stamps import keep_timestamp
from audit.timestamp import read_timestamp
from tests.integration.audit.test_audit_fsck_vouched import AT_300, authority, vouched

__all__ = ["authority", "vouched"]  # fixtures

OTHER = "https://z.example/tsa"
COPY = (
    f"insert into audit.timestamp select tree_size, '{OTHER}', stamped_at, "
    f"response from audit.timestamp {AT_300}"
)


def _problems(made, statements):
    with made.rig.tampering(statements) as connection:
        found = made.fsck(connection)
        connection.rollback()
    return found


def test_a_stamp_under_two_names_counts_once(vouched):
    found = _problems(vouched, COPY)
    assert found.problems == (
        f"time stamp of 300 by {OTHER}: it is the one that stands under another authority's name",
    )
    assert (found.faults, found.vouched.stamps) == ({"stamp": 1}, 2)


def test_so_does_one_with_other_words_around_it(vouched):
    response = vouched.stamp(vouched.note(300).encode())
    keep_timestamp(vouched.rig.integrator_pool, 300, OTHER, read_timestamp(response).time, response)
    assert vouched.as_auditor().vouched.stamps == 3  # another stamp of the same authority is no copy
    granted, with_changes = b"\x30\x03\x02\x01\x00", b"\x30\x03\x02\x01\x01"
    assert response.count(granted) == 1
    changed = response.replace(granted, with_changes)
    name = "https://zz.example/tsa"
    keep_timestamp(vouched.rig.integrator_pool, 300, name, read_timestamp(response).time, changed)
    found = vouched.as_auditor()
    assert [one for one in found.problems if "another authority" not in one] == []
    assert (len(found.problems), found.vouched.stamps) == (1, 3)


@pytest.mark.parametrize(
    ("statements", "problems"),
    [
        (f"update audit.checkpoint set signed_at = signed_at - interval '9 minutes' {AT_300}", []),
        (f"update audit.checkpoint set signed_at = '2001-01-01Z' {AT_300}", []),
        ("update audit.checkpoint set signed_at = '2001-01-01Z'", []),
        (
            "update audit.checkpoint set signed_at = signed_at - interval '11 minutes' where tree_size = 600",
            ["600: a smaller one"],
        ),
        (
            f"update audit.checkpoint set signed_at = signed_at + interval '11 minutes' {AT_300}",
            ["600: a smaller one"],
        ),
    ],
)
def test_a_time_that_was_moved_is_named(vouched, statements, problems):
    words = {"a smaller one": "that of a smaller one"}
    expected = [
        f"checkpoint {size}: its row has a time before {words[than]}"
        for size, than in (one.split(": ") for one in problems)
    ]
    told = _problems(vouched, statements).problems
    assert [one for one in told if one.startswith("checkpoint")] == expected


@pytest.mark.parametrize("processes", [1, 2])
def test_also_across_the_stretches_of_a_check(vouched, processes):
    rig = vouched.rig
    rig.log.append([Draft("a.b", "x", {})] * (SPAN - 600), vouched.now)
    while rig.integrator.step(vouched.now):
        pass
    later = vouched.now + timedelta(minutes=9)
    assert vouched.as_auditor(processes=processes).passed
    rig.log.append([Draft("a.b", "x", {})], later - timedelta(days=1))
    rig.integrator.step(later - timedelta(days=1))
    assert vouched.as_auditor(processes=processes).problems == (
        f"checkpoint {SPAN + 1}: its row has a time before that of a smaller one",
    )
