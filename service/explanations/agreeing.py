"""Whether what the caller says was decided is what was decided: by the model, and by all components together.

Checked before anything is put on record. What cannot be true together is a mismatch; what is not well formed
was refused before.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from explain.components import Combined, Component, GivenReason, combine
from explain.outcome import Decision
from registry.loading import LoadedVersion
from schemas.application import Decided, DecisionComponent
from schemas.explanation import ExplanationRequest
from service.errors import DecisionMismatch, InvalidInput
from service.strict_json import Flaw, escape

# A decided score is often sent rounded: it counts as reproduced within half of its last decimal place, at
# most this.
_COARSEST_ROUNDING = 0.005

SKEW = timedelta(minutes=1)  # how far one clock may be ahead of another


def agree(loaded: LoadedVersion, request: ExplanationRequest, decision: Decision) -> Combined:
    """What all components decided together, if it is what the caller says.

    Raises `DecisionMismatch` or `ComponentsContradict` for a decision that this model version and these
    components would not have made, `InvalidComponents` for components that no decision can have.
    """
    application, band = request.application, loaded.manifest.outcome.gray_band
    combined = combine(
        loaded.rule,
        decision,
        band,
        [_component(one) for one in request.components],
        None if application is None else application.action,
        words=loaded.words,
    )
    if request.decided is not None:
        check_decided(request.decided, decision, combined)
    return combined


def check_decided(decided: Decided, decision: Decision, combined: Combined) -> None:
    """Refuses the outcome of another decision, and the score of another model."""
    if decided.outcome is not None and decided.outcome != combined.outcome:
        raise DecisionMismatch("The outcome that was sent is not reproduced.", "/decided/outcome")
    if decided.score is not None:
        _, _, decimals = repr(float(decided.score)).partition(".")
        rounding = 0.5 * 10.0 ** -len(decimals) if decimals.isdigit() else 0.0
        allowed = max(1e-6 * max(1.0, abs(decision.score)), min(rounding, _COARSEST_ROUNDING))
        if abs(decided.score - decision.score) > allowed * (1 + 1e-9):
            says = "The model version does not reproduce the score that was sent."
            raise DecisionMismatch(says, "/decided/score")


def check_times(request: ExplanationRequest, now: datetime) -> None:
    """Refuses what has not happened yet, and an application that was complete only after its decision.

    The notice is due so many days after these times: a wrong one would hide for years that it is overdue.
    """
    flaws = tuple(_time_flaws(request, now))
    if flaws:
        raise InvalidInput(flaws)


def _time_flaws(request: ExplanationRequest, now: datetime) -> Iterator[Flaw]:
    decided_at = None if request.decided is None else request.decided.at
    if decided_at is not None and decided_at - now > SKEW:
        yield Flaw("/decided/at", "must not be in the future")
    if request.application is None:
        return
    completed_at = request.application.completed_at
    if completed_at is not None and completed_at - now > SKEW:
        yield Flaw("/application/completed_at", "must not be in the future")
    elif completed_at is not None and decided_at is not None and completed_at - decided_at > SKEW:
        yield Flaw("/application/completed_at", "must not be after the decision")
    for at, report in enumerate(request.application.consumer_reports):
        if report.score is not None and report.score.created_at - now > SKEW:
            pointer = f"/application/consumer_reports/{at}/score/created_at"
            yield Flaw(pointer, "must not be in the future")


def _component(one: DecisionComponent) -> Component:
    reasons = tuple(GivenReason(reason.code, tuple(reason.observed.items())) for reason in one.reasons)
    return Component(one.name, one.kind, one.result, reasons)


def check_protected(loaded: LoadedVersion, protected: tuple[str, ...]) -> None:
    """Refuses protected attributes that the manifest does not declare."""
    unknown = [name for name in protected if name not in loaded.manifest.protected]
    if unknown:
        raise InvalidInput(
            tuple(
                Flaw(f"/protected/{escape(name)}", "is not declared as protected by the manifest")
                for name in unknown
            )
        )
