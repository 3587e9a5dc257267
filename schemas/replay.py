"""An explanation computed again from its record, and compared with it."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from schemas.base import Identifier, Many, ResourceName, Wire
from schemas.log import Receipt

ReplayVerdict = Literal["identical", "within_tolerance", "different"]
PartVerdict = Literal["identical", "within_tolerance", "different", "not_compared"]
ReplayPart = Literal[
    "version",
    "features",
    "decision",
    "attribution",
    "combined",
    "reasons",
    "crowded_out",
    "key_factors",
    "warnings",
    "notice",
    "counterfactuals",
    "body",
    "supplements",
    "letters",
    "form",
]


class NotCompared(Wire):
    """A part that says nothing either way."""

    part: ReplayPart = Field(description="which part")
    why: str = Field(
        description="for instance `counterfactual-server-unavailable`, `out-of-time`, `erased`, "
        "`rendered-in-another-environment`, `version-not-loaded`"
    )


class FirstDifference(Wire):
    """Where record and replay part for the first time, in the order of the parts."""

    pointer: str = Field(
        description="JSON pointer: the part, then the place in it; a part is a member of the record's "
        "private part, or `version`, `body`, `supplements`, `letters`"
    )
    recorded: Any = Field(description="what is on record")
    recomputed: Any = Field(
        description="what comes out today; `{error}` where it cannot be computed any more, null for nothing"
    )
    difference: float | None = Field(description="of two reals: how far they are apart")
    tolerance: float | None = Field(description="how far they may be apart; null where not at all")


class ReplayTolerance(Wire):
    """How far reals may be apart."""

    margins: float = Field(
        ge=0, description="in margin space: the recorded reconciliation's own tolerance, an absolute number"
    )
    relative: float = Field(
        ge=0, description="other reals: this times max(1, |recorded|); 1e-4 or 1e-8 by the model's width"
    )


class Replay(Wire):
    """What a replay found."""

    explanation_id: Identifier = Field(description="the explanation")
    verdict: ReplayVerdict = Field(
        description="identical: all of it was compared and is the same to the last bit; within_tolerance: "
        "not that, but nothing differs except reals within the tolerance; different: everything else"
    )
    compared: Many[ReplayPart] = Field(description="the parts that were compared, in order")
    not_compared: Many[NotCompared] = Field(description="the parts that could not be; never with `identical`")
    first_difference: FirstDifference | None = Field(
        description="the first that is not tolerated; the first at all where all are; null where none is"
    )
    parts: dict[ReplayPart, PartVerdict] = Field(description="the verdict on each part")
    tolerance: ReplayTolerance = Field(description="how far reals may be apart")
    model: ResourceName = Field(description="the model")
    version: ResourceName = Field(description="the version that decided")
    method: str = Field(description="the attribution's method")
    code_version_recorded: str = Field(description="the release that wrote the record")
    code_version_now: str = Field(description="the release that computed it again")
    receipt: Receipt = Field(description="the log's promise about the entry of this replay")
