"""Time has one source; ids sort by it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from runtime.clock import FixedClock, SystemClock
from runtime.ids import uuid7


def test_uuid7_is_the_published_shape() -> None:
    # RFC 9562, appendix A.6: Tuesday, February 22, 2022 2:22:22.00 PM GMT-05:00 is 0x017F22E279B0.
    made = uuid7(datetime(2022, 2, 22, 19, 22, 22, tzinfo=UTC))
    assert made.hex[:12] == "017f22e279b0"
    assert made.version == 7
    assert made.variant == "specified in RFC 4122"


def test_uuid7_sorts_by_time_and_never_repeats() -> None:
    start = datetime(2026, 11, 20, tzinfo=UTC)
    made = [uuid7(start + timedelta(milliseconds=n)) for n in range(2000)]
    assert [str(one) for one in made] == sorted(str(one) for one in made)
    assert len({uuid7(start) for _ in range(2000)}) == 2000


def test_clocks_are_aware_and_utc(clock: FixedClock) -> None:
    assert SystemClock().now().tzinfo is UTC
    before = clock.now()
    clock.advance(1.5)
    assert clock.now() - before == timedelta(seconds=1.5)
    with pytest.raises(ValueError, match="aware"):
        FixedClock(datetime(2026, 1, 1))  # noqa: DTZ001 - the mistake itself
