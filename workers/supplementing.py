"""The evaluation `counterfactual`: what one explanation asked is looked for again, with a worker's patience.

It finishes what was deferred, and measures how far from the best possible an earlier answer was. What it
finds is appended as `explanation.supplemented`: an entry of its own, about the explanation, which stays as it
is. No clock decides what is found, unless a search takes very long: the effort on record repeats it either
way.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from importlib.metadata import version as installed_version

import orjson

from audit.canonical import JsonValue
from audit.entry import Draft
from explain.counterfactual.aim import Aim
from explain.counterfactual.base import CounterfactualSet
from explain.counterfactual.budget import Budget
from explain.counterfactual.concluding import conclude
from explain.counterfactual.constraints.narrowing import Narrowing
from explain.counterfactual.problem import Problem
from explain.counterfactual.search import METHOD_VERSION, run
from explain.deadline import Deadline
from explain.errors import ConstraintError, InvalidFeatures, InvalidNarrowing, TargetReached
from records.asked import aim_of, narrowing_of
from records.counterfactual_parts import AskedPart, CounterfactualPart
from records.evaluations import Evaluation, outcome_body, outcome_idempotency
from records.leases import Outcome
from records.private import build_supplement
from records.searched import features_changed, searched_part
from registry.proposing import AskedSearch
from workers.crosschecking import Recorded, read_recorded
from workers.errors import EvaluationImpossible
from workers.leasing import HeldLease
from workers.policy import Policy
from workers.resources import ACTOR, Resources
from workers.writing import without_reals

SUPPLEMENTED = "explanation.supplemented"
DIRECT = "direct"
CODE_VERSION = "ofrecord " + installed_version("ofrecord")

_USUAL_COUNT = 3  # of an explanation from before its request was on record
_NOT_SOUGHT = ("not_needed", "not_requested")


@dataclass(frozen=True, slots=True, eq=False)
class Sought:
    """What one explanation asked, as a problem of its model version; `methods` in the order of their turn.

    `each`: the request named its methods, so that each of them is asked, and not only until enough is found.
    """

    problem: Problem
    asked: AskedPart
    narrowing: Narrowing | None
    aim: Aim | None
    methods: tuple[str, ...]
    each: bool


class WatchedBudget(Budget):
    """A budget of evaluations that keeps the lease informed, and stops where the lease says so."""

    def __init__(self, deadline: Deadline, effort: int, report: Callable[[float], None]) -> None:
        super().__init__(deadline, effort)
        self._effort = effort
        self._report = report

    def goes_on(self) -> bool:
        """Tell whether another batch may begin; raises EvaluationStopped where the work must end."""
        self._report(min(self.spent / self._effort, 1.0))
        return super().goes_on()


def supplement(resources: Resources, evaluation: Evaluation, lease: HeldLease) -> Outcome:
    """Search to the end, or to the worker's effort, and say what that adds to the explanation."""
    recorded = read_recorded(resources, evaluation, None)
    sought = sought_of(recorded)
    lease.report(0.0)
    found = settled(_search(resources, recorded, sought, lease))
    gap = optimality_gap(recorded.private["counterfactuals"], found)
    result = {**_summary(found), "optimality_gap": gap}
    completed = _supplemented(evaluation, recorded, sought, found, result)
    return Outcome("completed", None, orjson.dumps(result), (completed,))


def sought_of(recorded: Recorded) -> Sought:
    """Read the question out of the record; EvaluationImpossible where there is none, or none that fits."""
    part, loaded = recorded.private["counterfactuals"], recorded.loaded
    if part["status"] in _NOT_SOUGHT:
        raise EvaluationImpossible("counterfactuals-not-sought")
    asked = part.get("asked") or _usual()
    narrowing, aim = narrowing_of(asked), aim_of(asked)
    try:
        problem = loaded.search.problem(
            loaded.space.instance(recorded.row),
            count=asked["count"],
            seed=int(part.get("seed", "0")),
            narrowing=narrowing,
            aim=aim,
        )
    except (InvalidNarrowing, InvalidFeatures, ConstraintError, TargetReached) as error:
        raise EvaluationImpossible("question-does-not-fit-the-model") from error
    methods = tuple(dict.fromkeys(asked["methods"] or loaded.manifest.counterfactuals.methods))
    return Sought(problem, asked, narrowing, aim, methods, asked["methods"] is not None)


def settled(found: CounterfactualSet) -> CounterfactualSet:
    """The set as a worker answers it: nobody goes on after it, so that what was found is simply found."""
    return replace(found, status="found") if found.status == "partial" else found


def optimality_gap(answered: CounterfactualPart, found: CounterfactualSet) -> float | None:
    """By which share the cheapest answered item costs more than any permitted change is proved to.

    0: nothing cheaper exists. None where nothing had been answered, or nothing is proved.
    """
    costs = [item["cost"] for item in answered["items"]]
    if not costs or not found.least_cost:
        return None
    return max(min(costs) / found.least_cost - 1.0, 0.0)


def _usual() -> AskedPart:
    return {
        "count": _USUAL_COUNT,
        "required": False,
        "features_to_vary": None,
        "permitted_range": [],
        "max_changes": None,
        "methods": None,
        "target": None,
    }


def _search(resources: Resources, recorded: Recorded, sought: Sought, lease: HeldLease) -> CounterfactualSet:
    """Let our own search look for it, then the exact one, then DiCE where too little was found."""
    loaded, problem = recorded.loaded, sought.problem
    found = [run(loaded.search.direct(problem), problem, _budget(resources.policy, lease, 0.0, 0.1))]
    if conclude(problem, found).status != "no_recourse":
        found.append(run(loaded.search.exact, problem, _budget(resources.policy, lease, 0.1, 0.9)))
    for method in (one for one in sought.methods if one != DIRECT):
        concluded = conclude(problem, found)
        enough = bool(concluded.items) and not sought.each
        if enough or concluded.status == "no_recourse" or not resources.proposer.configured:
            break
        lease.report(0.9)
        search = AskedSearch(method, sought.narrowing, sought.aim)
        deadline = Deadline(1e3 * resources.policy.proposing_seconds, time.monotonic())
        found.append(resources.proposer.propose_now(loaded, problem, search, deadline))
    return conclude(problem, found)


def _budget(policy: Policy, lease: HeldLease, begin: float, end: float) -> WatchedBudget:
    """The effort of one search, which takes the progress from one share of the work to another."""
    deadline = Deadline(1e3 * policy.search_seconds, time.monotonic())
    return WatchedBudget(
        deadline, policy.search_effort, lambda share: lease.report(begin + share * (end - begin))
    )


def _summary(found: CounterfactualSet) -> dict[str, object]:
    """What may be known without opening the entry: how it ended, and after how much effort."""
    return {
        "status": found.status,
        "proof": found.proof,
        "count": len(found.items),
        "complete": found.complete,
        "evaluations": found.evaluations,
        "searches": [one._asdict() for one in found.effort],
        "seed": str(found.seed),
    }


def _supplemented(
    evaluation: Evaluation,
    recorded: Recorded,
    sought: Sought,
    found: CounterfactualSet,
    result: Mapping[str, object],
) -> Draft:
    """The outcome's entry: status and digests in clear, what would have to change encrypted."""
    private, loaded = recorded.private, recorded.loaded
    part = searched_part(found, asked=sought.asked)
    body: dict[str, JsonValue] = {
        **outcome_body(evaluation),
        "counterfactual_status": found.status,
        "proof": found.proof,
        "model_digest": loaded.artifact_digest,
        "manifest_digest": loaded.manifest_digest,
        "reference_digest": loaded.reference_digest,
        "method": METHOD_VERSION,
        "code_version": CODE_VERSION,
        "result": without_reals(result),
    }
    return Draft(
        type=SUPPLEMENTED,
        actor=ACTOR,
        body=body,
        private=build_supplement(
            {
                "decision_id": private["decision_id"],
                "subject_ref": private["subject_ref"],
                "features": features_changed(private, part["items"]),
                "counterfactuals": part,
            }
        ),
        beside=recorded.beside,
        retention_class=recorded.retention_class,
        about=recorded.explanation_id,
        idempotency=outcome_idempotency(evaluation.evaluation_id),
    )
