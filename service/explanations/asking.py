"""What a request asks of the counterfactuals: put into the record's form, checked, and made a problem."""

from __future__ import annotations

from dataclasses import dataclass

from explain.counterfactual.aim import Aim, aimed
from explain.counterfactual.constraints.narrowing import Narrowing
from explain.counterfactual.problem import Problem
from explain.counterfactual.search import METHOD_VERSION
from explain.features import Instance
from explain.outcome import Decision
from explain.seeding import canonical_row, seed_for
from records.asked import aim_of, narrowing_of
from records.counterfactual_parts import AimPart, AskedPart, PermittedRow
from registry.loading import LoadedVersion
from schemas.counterfactual import CounterfactualRequest, CounterfactualTarget
from service.errors import InvalidInput
from service.strict_json import Flaw


def asked_part(asked: CounterfactualRequest) -> AskedPart:
    """What was asked, as it goes on record: in the caller's order, by which a fault is pointed at."""
    features, methods = asked.features_to_vary, asked.methods
    return {
        "count": asked.count,
        "required": asked.required,
        "features_to_vary": None if features is None else list(features),
        "permitted_range": [
            _permitted(feature, permitted) for feature, permitted in asked.permitted_range.items()
        ],
        "max_changes": asked.max_changes,
        "methods": None if methods is None else list(methods),
        "target": None if asked.target is None else _target(asked.target),
    }


@dataclass(frozen=True, slots=True, eq=False)
class Sought:
    """What is looked for, and by which searches, in the order in which they are asked.

    `each`: all of them are asked while time is left, and not only as long as too little is found.
    """

    problem: Problem
    narrowing: Narrowing | None
    aim: Aim | None
    methods: tuple[str, ...]
    each: bool
    required: bool


def checked(loaded: LoadedVersion, asked: CounterfactualRequest, instance: Instance) -> Sought | None:
    """Refuses what is asked in vain, before anything is computed; what is sought, where it is known already.

    It is where the request names a goal: any other waits for the decision. Raises `InvalidInput`,
    `InvalidNarrowing`, `TargetReached`, or `InvalidFeatures` for a row that the manifest's own links and
    groups rule out.
    """
    declared = loaded.manifest.counterfactuals.methods
    flaws = [
        Flaw(f"/counterfactuals/methods/{at}", f"is none of the manifest's methods: {', '.join(declared)}")
        for at, method in enumerate(asked.methods or ())
        if method not in declared
    ]
    if flaws:
        raise InvalidInput(tuple(flaws))
    if asked.target is not None and asked.count:
        return _sought(loaded, asked, instance)
    part = asked_part(asked)
    narrowing, aim = narrowing_of(part), aim_of(part)
    if aim is not None:
        aimed(loaded.rule, aim)
    if narrowing is not None:
        loaded.constraints.check_narrowing(narrowing)
    return None


def sought_of(
    loaded: LoadedVersion, asked: CounterfactualRequest, instance: Instance, decision: Decision
) -> Sought | None:
    """What a request that names no goal seeks; None where there is nothing to look for."""
    if asked.count == 0 or decision.favourable:
        return None
    return _sought(loaded, asked, instance)


def _sought(loaded: LoadedVersion, asked: CounterfactualRequest, instance: Instance) -> Sought:
    """The problem with its seed, which follows from the model, the row and the methods' version."""
    part = asked_part(asked)
    narrowing, aim = narrowing_of(part), aim_of(part)
    seed = seed_for(loaded.artifact_digest, canonical_row(instance.row), METHOD_VERSION)
    problem = loaded.search.problem(instance, count=asked.count, seed=seed, narrowing=narrowing, aim=aim)
    methods = asked.methods or loaded.manifest.counterfactuals.methods
    return Sought(problem, narrowing, aim, methods, asked.methods is not None, asked.required)


def _permitted(feature: str, given: tuple[float, float] | tuple[str, ...]) -> PermittedRow:
    categories = [one for one in given if isinstance(one, str)]
    least, greatest = (None, None) if categories or not given else (float(given[0]), float(given[1]))
    row: PermittedRow = {"feature": feature, "least": least, "greatest": greatest, "categories": None}
    if least is None:
        row["categories"] = categories
    return row


def _target(target: CounterfactualTarget) -> AimPart:
    score = None if target.score is None else float(target.score)
    return {"score": score, "direction": target.direction, "wanted_class": target.class_}
