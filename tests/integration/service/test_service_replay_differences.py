"""What is not on record as it comes out today is told by its place: changed records, changed stores."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson
import pytest

from records.private_parts import PrivatePart
from tests.integration.service.combined_systems import KNOCKED_OUT, combined_loans
from tests.integration.service.replays import explained, recorded_otherwise, replayed

Change = Callable[[PrivatePart], None]


def _phi(off: float) -> Change:
    def change(part: PrivatePart) -> None:
        part["attribution"]["values"][1]["phi"] += off

    return change


def _score(part: PrivatePart) -> None:
    part["decision"]["score"] += 0.01


def _base(part: PrivatePart) -> None:
    part["attribution"]["base_value"] -= 0.5


def _method(part: PrivatePart) -> None:
    part["attribution"]["method"] = "path_dependent_treeshap"


def _order(part: PrivatePart) -> None:
    part["reasons"][0], part["reasons"][1] = part["reasons"][1], part["reasons"][0]


def _text(part: PrivatePart) -> None:
    part["reasons"][0]["text"] = "Policy"


def _fewer(part: PrivatePart) -> None:
    del part["reasons"][-1]


def _warned(part: PrivatePart) -> None:
    part["warnings"].append({"code": "missing", "feature": "income", "detail": "no value was given"})


def _due(part: PrivatePart) -> None:
    assert part["notice"]
    part["notice"]["blocked"] = ["debt"]


def _cost(part: PrivatePart) -> None:
    part["counterfactuals"]["items"][0]["cost"] *= 1.5


def _to(part: PrivatePart) -> None:
    change = part["counterfactuals"]["items"][0]["changes"][0]
    assert isinstance(change["to"], float)
    change["to"] += 0.1


def _status(part: PrivatePart) -> None:
    part["counterfactuals"]["status"] = "no_recourse"


def _income(part: PrivatePart) -> None:
    part["features"][0]["value"] = 500.0


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        (_phi(0.25), "/attribution/values/1/phi"),
        (_score, "/decision/score"),
        (_base, "/attribution/base_value"),
        (_method, "/attribution/method"),
        (_order, "/reasons/0/rank"),
        (_text, "/reasons/0/text"),
        (_fewer, None),
        (_warned, "/warnings/0"),
        (_due, "/notice/blocked/0"),
        (_cost, "/counterfactuals/items/0/cost"),
        (_to, "/counterfactuals/items/0/changes/0/to"),
        (_status, "/counterfactuals/status"),
        (_income, "/decision/outcome"),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_a_record_that_says_something_else_is_different_at_that_place(
    running: Any, change: Change, pointer: str | None
) -> None:
    answer = explained(running, application={"action": "denial"})
    found = replayed(running, recorded_otherwise(running, answer["explanation_id"], change))
    assert found["verdict"] == "different"
    first = found["first_difference"]
    expected = pointer or f"/reasons/{len(answer['reasons']) - 1}"
    assert first["pointer"] == expected
    assert first["recorded"] != first["recomputed"]
    assert found["parts"][expected.split("/")[1]] == "different"


def test_the_values_that_differ_are_on_record_under_the_persons_key(running: Any) -> None:
    answer = explained(running)
    found = replayed(running, recorded_otherwise(running, answer["explanation_id"], _phi(0.25)))
    stored = running.services.log.read(running.uuid(found["receipt"]["entry_id"]))
    assert stored.entry.body["first_difference"] == "/attribution/values/1/phi"
    told = orjson.loads(running.services.log.open(stored))["first_difference"]
    real = answer["attribution"]["values"][1]["phi"]
    assert (told["pointer"], float(told["recomputed"])) == ("/attribution/values/1/phi", real)
    assert float(told["recorded"]) == found["first_difference"]["recorded"] == real + 0.25
    assert found["first_difference"]["difference"] == pytest.approx(0.25)


def test_reals_within_the_tolerance_are_no_other_decision(running: Any) -> None:
    answer = explained(running)
    tolerance = answer["attribution"]["reconciliation"]["tolerance"]
    found = replayed(running, recorded_otherwise(running, answer["explanation_id"], _phi(0.9 * tolerance)))
    assert found["verdict"] == "within_tolerance"
    first = found["first_difference"]
    assert first["pointer"] == "/attribution/values/1/phi"
    assert 0 < first["difference"] < first["tolerance"] == tolerance
    assert found["parts"]["attribution"] == "within_tolerance"
    beyond = recorded_otherwise(running, answer["explanation_id"], _phi(1.1 * tolerance))
    assert replayed(running, beyond)["verdict"] == "different"


def test_a_difference_that_counts_is_told_before_one_that_does_not(running: Any) -> None:
    def both(part: PrivatePart) -> None:
        _phi(1e-6)(part)
        _text(part)

    answer = explained(running)
    found = replayed(running, recorded_otherwise(running, answer["explanation_id"], both))
    assert (found["verdict"], found["first_difference"]["pointer"]) == ("different", "/reasons/0/text")
    assert found["parts"]["attribution"] == "within_tolerance"


def test_a_record_of_an_earlier_form_is_compared_as_far_as_it_goes(running: Any) -> None:
    def earlier(part: PrivatePart) -> None:
        for name in ("wording", "given", "component", "proxy"):
            for reason in part["reasons"]:
                del reason[name]  # type: ignore[misc]
        if "combined" in part:
            del part["combined"]

    answer = explained(running)
    found = replayed(running, recorded_otherwise(running, answer["explanation_id"], earlier))
    assert (found["verdict"], found["first_difference"]) == ("within_tolerance", None)
    assert found["not_compared"] == [{"part": "combined", "why": "not-on-record"}]
    assert found["parts"]["reasons"] == "identical"

    def worded(part: PrivatePart) -> None:
        for reason in part["reasons"]:
            del reason["wording"]

    found = replayed(running, recorded_otherwise(running, answer["explanation_id"], worded))
    assert found["not_compared"] == [{"part": "form", "why": "recorded-in-an-earlier-form"}]


def test_what_every_component_gave_is_needed_and_older_records_may_lack_it(running: Any, upload: Any) -> None:
    def earlier(part: PrivatePart) -> None:
        assert part["combined"]
        for one in part["combined"]["components"]:
            del one["reasons"]

    combining = combined_loans(running, upload)
    answer = combining.explain(combining.declined, KNOCKED_OUT)
    found = replayed(running, recorded_otherwise(running, answer["explanation_id"], earlier))
    assert found["verdict"] == "within_tolerance"
    assert found["compared"] == ["version", "features", "decision", "attribution"]


def test_what_is_said_in_clear_is_compared_too(running: Any) -> None:
    answer = explained(running)
    other = recorded_otherwise(running, answer["explanation_id"], lambda _: None, outcome="approve")
    assert replayed(running, other)["first_difference"]["pointer"] == "/body/outcome"


def test_what_cannot_be_computed_any_more_is_a_difference_by_name(running: Any) -> None:
    def renamed(part: PrivatePart) -> None:
        part["features"][0]["name"] = "earnings"
        part["attribution"]["values"][0]["feature"] = "earnings"
        for reason in part["reasons"]:
            reason["observed"] = []
        part["counterfactuals"]["items"] = []

    answer = explained(running)
    found = replayed(running, recorded_otherwise(running, answer["explanation_id"], renamed))
    assert found["verdict"] == "different"
    assert found["first_difference"]["pointer"] == "/features"
    assert found["first_difference"]["recomputed"] == {"error": "invalid-input"}
    assert found["parts"]["decision"] == "not_compared"
