"""Combined systems: a model beside knock-out rules and judgment, and which of them denied.

Regulation B, comments 9(b)(2)-7 and -8: the reasons come from the component that was failed; from both where
one left the application open and the other then denied it; a knock-out rule gives its own specific factor;
four in total.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from typing import Literal

from explain.catalogue import ComponentKind, ReasonCatalogue
from explain.errors import ExplainError, FieldError
from explain.outcome import Decision, OutcomeRule
from explain.reasons import Reason
from explain.wording import component_text

Result = Literal["passed", "failed", "gray", "not_used"]
Action = Literal[
    "approval",
    "denial",
    "counteroffer",
    "incompleteness",
    "withdrawal",
    "account_termination",
    "unfavourable_change",
]
MODEL = "model"
"""What the model's own component is called where the caller does not name it."""

ADVERSE_ACTIONS: frozenset[Action] = frozenset(
    ("denial", "counteroffer", "incompleteness", "account_termination", "unfavourable_change")
)
MOST_REASONS = 4


@dataclass(frozen=True, slots=True)
class GivenReason:
    """A reason that a component other than the model gave: a code of the catalogue, and what it saw."""

    code: str
    observed: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Component:
    """One component as the caller describes it; the result of the model is checked, not believed."""

    name: str
    kind: ComponentKind
    result: Result
    reasons: tuple[GivenReason, ...] = ()


@dataclass(frozen=True, slots=True)
class Combined:
    """What all components together decided; `components` holds the model's too, with its real result."""

    outcome: str
    favourable: bool
    components: tuple[Component, ...]

    @property
    def model(self) -> Component:
        """The model's own component."""
        return next(one for one in self.components if one.kind == "model")

    @property
    def failed(self) -> tuple[Component, ...]:
        """The components that the denial came from; none for a favourable decision.

        Those that failed, and one that was left open (`gray`): the model where judgment then denied, judgment
        that came first where the model then denied.
        """
        if self.favourable:
            return ()
        denying = {one.kind for one in self.components if one.result in ("failed", "gray")}
        counts = {"failed", "gray"} if {"model", "judgmental"} <= denying else {"failed"}
        return tuple(one for one in self.components if one.result in counts)

    @property
    def needs_model_reasons(self) -> bool:
        """Whether the model's own principal reasons belong to the reasons of the whole decision."""
        return any(one.kind == "model" for one in self.failed)


class ComponentsContradict(ExplainError):
    """The components that were sent contradict each other or the model."""

    def __init__(self, pointer: str, detail: str) -> None:
        self.pointer, self.detail = pointer, detail
        self.members: Mapping[str, object] = {}  # what whoever answers it adds
        super().__init__(f"{pointer}: {detail}")


class InvalidComponents(ExplainError):
    """The components are not such as a decision can have; pointers are relative to the request."""

    def __init__(self, errors: Iterable[FieldError]) -> None:
        self.errors = tuple(errors)
        super().__init__("; ".join(f"{error.pointer}: {error.detail}" for error in self.errors))


def combine(
    rule: OutcomeRule,
    decision: Decision,
    gray_band: tuple[float, float] | None,
    components: Sequence[Component],
    action: Action | None,
    *,
    words: ReasonCatalogue,
) -> Combined:
    """Find out which components decided, and compare with what the caller says of the model and the action.

    `gray_band` holds the least and the greatest score that is referred to judgment. Without a component of
    kind `model` the model's own is put first under the name `model`. Raises InvalidComponents for components
    that cannot be, ComponentsContradict for those that are contradicted.
    """
    faults = tuple(_faults(components, words))
    if faults:
        raise InvalidComponents(faults)
    result = _model_result(decision, gray_band, components)
    known = [_checked(at, one, result, components) for at, one in enumerate(components)]
    if all(one.kind != "model" for one in known):
        known.insert(0, Component(MODEL, "model", result))
    model = next(one.result for one in known if one.kind == "model")
    adverse = any(one.result == "failed" for one in known)
    combined = Combined(rule.adverse if adverse else rule.favourable, not adverse, tuple(known))
    _check_gray_reasons(combined, components)
    _check_incomplete(model, components, action, words)
    _check_action(combined, action)
    return combined


def combined_reasons(
    combined: Combined, model_reasons: Sequence[Reason], words: ReasonCatalogue, limit: int = MOST_REASONS
) -> tuple[Reason, ...]:
    """Join the reasons of the components that denied: at most `limit` over all of them, never padded.

    Knock-out rules first, then the model and judgment, each in turn by its own ranks, in the order of the
    components. A code that two components gave is one reason. Of a favourable decision there are none, and
    none of the model's unless it is among those that denied. Where the model decided alone its reasons name
    no component.
    """
    knockouts: list[list[Reason]] = []
    others: list[list[Reason]] = []
    alone = len(combined.components) == 1
    for one in combined.failed:
        if one.kind == "model":
            others.append([replace(own, component=None if alone else one.name) for own in model_reasons])
        else:
            given = [_reason(one, own, words) for own in one.reasons]
            (knockouts if one.kind == "knockout" else others).append(given)
    taken: list[Reason] = []
    given_codes: set[str] = set()
    for reason in (*_in_turn(knockouts), *_in_turn(others)):
        if reason.contribution is None:
            if reason.code in given_codes:
                continue
            given_codes.add(reason.code)
        taken.append(reason)
    return tuple(replace(reason, rank=place) for place, reason in enumerate(taken[:limit], start=1))


def _in_turn(sources: Sequence[Sequence[Reason]]) -> Iterator[Reason]:
    """Yield the first reason of each source, then the second of each, until there are no more."""
    for row in zip_longest(*sources):
        yield from (reason for reason in row if reason is not None)


def _reason(component: Component, given: GivenReason, words: ReasonCatalogue) -> Reason:
    return Reason(
        rank=1,
        code=given.code,
        factor=given.code,
        text=component_text(words, given.code, words.default_language),
        contribution=None,
        share=None,
        reference_value=None,
        observed=(),
        near_tie=False,
        sensitive=False,
        component=component.name,
        given=given.observed,
    )


def _faults(components: Sequence[Component], words: ReasonCatalogue) -> Iterator[FieldError]:
    """Find what no model could make right: names, results, numbers of reasons and their codes."""
    names: set[str] = set()
    models = 0
    for at, one in enumerate(components):
        here = f"/components/{at}"
        if one.name in names:
            yield FieldError(f"{here}/name", "is the name of another component too")
        names.add(one.name)
        models += one.kind == "model"
        if one.kind == "model" and models > 1:
            yield FieldError(f"{here}/kind", "there is one model")
        if one.result == "not_used" and one.kind != "model":
            yield FieldError(f"{here}/result", "not_used is for the model only")
        if one.result == "gray" and one.kind == "knockout":
            yield FieldError(f"{here}/result", "gray is for the model and for judgment")
        yield from _reason_faults(one, here, words)
    for at, one in enumerate(components):
        if one.name == MODEL and not models:
            yield FieldError(
                f"/components/{at}/name", "is what the model itself is called where it is not named"
            )


def _reason_faults(one: Component, here: str, words: ReasonCatalogue) -> Iterator[FieldError]:
    if one.kind == "model":
        if one.reasons:
            yield FieldError(f"{here}/reasons", "the model's reasons come from its attribution")
        return
    if one.result == "failed" and not one.reasons:
        yield FieldError(f"{here}/reasons", "a component that failed gives at least one reason")
    if one.result == "passed" and one.reasons:
        yield FieldError(f"{here}/reasons", "a component that passed gives none")
    if len(one.reasons) > MOST_REASONS:
        yield FieldError(f"{here}/reasons", f"a component gives at most {MOST_REASONS}")
    if len({given.code for given in one.reasons}) < len(one.reasons):
        yield FieldError(f"{here}/reasons", "gives the same code twice")
    for place, given in enumerate(one.reasons):
        declared = words.components.get(given.code)
        if declared is None or declared.kind != one.kind:
            detail = f"is not declared for {one.kind} components by the catalogue"
            yield FieldError(f"{here}/reasons/{place}/code", detail)


def _model_result(
    decision: Decision, gray_band: tuple[float, float] | None, components: Sequence[Component]
) -> Result:
    """Return what the score led to; judgment that passed or failed is what a gray band is for."""
    judged = any(one.kind == "judgmental" and one.result in ("passed", "failed") for one in components)
    if judged and gray_band is not None and gray_band[0] <= decision.score <= gray_band[1]:
        return "gray"
    return "passed" if decision.favourable else "failed"


def _checked(at: int, one: Component, result: Result, components: Sequence[Component]) -> Component:
    """Return the component with the result that counts; of the model, only what it reproduces."""
    if one.kind != "model":
        return one
    pointer = f"/components/{at}/result"
    if one.result == "not_used":
        if not any(other.result == "failed" for other in components):
            raise ComponentsContradict(pointer, "not_used needs another component that failed")
    elif one.result != result:
        raise ComponentsContradict(pointer, f"the model version does not reproduce {one.result}")
    return one


def _check_gray_reasons(combined: Combined, components: Sequence[Component]) -> None:
    """Judgment that came first and left the decision open speaks too where the model then denied."""
    denying = combined.failed
    for at, one in enumerate(components):
        if one.kind == "judgmental" and one.result == "gray" and one in denying and not one.reasons:
            detail = "a component that shares in the denial gives at least one reason"
            raise InvalidComponents([FieldError(f"/components/{at}/reasons", detail)])


def _check_incomplete(
    model: Result, components: Sequence[Component], action: Action | None, words: ReasonCatalogue
) -> None:
    """`Incomplete` is a reason only where nothing could be decided (comments 9(a)(1)-3 and -4)."""
    given = [
        (f"/components/{at}/reasons/{place}/code", words.components[reason.code].incomplete)
        for at, one in enumerate(components)
        if one.result != "passed"
        for place, reason in enumerate(one.reasons)
    ]
    incomplete = [pointer for pointer, says_so in given if says_so]
    if incomplete and model != "not_used":
        raise ComponentsContradict(
            incomplete[0], "says that the application is incomplete, and the model decided it"
        )
    if incomplete and len(incomplete) < len(given):
        raise ComponentsContradict(
            incomplete[0], "says that the application is incomplete, and another reason decided it"
        )
    if action == "incompleteness" and not incomplete:
        raise ComponentsContradict(
            "/application/action",
            "incompleteness needs a model that was not used and a component whose reason says so",
        )


def _check_action(combined: Combined, action: Action | None) -> None:
    if action in ADVERSE_ACTIONS and combined.favourable:
        raise ComponentsContradict("/application/action", f"{action} needs an adverse decision")
    if action == "approval" and not combined.favourable:
        raise ComponentsContradict("/application/action", "approval needs a favourable decision")
