"""Whether a search of another server is worth asking for: what is known of earlier ones decides."""

from __future__ import annotations

from service.pacing import ENOUGH, REMEMBERED, TRIED_EVERY, Pace

KIND = ("sha256:1", "dice_random")
OTHER = ("sha256:1", "dice_genetic")


def taught(*ended: tuple[float, bool]) -> Pace:
    pace = Pace()
    for seconds, finished in ended:
        pace.observe(KIND, seconds, finished=finished)
    return pace


def asked(pace: Pace, seconds: float, times: int = 4 * TRIED_EVERY) -> int:
    return sum(pace.hopeful(KIND, seconds) for _ in range(times))


def test_what_is_not_known_is_asked() -> None:
    pace = taught(*[(0.2, False)] * (ENOUGH - 1))
    assert asked(pace, 0.1) == 4 * TRIED_EVERY
    assert pace.hopeful(OTHER, 0.1)


def test_what_never_ended_in_so_long_is_passed_over_but_tried_now_and_then() -> None:
    pace = taught(*[(0.2, False)] * ENOUGH)
    assert asked(pace, 0.2) == 4
    assert asked(pace, 0.1) == 4
    assert pace.hopeful(OTHER, 0.1)


def test_a_search_that_was_stopped_says_nothing_of_longer_ones() -> None:
    pace = taught(*[(0.2, False)] * REMEMBERED)
    assert asked(pace, 0.201) == 4 * TRIED_EVERY


def test_one_that_finished_later_did_not_finish_within_less() -> None:
    pace = taught(*[(0.3, True)] * ENOUGH)
    assert asked(pace, 0.3) == 4 * TRIED_EVERY
    assert asked(pace, 0.29) == 4


def test_a_few_that_end_in_time_are_enough_to_ask() -> None:
    assert asked(taught(*[(0.2, False)] * 19, (0.1, True)), 0.15) == 4 * TRIED_EVERY
    assert asked(taught(*[(0.2, False)] * 20, (0.1, True)), 0.15) == 4


def test_what_was_long_ago_is_forgotten() -> None:
    pace = taught(*[(0.2, False)] * REMEMBERED, *[(0.1, True)] * REMEMBERED)
    assert asked(pace, 0.15) == 4 * TRIED_EVERY
