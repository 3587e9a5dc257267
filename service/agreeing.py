"""Whether what the caller says was decided is what was decided: by the model, and by all components together.

Checked before anything is put on record. What cannot be true together is a mismatch; what is not well formed
was refused before.
"""

from __future__ import annotations

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
        raise DecisionMismatch("The outcome that was sent is not reproduced.")
    if decided.score is not None:
        _, _, decimals = repr(float(decided.score)).partition(".")
        rounding = 0.5 * 10.0 ** -len(decimals) if decimals.isdigit() else 0.0
        allowed = max(1e-6 * max(1.0, abs(decision.score)), min(rounding, _COARSEST_ROUNDING))
        if abs(decided.score - decision.score) > allowed * (1 + 1e-9):
            raise DecisionMismatch("The model version does not reproduce the score that was sent.")


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
