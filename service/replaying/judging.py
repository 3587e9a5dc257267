"""The verdict over all parts of one explanation, and the first difference in their fixed order."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal
from uuid import UUID

from explain.deadline import Deadline
from explain.errors import ExplainError, TablesChanged
from records.private import build_private
from records.private_parts import PrivatePart
from registry.errors import RegistryError
from registry.loading import LoadedVersion
from service.explanations.record import CODE_VERSION
from service.problems import kind_of
from service.replaying.comparing import Difference, Tolerance, Verdict, differences, first_of, verdict_of
from service.replaying.letters import letter_again, letter_told
from service.replaying.recomputing import Recomputed, recompute, recorded_parts, supplement_again
from service.replaying.recorded import Recorded, read_recorded
from service.replaying.searches import Searcher
from service.replaying.sources import Sources
from service.replaying.versions import named_version, row_of

PartVerdict = Literal["identical", "within_tolerance", "different", "not_compared"]
PARTS = (
    *("version", "features", "decision", "attribution", "combined", "reasons", "crowded_out"),
    *("key_factors", "warnings", "notice", "counterfactuals", "body", "supplements", "letters"),
)
_OF_THE_ENTRY = PARTS[1:-2]
NOT_LOADED = "version-not-loaded"
NOT_REACHED = "not-reached"
EARLIER_FORM = "recorded-in-an-earlier-form"


@dataclass(slots=True)
class Judgement:
    """One explanation compared with what comes out today, part by part in the order of `PARTS`."""

    recorded: Recorded
    tolerance: Tolerance
    found: list[Difference] = field(default_factory=list)
    parts: dict[str, PartVerdict] = field(default_factory=dict)
    missing: dict[str, str] = field(default_factory=dict)

    @property
    def explanation_id(self) -> UUID:
        """The explanation."""
        return self.recorded.explanation_id

    @property
    def verdict(self) -> Verdict:
        """`identical` only where everything was compared: what was not may differ."""
        verdict = verdict_of(self.found)
        return "within_tolerance" if verdict == "identical" and self.missing else verdict

    @property
    def first(self) -> Difference | None:
        """The first difference; one that is not tolerated, if there is any."""
        return first_of(self.found)

    @property
    def compared(self) -> list[str]:
        """The parts that were compared, in their order."""
        return [part for part, verdict in self.parts.items() if verdict != "not_compared"]

    def compare(self, part: str, recorded: object, recomputed: object, pointer: str | None = None) -> None:
        """Adds a part, or one more piece of a part that has several."""
        where = f"/{part}" if pointer is None else pointer
        self._add(part, list(differences(recorded, recomputed, self.tolerance, where)))

    def fail(self, part: str, recorded: object, name: str) -> None:
        """Adds a part that cannot be computed any more, by the name of what is in the way."""
        self._add(part, [Difference(f"/{part}", recorded, {"error": name})])

    def leave(self, part: str, why: str) -> None:
        """Adds a part that cannot be compared, which is no difference."""
        self.missing.setdefault(part, why)
        if self.parts.get(part) != "different":
            self.parts[part] = "not_compared"

    def _add(self, part: str, found: list[Difference]) -> None:
        self.found += found
        verdict, known = verdict_of(found), self.parts.get(part)
        order: list[PartVerdict] = ["identical", "within_tolerance", "not_compared", "different"]
        self.parts[part] = verdict if known is None else max(known, verdict, key=order.index)


def judge(sources: Sources, explanation_id: UUID, deadline: Deadline) -> Judgement:
    """Replays one explanation; raises `NotFound`, `PayloadErased`, `KeyMissing` and what databases raise.

    A version that is damaged, gone or another one today is a difference, not an error.
    """
    recorded = read_recorded(sources.log, explanation_id)
    for attempt in range(2):
        try:
            return _judge(sources, recorded, deadline)
        except TablesChanged:  # somebody wrote to the prepared tables: they are made again
            if attempt:
                raise
    raise AssertionError("unreachable")


def _judge(sources: Sources, recorded: Recorded, deadline: Deadline) -> Judgement:
    margin = recorded.part["decision"]["margin"]
    allowed = recorded.part["attribution"]["reconciliation"]["tolerance"]
    judgement = Judgement(recorded, Tolerance.of(margin, allowed))
    named = named_version(recorded)
    judgement.compare("version", named, sources.stored(recorded))
    try:
        loaded = sources.versions.get_recorded(row_of(recorded))
    except (RegistryError, ExplainError) as error:
        if judgement.parts["version"] == "identical":
            judgement.fail("version", named, kind_of(error).name)
        for part in _OF_THE_ENTRY:
            judgement.leave(part, NOT_LOADED)
        return judgement
    searcher = Searcher(loaded, sources.proposer, deadline)
    made = recompute(searcher, recorded)
    _compare_entry(judgement, made)
    _compare_supplements(judgement, searcher)
    _compare_letters(judgement, sources, loaded)
    return judgement


def _compare_entry(judgement: Judgement, made: Recomputed) -> None:
    recorded = recorded_parts(judgement.recorded)
    for part in _OF_THE_ENTRY:
        if part in made.parts:
            judgement.compare(part, recorded[part], made.parts[part])
        elif made.failed is not None and made.failed[0] == part:
            judgement.fail(part, recorded[part], made.failed[1])
        else:
            judgement.leave(part, made.missing.get(part, NOT_REACHED))
    if not judgement.found and not judgement.missing:
        _compare_bytes(judgement, made)


def _compare_bytes(judgement: Judgement, made: Recomputed) -> None:
    """Nothing that was looked at differs: then the very bytes of the private part are the same.

    Where they are not, the record says less than one of today does.
    """
    recorded = judgement.recorded
    again: dict[str, object] = dict(recorded.part)
    for name in PrivatePart.__annotations__:
        value = made.parts.get(name)
        if value is not None or (name in made.parts and name in again):
            again[name] = value
    if build_private(again) != recorded.written:  # type: ignore[arg-type]
        judgement.leave("form", EARLIER_FORM)


def _compare_supplements(judgement: Judgement, searcher: Searcher) -> None:
    for at, supplement in enumerate(judgement.recorded.supplements):
        again = supplement_again(searcher, judgement.recorded, at)
        if isinstance(again, str) or supplement.part is None:
            judgement.leave("supplements", str(again))
            continue
        part = supplement.part
        told = {"features": part["features"], "counterfactuals": part["counterfactuals"]}
        judgement.compare("supplements", told, again, f"/supplements/{at}")


def _compare_letters(judgement: Judgement, sources: Sources, loaded: LoadedVersion) -> None:
    for at, letter in enumerate(judgement.recorded.letters):
        again = letter_again(sources.renderer, loaded, judgement.recorded, letter)
        if isinstance(again, str):
            judgement.leave("letters", again)
        else:
            judgement.compare("letters", letter_told(letter), again, f"/letters/{at}")


def code_versions(judgement: Judgement) -> tuple[str, str]:
    """The code that wrote the entry, and the code that computed it again."""
    return str(judgement.recorded.entry.body["code_version"]), CODE_VERSION
