"""Combined systems: a model beside knock-out rules and judgment, and which of them denied.

Regulation B, comments 9(b)(2)-7 and -8: the reasons come from the component that was failed; from both
where a gray band sent the application on to judgment; a knock-out rule gives its own specific factor; four in
total.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from explain.catalogue import ComponentKind
from explain.errors import ExplainError

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
    def failed(self) -> tuple[Component, ...]:
        """The components that the denial came from: failed, or gray beside a failed judgment."""
        return tuple(one for one in self.components if one.result in ("failed", "gray"))


class ComponentsContradict(ExplainError):
    """The components that were sent contradict each other or the model."""

    def __init__(self, pointer: str, detail: str) -> None:
        self.pointer, self.detail = pointer, detail
        super().__init__(f"{pointer}: {detail}")
