"""A notice from the decision to its end: every date below is counted by hand from 12 CFR 1002.9."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from itertools import permutations
from typing import Any
from uuid import UUID

from audit.entry import Entry, format_time, new_id
from records.clocks import Clock
from records.lifecycle import NoticeState, read_history

DECIDED = datetime(2026, 3, 2, 9, tzinfo=UTC)
EXPLANATION = UUID("01950000-0000-7000-8000-000000000001")


def created(**changes: Any) -> Entry:
    body = {
        "model": "loans",
        "version": "1",
        "action": "denial",
        "outcome": "decline",
        "notice_clock": "completed_application",
        "notice_due_at": "2026-03-31T08:00:00.000000Z",
        "notice_blocked": False,
        **changes,
    }
    return Entry(EXPLANATION, "explanation.created", DECIDED, "token:t", body)


def about(kind: str, days: float, /, **body: Any) -> Entry:
    moment = DECIDED + timedelta(days=days)
    return Entry(new_id(moment), kind, moment, "token:t", body, about=EXPLANATION)


def sent(days: float, answers: str = "decision", template: str = "adverse_action") -> Entry:
    moment = format_time(DECIDED + timedelta(days=days))
    return about("notice.sent", days, answers=answers, sent_at=moment, channel="mail", template=template)


def answered(days: float, response: str) -> Entry:
    return about("notice.response", days, response=response, at=format_time(DECIDED + timedelta(days=days)))


def state(*entries: Entry) -> NoticeState:
    """The state, which no order of the entries changes."""
    found = {read_history(order) for order in permutations(entries)}
    assert len(found) == 1
    (one,) = found
    assert one is not None
    return one


def test_a_decision_without_a_clock_owes_no_notice() -> None:
    assert read_history([created(notice_clock=None, notice_due_at=None)]) is None
    approved = dict.fromkeys(("notice_clock", "notice_due_at", "notice_blocked", "action"))
    assert read_history([created(**approved)]) is None
    assert read_history([]) is None


def test_a_denial_runs_by_its_own_clock_until_its_notice_is_sent() -> None:
    open_one = state(created())
    assert open_one.running == (Clock("completed_application", datetime(2026, 3, 31, 8, tzinfo=UTC)),)
    assert open_one.closed_at is None
    done = state(created(), sent(10))
    assert done.running == ()
    assert done.closed_at == DECIDED + timedelta(days=10)


def test_a_clock_without_a_date_runs_all_the_same() -> None:
    unknown = state(created(notice_clock="unknown", notice_due_at=None))
    assert unknown.running == (Clock("unknown", None),)


def test_the_combined_counteroffer_letter_leaves_nothing_owed() -> None:
    """Form C-4: counteroffer and denial in one."""
    assert state(created(action="counteroffer"), sent(5)).running == ()


def test_a_counteroffer_by_a_letter_of_ones_own_lapses_after_ninety_days() -> None:
    offered = (created(action="counteroffer"), sent(5, template="other"))
    # 2 March + 5 days = 7 March; 24 days of March, 30 of April, 31 of May and 5 of June make 90.
    lapse = datetime(2026, 6, 5, 9, tzinfo=UTC)
    assert state(*offered).running == (Clock("counteroffer_lapsed", lapse),)
    accepted = state(*offered, answered(60, "counteroffer_accepted"))
    assert accepted.running == ()
    assert accepted.closed_at == DECIDED + timedelta(days=60)


def test_an_acceptance_after_the_ninety_days_stops_no_clock() -> None:
    offered = (created(action="counteroffer"), sent(5, template="other"))
    late = (*offered, answered(96, "counteroffer_accepted"))
    assert [clock.name for clock in state(*late).running] == ["counteroffer_lapsed"]
    assert state(*late, sent(97, "counteroffer_lapsed")).closed_at == DECIDED + timedelta(days=97)


def test_reasons_asked_for_within_sixty_days_are_owed_within_thirty() -> None:
    asked = (created(), sent(5), answered(65, "reasons_requested"))  # the sixtieth day after the notice
    # 2 March + 65 days = 6 May; 30 days later is 5 June.
    assert state(*asked).running == (Clock("reasons_requested", datetime(2026, 6, 5, 9, tzinfo=UTC)),)
    assert state(*asked, sent(70, "reasons_requested")).running == ()
    later = state(created(), sent(5), answered(65.01, "reasons_requested"))
    assert later.running == ()
    assert [one.response for one in later.answers] == ["reasons_requested"]


def test_of_two_running_clocks_the_nearer_one_is_in_front() -> None:
    both = state(created(action="counteroffer"), sent(5, template="other"), answered(6, "reasons_requested"))
    assert [clock.name for clock in both.running] == ["reasons_requested", "counteroffer_lapsed"]


def reviewed(days: float, kind: str, outcome: str | None = None, **pointers: str) -> Entry:
    body = {"kind": kind, "outcome": outcome, "supersedes": None, "superseded_by": None, **pointers}
    return about("explanation.reviewed", days, **body)


def test_an_override_before_the_day_ends_the_clock_and_one_after_it_does_not() -> None:
    """Due on March 31, 29 days after the decision, at 8 o'clock."""
    in_time = state(created(), reviewed(28.95, "overridden", "approve"))
    assert (in_time.running, in_time.closed_at) == ((), DECIDED + timedelta(days=28.95))
    late = state(created(), reviewed(28.96, "overridden", "approve"))
    assert [clock.name for clock in late.running] == ["completed_application"]
    assert (late.overridden and late.overridden.outcome, late.closed_at) == ("approve", None)
    assert state(created(), reviewed(1, "reviewed", "decline")).overridden is None


def test_a_second_override_keeps_what_the_first_one_ended() -> None:
    first = reviewed(5, "overridden", "approve")
    second = reviewed(40, "overridden", "approve", supersedes=str(first.entry_id))
    both = state(created(), first, second)
    assert both.running == ()
    assert both.overridden is not None
    assert (both.overridden.entry_id, both.overridden.at) == (second.entry_id, second.time)
    assert both.overridden.since == first.time


def test_an_override_that_was_taken_back_ends_nothing_until_there_is_another() -> None:
    first = reviewed(5, "overridden", "approve")
    back = reviewed(20, "corrected", supersedes=str(first.entry_id))
    assert len(state(created(), first, back).running) == 1
    assert state(created(), first, back, reviewed(25, "overridden", "approve")).running == ()
    assert len(state(created(), first, back, reviewed(35, "overridden", "approve")).running) == 1


def test_a_decision_made_again_takes_the_place_of_one_with_the_same_outcome() -> None:
    approved = reviewed(5, "overridden", "approve")
    again = reviewed(6, "overridden", "decline", superseded_by="01950000-0000-7000-8000-000000000002")
    made = state(created(), approved, again)
    assert made.running == ()
    assert made.overridden is not None
    assert (made.overridden.outcome, made.overridden.since) == ("decline", approved.time)
    assert state(created(), approved, reviewed(6, "overridden", "decline")).overridden is None


def test_who_looks_later_does_not_bring_back_the_reasons_that_were_replaced() -> None:
    later = "01950000-0000-7000-8000-000000000002"
    for told in ("decline", None):
        again = reviewed(5, "corrected", told, superseded_by=later)
        alone, looked = state(created(), again), state(created(), again, reviewed(40, "reviewed", "decline"))
        for made in (alone, looked):
            assert (made.running, made.closed_at) == ((), again.time)
            assert made.overridden is not None
            assert (made.overridden.outcome, str(made.overridden.superseded_by)) == ("decline", later)
        back = reviewed(41, "corrected", supersedes=str(again.entry_id))
        assert state(created(), again, reviewed(40, "reviewed", "decline"), back).overridden is None


def test_an_override_ends_no_clock_without_a_day_and_no_reasons_asked_for() -> None:
    override = reviewed(1, "overridden", "approve")
    undated = state(created(notice_clock="unknown", notice_due_at=None), override)
    assert [clock.name for clock in undated.running] == ["unknown"]
    asked = state(
        created(), sent(2), answered(10, "reasons_requested"), reviewed(11, "overridden", "approve")
    )
    assert [clock.name for clock in asked.running] == ["reasons_requested"]
    offered = created(action="counteroffer")
    lapsed = state(offered, sent(2, template="other"), reviewed(11, "overridden", "approve"))
    assert (lapsed.running, lapsed.closed_at) == ((), DECIDED + timedelta(days=11))
