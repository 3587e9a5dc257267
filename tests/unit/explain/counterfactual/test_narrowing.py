"""What a request may ask: less than the manifest allows, another goal; all else refused at its pointer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from explain.contrast import Contrast
from explain.counterfactual.aim import Aim, aimed
from explain.counterfactual.base import Change
from explain.counterfactual.budget import Budget
from explain.counterfactual.concluding import conclude
from explain.counterfactual.constraints.checker import Constraints, FeatureConstraint
from explain.counterfactual.constraints.narrowing import Narrowing
from explain.counterfactual.search import CounterfactualSearch, run
from explain.deadline import Deadline
from explain.errors import InvalidFeatures, InvalidNarrowing, TargetReached
from explain.features import Feature, FeatureSpace
from explain.outcome import OutcomeRule
from explain.reference import Reference

if TYPE_CHECKING:
    from conftest import Forest, Split

SPACE = FeatureSpace(
    (
        Feature("income", "number", minimum=0.0, maximum=100.0, nullable=True),
        Feature("years", "integer", maximum=40.0),
        Feature("owner", "boolean"),
        Feature("kind", "category", categories=("a", "b", "c")),
        Feature("age/now", "integer", sensitive=True),
    )
)
CONSTRAINTS = Constraints(
    SPACE,
    {
        "income": FeatureConstraint(mutable=True, maximum=80.0, step=0.5, fill=True),
        "years": FeatureConstraint(mutable=True, step=12.0),
        "owner": FeatureConstraint(mutable=True),
        "kind": FeatureConstraint(mutable=True, transitions={"a": frozenset({"b"})}),
    },
    max_changes=2,
)
RULE = OutcomeRule("margin", 0.0, "decline", "approve", "high_is_adverse")
MANY = OutcomeRule("margin", 0.0, "n", "y", "high_is_adverse", Contrast(("low", "mid", "high"), (2,)))


@pytest.mark.parametrize(
    ("asked", "pointer", "match"),
    [
        ({"features_to_vary": ("nobody",)}, "/features_to_vary/0", "not a feature"),
        ({"features_to_vary": ("income", "age/now")}, "/features_to_vary/1", "may not change"),
        ({"features_to_vary": ()}, "/features_to_vary", "leaves nothing"),
        ({"max_changes": 3}, "/max_changes", "manifest's 2"),
        ({"max_changes": 0}, "/max_changes", "between 1"),
        ({"permitted_range": {"nobody": (0, 1)}}, "/permitted_range/nobody", "not a feature"),
        ({"permitted_range": {"age/now": (0, 1)}}, "/permitted_range/age~1now", "may not change"),
        (
            {"permitted_range": {"income": (0, 81)}},
            "/permitted_range/income",
            "within the manifest's: 0 to 80",
        ),
        ({"permitted_range": {"income": (-1, 9)}}, "/permitted_range/income", "within the manifest's"),
        ({"permitted_range": {"income": (9, 8)}}, "/permitted_range/income", "empty"),
        ({"permitted_range": {"income": (8.1, 8.4)}}, "/permitted_range/income", "no multiple of 0.5"),
        ({"permitted_range": {"years": (13, 23)}}, "/permitted_range/years", "no multiple of 12"),
        ({"permitted_range": {"income": ("a", "b")}}, "/permitted_range/income", "least and greatest"),
        ({"permitted_range": {"income": (1.0,)}}, "/permitted_range/income", "least and greatest"),
        ({"permitted_range": {"income": (float("nan"), 3.0)}}, "/permitted_range/income", "empty"),
        ({"permitted_range": {"owner": ("true",)}}, "/permitted_range/owner", "not for true and false"),
        ({"permitted_range": {"owner": (0, 1)}}, "/permitted_range/owner", "not for true and false"),
        ({"permitted_range": {"kind": (0.0, 1.0)}}, "/permitted_range/kind", "must be categories"),
        ({"permitted_range": {"kind": ()}}, "/permitted_range/kind", "is empty"),
        ({"permitted_range": {"kind": ("b", "z")}}, "/permitted_range/kind/1", "is not a category"),
        ({"permitted_range": {"kind": ("c",)}}, "/permitted_range/kind/0", "nothing may become"),
        ({"permitted_range": {"kind": ("b", 1.0)}}, "/permitted_range/kind", "must be categories"),
        ({"permitted_range": {"income": ()}}, "/permitted_range/income", "is empty"),
        ({"permitted_range": {"years": (-1e308, 1e308)}}, "/permitted_range/years", "manifest's: at most 40"),
    ],
)
def test_what_is_not_narrower_is_refused_at_its_place(
    asked: dict[str, Any], pointer: str, match: str
) -> None:
    with pytest.raises(InvalidNarrowing) as refused:
        CONSTRAINTS.narrowed(Narrowing(**asked))
    (fault,) = refused.value.errors
    assert fault.pointer == pointer
    assert match in fault.detail


def test_every_fault_is_told_at_once() -> None:
    asked = Narrowing(("nobody",), {"income": (9.0, 8.0), "kind": ()}, 9)
    with pytest.raises(InvalidNarrowing) as refused:
        CONSTRAINTS.narrowed(asked)
    assert {fault.pointer for fault in refused.value.errors} == {
        "/features_to_vary/0",
        "/permitted_range/income",
        "/permitted_range/kind",
        "/max_changes",
    }


def test_a_narrowing_tightens() -> None:
    row = np.array([50.0, 24.0, 0.0, 0.0, 44.0])
    asked = Narrowing(("income", "kind"), {"income": (40.0, 60.0), "kind": ("b",)}, 1)
    narrowed = CONSTRAINTS.narrowed(asked)
    assert narrowed.changeable(row) == [0, 3]
    assert narrowed.limits(0) == (40.0, 60.0)
    assert narrowed.max_changes == 1
    assert narrowed.check(row, np.array([60.0, 24.0, 0.0, 0.0, 44.0])) == ()
    assert narrowed.check(row, np.array([60.5, 24.0, 0.0, 0.0, 44.0])) != ()
    assert narrowed.check(row, np.array([50.0, 36.0, 0.0, 0.0, 44.0])) == ("years must not change",)
    assert CONSTRAINTS.narrowed(Narrowing()).changeable(row) == CONSTRAINTS.changeable(row)
    with pytest.raises(InvalidNarrowing, match="may not change"):
        narrowed.narrowed(Narrowing(("years",)))


@pytest.mark.parametrize("step", [None, 0.5])
@pytest.mark.parametrize("ends", [(-1e308, 1e308), (0.0, 1.7e308), (0.0, 5e-324)])
def test_a_range_may_be_as_wide_as_numbers_go(
    make_forest: type[Forest], split: type[Split], step: float | None, ends: tuple[float, float]
) -> None:
    space = FeatureSpace((Feature("income", "number"),))
    wide = Constraints(space, {"income": FeatureConstraint(mutable=True, step=step)}, max_changes=1)
    model = make_forest(space, [split(threshold=20.0, left=split(value=1.0), right=split(value=-1.0))])
    reference = Reference.of("given", np.arange(40.0)[:, None])
    search = CounterfactualSearch.prepare(model, RULE, wide, reference)
    asked = Narrowing(permitted_range={"income": ends})
    problem = search.problem(space.read({"income": 5.0}), count=1, seed=1, narrowing=asked)
    for method in (search.direct(problem), search.exact):
        found = run(method, problem, Budget(Deadline(60_000, 0.0, lambda: 0.0), None))
        reached = [item.changes[0].after for item in conclude(problem, [found]).items]
        assert bool(reached) == (ends[1] >= 20.0)
        assert all(isinstance(one, float) and ends[0] <= one <= ends[1] for one in reached)


@pytest.mark.parametrize("direction", ["below", "above"])
@pytest.mark.parametrize("kind", ["probability_of_adverse", "probability_of_favourable", "margin", "value"])
def test_an_aim_is_one_side_of_a_score(kind: Any, direction: Any) -> None:
    sided = None if kind.startswith("prob") else "low_is_adverse"
    rule = aimed(OutcomeRule(kind, 0.5, "n", "y", sided), Aim(0.2, direction))
    scores = np.array([0.1, 0.2, 0.3])
    assert rule.favourable_mask(scores).tolist() == [
        score < 0.2 if direction == "below" else score >= 0.2 for score in scores
    ]
    assert (rule.score == "margin") == (kind == "margin")


def test_an_aim_at_a_class_needs_all_others_below_it() -> None:
    rule = aimed(MANY, Aim(wanted_class="mid"))
    margins = np.array([[0.0, 1.0, 0.9], [1.0, 0.9, 0.0], [0.0, 0.9, 1.0], [1.0, 1.0, 0.0]])
    assert rule.favourable_mask(rule.scores_of(margins, margins)).tolist() == [True, False, False, False]


@pytest.mark.parametrize(
    ("rule", "aim", "pointer"),
    [
        (MANY, Aim(wanted_class="best"), "/target/class"),
        (RULE, Aim(wanted_class="low"), "/target/class"),
        (MANY, Aim(0.0, "below"), "/target/score"),
        (OutcomeRule("probability_of_adverse", 0.5, "n", "y"), Aim(0.0, "below"), "/target/score"),
        (OutcomeRule("probability_of_favourable", 0.5, "n", "y"), Aim(1.2, "above"), "/target/score"),
    ],
)
def test_an_aim_that_is_none_of_the_model(rule: OutcomeRule, aim: Aim, pointer: str) -> None:
    with pytest.raises(InvalidNarrowing) as refused:
        aimed(rule, aim)
    assert [fault.pointer for fault in refused.value.errors] == [pointer]


@pytest.mark.parametrize(
    "given",
    [{}, {"score": 1.0}, {"direction": "below"}, {"score": 1.0, "direction": "below", "wanted_class": "a"}],
)
def test_an_aim_is_one_thing(given: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="score"):
        Aim(**given)


@pytest.fixture
def search(make_forest: type[Forest], split: type[Split]) -> CounterfactualSearch:
    """The margin falls from 1 over 0.2 to -1 as income rises over 20 and 60; a missing income is worst."""
    high = split(feature=0, threshold=60.0, left=split(value=0.2), right=split(value=-1.0))
    tree = split(feature=0, threshold=20.0, left=split(value=1.0), right=high)
    model = make_forest(SPACE, [tree])
    rows = np.tile(np.array([70.2, 12.0, 0.0, 1.0, 40.0]), (40, 1))
    return CounterfactualSearch.prepare(model, RULE, CONSTRAINTS, Reference.of("given", rows))


def instance(income: float | None) -> Any:
    return SPACE.read({"income": income, "years": 24, "owner": False, "kind": "a", "age/now": 44})


def answer(search: CounterfactualSearch, income: float | None, **asked: Any) -> Any:
    problem = search.problem(instance(income), count=2, seed=1, **asked)
    return conclude(problem, [run(search.direct(problem), problem, Budget(Deadline.unlimited(), None))])


def test_a_goal_of_ones_own_is_reached_and_named_by_the_configured_rule(search: CounterfactualSearch) -> None:
    found = answer(search, 10.0, aim=Aim(0.5, "below"))
    assert [item.changes for item in found.items] == [(Change("income", 10.0, 20.0),)]
    assert (found.items[0].margin, found.items[0].outcome) == (0.2, "decline")
    worse = answer(search, 70.0, aim=Aim(0.5, "above"), narrowing=Narrowing(max_changes=1))
    assert [item.changes[0].after for item in worse.items] == [19.5]


def test_a_goal_that_is_reached_already_is_refused(search: CounterfactualSearch) -> None:
    with pytest.raises(TargetReached, match="already reaches"):
        search.problem(instance(30.0), count=1, seed=1, aim=Aim(0.5, "below"))


def test_within_narrower_limits_nothing_may_be_left(search: CounterfactualSearch) -> None:
    assert answer(search, 30.0).items[0].changes == (Change("income", 30.0, 60.0),)
    narrow = Narrowing(permitted_range={"income": (0.0, 50.0)})
    assert answer(search, 30.0, narrowing=narrow).status == "no_recourse"
    with pytest.raises(InvalidNarrowing):
        search.problem(instance(30.0), count=1, seed=1, narrowing=Narrowing(max_changes=7))


def test_a_missing_value_is_filled_with_what_is_usual(search: CounterfactualSearch) -> None:
    found = answer(search, None)
    assert [item.changes for item in found.items] == [(Change("income", None, 70.0),)]
    assert found.items[0].cost == 2.0


def test_a_factual_that_contradicts_the_manifest_is_refused(
    make_forest: type[Forest], split: type[Split]
) -> None:
    model = make_forest(SPACE, [split(value=1.0)])
    free = {name: FeatureConstraint(mutable=True) for name in ("owner", "years")}
    constraints = Constraints(SPACE, free, 1, groups=(("owner", "years"),))
    reference = Reference.of("given", np.zeros((30, 5)))
    search = CounterfactualSearch.prepare(model, RULE, constraints, reference)
    with pytest.raises(InvalidFeatures, match="/years: exactly one of owner, years"):
        search.problem(instance(3.0), count=1, seed=1)
