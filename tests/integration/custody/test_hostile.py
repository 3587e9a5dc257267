"""What somebody with ordinary rights puts on record neither ends a period early nor stops the custodian."""

from __future__ import annotations

from datetime import timedelta

from audit.entry import Draft
from records.holds import Scope
from tests.integration.custody.conftest import NOW


def owed(house, subject="S-1"):
    """A decision whose notice is owed."""
    return house.decide(subject, retention="consumer_credit", notice_clock="decision", notice_due_at=None)


def told(house, about, sent_at, **more):
    """A notice that was sent, as somebody says."""
    body = {"answers": "decision", "sent_at": sent_at, "channel": "mail", "template": "adverse_action"}
    draft = Draft("notice.sent", "token:t", {**body, **more}, about=about, retention_class="consumer_credit")
    return house.log.append_one(draft, house.clock.now())


def test_a_notice_that_is_said_to_be_old_ends_no_period(house):
    told(house, owed(house), "1999-01-03T00:00:00Z")
    refused = house.erase()
    assert (refused.state, refused.ground) == ("refused", "retention")
    # 25 calendar months after 20 November 2026, which is when it was recorded
    assert refused.retained_until.date().isoformat() == "2028-12-20"


def test_an_entry_that_cannot_be_read_keeps_one_person_and_not_all(house):
    odd = owed(house, "S-1")
    told(house, odd, "long ago")
    house.decide("S-2")
    house.to(NOW + timedelta(days=365 * 3))
    refused, scheduled = house.erase("S-1"), house.erase("S-2")
    assert (refused.state, refused.retained_until) == ("refused", None)
    house.turn()
    house.turn()
    assert house.look(scheduled).state == "completed"
    assert house.log.open(house.log.read(odd)) == house.entries[odd]


def test_what_the_log_says_of_an_obstacle_names_no_hold(house):
    first, second = house.decide(), house.decide()
    holds = [house.hold(Scope("explanation", explanation_id=one)) for one in (first, second)]
    refused = house.erase()
    assert sorted(refused.hold_ids) == sorted(hold.hold_id for hold in holds)
    entry = house.log.read(refused.requested_entry_id).entry
    assert set(entry.body) == {
        *("erasure_id", "subject_key_id"),
        *("ground", "retained_until", "retention_classes"),
    }
