"""The order of the searches, when they are over, and whose turn ends early."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any, cast

import pytest

from explain.counterfactual.base import Change, Counterfactual, CounterfactualSet, Effort, Status
from explain.counterfactual.concluding import Found
from explain.deadline import Deadline
from service.errors import CounterfactualUnavailable
from service.explanations import searching
from service.explanations.asking import Sought
from service.explanations.searching import Stand, Turn, advance, recourse_of, settled

ITEM = Counterfactual((Change("a", 1.0, 2.0),), 0.1, -2.0, "approve", 1.0, "threshold_search", True)
NOW = datetime(2026, 11, 22, 9, 30, tzinfo=UTC)


def _set(status: Status, items: int = 0, *efforts: Effort) -> CounterfactualSet:
    return CounterfactualSet(status, True, (ITEM,) * items, 0, 1, efforts)


def _sought(*methods: str, each: bool = False, required: bool = False) -> Sought:
    return Sought(cast("Any", SimpleNamespace(count=2)), None, None, methods, each, required)


class Engine:
    """In place of the search: each conclusion says what so many methods found."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *found: int) -> None:
        self.asked = 0
        monkeypatch.setattr(searching, "_own", self._own)
        monkeypatch.setattr(searching, "conclude", self._conclude)
        self._found = found

    def _own(self, *_: object) -> tuple[Found, ...]:
        self.asked += 1
        return (Found(Effort("threshold_search", "finished", 5)),)

    def _conclude(self, _: object, found: list[Found]) -> CounterfactualSet:
        items = self._found[min(len(found), len(self._found)) - 1] if found else 0
        return _set("found" if items else "unresolved", items, *(one.effort for one in found))


FINDING = cast(
    "Any",
    SimpleNamespace(
        loaded=SimpleNamespace(
            search=SimpleNamespace(direct=lambda _: SimpleNamespace(name="threshold_search"))
        )
    ),
)
LONG = Deadline(60_000, 0.0, lambda: 0.0)
PAST = Deadline(10, 0.0, lambda: 1.0)


def _efforts(stand: Stand) -> list[tuple[str, str]]:
    assert stand.concluded is not None
    return [(one.method, one.state) for one in stand.concluded.effort]


def test_enough_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    Engine(monkeypatch, 2)
    sought = _sought("direct", "dice_random")
    stand = advance(FINDING, sought, Stand(sought.methods), LONG)
    assert stand.over(sought)
    assert _efforts(stand) == [("threshold_search", "finished")]


def test_a_further_one_is_asked_while_there_are_too_few(monkeypatch: pytest.MonkeyPatch) -> None:
    Engine(monkeypatch, 1, 1, 2)
    sought = _sought("direct", "dice_random", "dice_genetic", "dice_kdtree")
    stand = advance(FINDING, sought, Stand(sought.methods), LONG)
    assert not stand.over(sought)
    stand = stand.told(Found(Effort("dice_random", "finished", 9)), LONG)
    assert not stand.over(sought)  # what came in was not looked at yet
    stand = advance(FINDING, sought, stand, LONG)
    assert stand.left == ("dice_genetic", "dice_kdtree")
    stand = advance(FINDING, sought, stand.told(Found(Effort("dice_genetic", "finished", 9)), LONG), LONG)
    assert stand.over(sought)
    assert [method for method, _ in _efforts(stand)] == ["threshold_search", "dice_random", "dice_genetic"]


def test_those_that_are_named_are_all_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = Engine(monkeypatch, 2)
    sought = _sought("dice_random", "direct", each=True)
    stand = advance(FINDING, sought, Stand(sought.methods), LONG)
    assert (engine.asked, stand.left) == (0, sought.methods)  # in their order
    stand = advance(FINDING, sought, stand.told(Found(Effort("dice_random", "finished", 9)), LONG), LONG)
    assert (engine.asked, stand.over(sought)) == (1, True)


@pytest.mark.parametrize(
    ("deadline", "others", "state"),
    [(LONG, "unavailable", "unavailable"), (LONG, "stopped", "stopped"), (PAST, None, "stopped")],
)
def test_one_that_cannot_be_asked_is_told_so(
    monkeypatch: pytest.MonkeyPatch, deadline: Deadline, others: Any, state: str
) -> None:
    Engine(monkeypatch, 1)
    sought = _sought("direct", "dice_random")
    stand = advance(FINDING, sought, Stand(sought.methods), deadline, lambda _: others)
    assert stand.over(sought)
    assert _efforts(stand) == [("threshold_search", "finished"), ("dice_random", state)]


def test_what_was_never_looked_at_counts_as_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    Engine(monkeypatch, 1)
    sought = _sought("dice_random", "direct")
    stand = Stand(sought.methods).told(Found(Effort("dice_random", "finished", 9)), LONG)
    found = settled(FINDING, sought, stand)
    assert [(one.method, one.state) for one in found.effort] == [
        ("dice_random", "stopped"),
        ("threshold_search", "stopped"),
    ]


def test_what_is_neither_verified_nor_proved_is_deferred() -> None:
    made = recourse_of(_sought("direct"), _set("unresolved"), 0.0, NOW)
    assert (made.found.status, made.found.complete) == ("deferred", False)
    assert made.evaluation_id is not None
    for found in (_set("no_recourse"), _set("partial", 1)):
        assert recourse_of(_sought("direct"), found, 0.0, NOW).evaluation_id is None
    for found in (_set("no_recourse"), _set("unresolved")):
        with pytest.raises(CounterfactualUnavailable):
            recourse_of(_sought("direct", required=True), found, 0.0, NOW)


@pytest.mark.parametrize(
    ("status", "states", "match"),
    [
        ("no_recourse", ("finished",), "It is proved that no permitted change reaches the goal"),
        ("no_recourse", ("stopped", "finished"), "It is proved"),
        ("unresolved", ("stopped",), "The time ended before the search did"),
        ("unresolved", ("finished", "stopped", "unavailable"), "The time ended"),
        ("unresolved", ("finished", "unavailable"), "one of the searches could not be asked"),
        ("unresolved", ("finished",), "does not prove that there is none"),
    ],
)
def test_a_required_one_that_is_missing_says_why(status: Any, states: Any, match: str) -> None:
    found = _set(status, 0, *(Effort("step_search", state) for state in states))
    with pytest.raises(CounterfactualUnavailable, match=match) as refused:
        recourse_of(_sought("direct", required=True), found, 0.0, NOW)
    assert status not in str(refused.value)  # our own words for it mean nothing to a caller


def test_a_turn_ends_early_only_where_others_wait() -> None:
    now, waiting = [0.0], [False]
    turn = Turn.of(Deadline(1000, 0.0, lambda: now[0]), lambda: waiting[0])
    now[0] = 0.5
    assert not turn.expired
    waiting[0] = True
    assert turn.expired
    now[0] = 0.1
    assert not turn.expired  # its fair share is not used up
    now[0], waiting[0] = 1.0, False
    assert turn.expired
