"""Asking the workers for an evaluation: the row and its entry first, the message after they are committed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import get_args
from uuid import UUID

from records import evaluations
from records.evaluations import Evaluation
from records.reaching import transaction
from registry import store
from schemas.evaluation import EvaluationRequest
from schemas.manifest_sections import ReferenceKind
from service.context import Services, id_of
from service.errors import InvalidInput, NotFound
from service.explanations.recalling import EXPLANATION
from service.strict_json import Flaw, escape

FEWEST_DRAWS, MOST_DRAWS = 50, 2_000
REFERENCES: tuple[str, ...] = get_args(ReferenceKind)
MEASURED = ("answer", "supplement")


def request(
    services: Services, asked: EvaluationRequest, actor: str, reference: str | None = None
) -> Evaluation:
    """Records the request, then sends the task; whether it was sent does not matter to the caller.

    `reference` is the parameter of that name as the query said it.
    """
    if asked.kind not in evaluations.KINDS:
        raise evaluations.EvaluationKindUnknown(asked.kind)
    if reference is not None:
        asked = _with_reference(asked, reference)
    version, parameters = _READERS[asked.kind](services, asked)
    wanted = evaluations.EvaluationRequest(
        kind=asked.kind, model=asked.model, version=version, parameters=parameters, requested_by=actor
    )
    with transaction(services.pool) as conn:
        requested = evaluations.request_evaluation(conn, services.log, wanted, services.clock.now())
    services.tasks.evaluate(requested.evaluation_id)
    return requested


def look(services: Services, evaluation_id: UUID) -> Evaluation:
    """One evaluation and how far it is."""
    with transaction(services.pool) as conn:
        return evaluations.read_evaluation(conn, evaluation_id)


def cancel(services: Services, evaluation_id: UUID, actor: str) -> Evaluation:
    """Cancels what has not finished; what has finished stays as it is."""
    with transaction(services.pool) as conn:
        return evaluations.cancel_evaluation(conn, services.log, evaluation_id, actor, services.clock.now())


def _with_reference(asked: EvaluationRequest, reference: str) -> EvaluationRequest:
    """The request with the query's `reference` among its parameters, unless they say otherwise."""
    given = asked.parameters.get("reference", reference)
    if given != reference:
        raise InvalidInput((Flaw("/parameters/reference", "is another one than the query's"),))
    return asked.model_copy(update={"parameters": {**asked.parameters, "reference": reference}})


def _about_one_explanation(services: Services, asked: EvaluationRequest) -> tuple[str, dict[str, str]]:
    """The version and parameters of an evaluation of one explanation."""
    return _about_it(services, asked, _unknown(asked, "explanation_id"), {})


def _about_its_stability(services: Services, asked: EvaluationRequest) -> tuple[str, dict[str, str]]:
    """The same with a number of draws, if one is given."""
    flaws, more = _unknown(asked, "explanation_id", "draws"), {}
    draws = asked.parameters.get("draws")
    if draws is not None:
        if isinstance(draws, bool) or not isinstance(draws, int) or not FEWEST_DRAWS <= draws <= MOST_DRAWS:
            says = f"must be a whole number from {FEWEST_DRAWS} to {MOST_DRAWS}"
            flaws.append(Flaw("/parameters/draws", says))
        more = {"draws": str(draws)}
    return _about_it(services, asked, flaws, more)


def _about_another_reference(services: Services, asked: EvaluationRequest) -> tuple[str, dict[str, str]]:
    """The same with the reference to compare with."""
    flaws = _unknown(asked, "explanation_id", "reference")
    reference = asked.parameters.get("reference")
    if reference not in REFERENCES:
        flaws.append(Flaw("/parameters/reference", f"must be one of {', '.join(REFERENCES)}"))
    return _about_it(services, asked, flaws, {"reference": str(reference)})


def _about_its_counterfactuals(services: Services, asked: EvaluationRequest) -> tuple[str, dict[str, str]]:
    """The version and parameters of another search for one explanation's counterfactuals."""
    found = _about_it(services, asked, _unknown(asked, "explanation_id"), {})
    _require_sought(services, found[1])
    return found


def _about_their_measures(services: Services, asked: EvaluationRequest) -> tuple[str, dict[str, str]]:
    """The same for measuring them, with whose they are and the other reference where that is said."""
    flaws, more = _unknown(asked, "explanation_id", "of", "reference"), {}
    for name, known in (("of", MEASURED), ("reference", REFERENCES)):
        given = asked.parameters.get(name)
        if given is None:
            continue
        if given not in known:
            flaws.append(Flaw(f"/parameters/{name}", f"must be one of {', '.join(known)}"))
        more[name] = str(given)
    found = _about_it(services, asked, flaws, more)
    _require_sought(services, found[1])
    return found


def _require_sought(services: Services, parameters: Mapping[str, str]) -> None:
    """Refuses an explanation for which none were looked for: it was favourable, or asked for none."""
    body = services.log.read(UUID(parameters["explanation_id"])).entry.body
    status = body.get("counterfactual_status")
    if status in ("not_needed", "not_requested"):
        says = f"is of an explanation whose counterfactuals were {str(status).replace('_', ' ')}"
        raise InvalidInput((Flaw("/parameters/explanation_id", says),))


def _about_it(
    services: Services, asked: EvaluationRequest, flaws: list[Flaw], more: Mapping[str, str]
) -> tuple[str, dict[str, str]]:
    """The version that gave the explanation, and its id beside these parameters; InvalidInput for flaws."""
    given = asked.parameters.get("explanation_id")
    found = id_of(given) if isinstance(given, str) else None
    if found is None:
        flaws = [*flaws, Flaw("/parameters/explanation_id", "must be the id of an explanation")]
    if flaws or found is None:
        raise InvalidInput(tuple(flaws))
    return _version_of(services, asked, found), {"explanation_id": str(found), **more}


def _about_a_version(services: Services, asked: EvaluationRequest) -> tuple[str, dict[str, str]]:
    """The version and parameters of an evaluation of a whole version; the approved one if none is named."""
    flaws = _unknown(asked, "over")
    over = asked.parameters.get("over", "reference")
    if over != "reference":
        flaws.append(Flaw("/parameters/over", "must be `reference`: the version's frozen reference"))
    if flaws:
        raise InvalidInput(tuple(flaws))
    with transaction(services.pool) as conn:
        row = store.serving_row(conn, asked.model, asked.version)
    return row.version, {"over": "reference"}


_Reader = Callable[[Services, EvaluationRequest], tuple[str, dict[str, str]]]
_READERS: Mapping[str, _Reader] = {
    "kernelshap": _about_one_explanation,
    "importance": _about_a_version,
    "reason_stability": _about_its_stability,
    "reference_comparison": _about_another_reference,
    "counterfactual": _about_its_counterfactuals,
    "counterfactual_metrics": _about_their_measures,
}


def _unknown(asked: EvaluationRequest, *known: str) -> list[Flaw]:
    unknown = sorted(set(asked.parameters) - set(known))
    return [
        Flaw(f"/parameters/{escape(name)}", "is not a known parameter of this evaluation") for name in unknown
    ]


def _version_of(services: Services, asked: EvaluationRequest, explanation_id: UUID) -> str:
    """The version that gave the explanation; an evaluation of it by another would compare nothing."""
    entry = services.log.read(explanation_id).entry
    version = entry.body.get("version")
    if entry.type != EXPLANATION or entry.body.get("model") != asked.model or not isinstance(version, str):
        raise NotFound("This model has no explanation with this id.")
    if asked.version not in (None, version):
        raise InvalidInput((Flaw("/version", f"this explanation was given by version {version}"),))
    return version
