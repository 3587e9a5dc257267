"""The private part of an `explanation.created` entry: the first answer, as canonical bytes, and back again.

The bytes obey the log's rules: ASCII keys, caller-supplied names only as values, every real a shortest decimal
string that reads back to the very same float. What is real, whole, true or text is said once, by the annotations
of the records below; the value of a feature is typed by the feature's own declared `type`.
"""

import types
import typing
from collections.abc import Mapping
from typing import Literal, NotRequired, TypedDict, cast

import orjson

from audit.canonical import canonical, decimal

FeatureType = Literal["number", "integer", "boolean", "category"]
Value = float | int | bool | str | None


class FeatureRow(TypedDict):
    """One feature as the caller sent it, typed; rows stand in the model's own order."""

    name: str
    type: FeatureType
    value: Value


class DecisionPart(TypedDict):
    """What the model decided."""

    outcome: str
    favourable: bool
    score: float
    margin: float
    threshold: float
    output_space: str


class PhiRow(TypedDict):
    """The Shapley value of one feature, in margin space."""

    feature: str
    phi: float


class Reconciliation(TypedDict):
    """How far the attribution stood from the native margin, and how far it was allowed to."""

    expected: float
    sum: float
    error: float
    tolerance: float


class ReferencePart(TypedDict):
    """The frozen reference population of the attribution."""

    id: str
    kind: str
    rows: int
    digest: str
    band: NotRequired[float | None]


class AttributionPart(TypedDict):
    """The attribution as it was answered."""

    method: str
    reference: ReferencePart
    base_value: float
    values: list[PhiRow]
    reconciliation: Reconciliation


class ObservedRow(TypedDict):
    """What was observed of one feature of a factor."""

    feature: str
    value: Value


class ReasonPart(TypedDict):
    """One principal reason."""

    rank: int
    code: str
    factor: str
    text: str
    contribution: float
    share: float
    reference_value: float | None
    observed: list[ObservedRow]
    near_tie: bool


ChangeRow = TypedDict("ChangeRow", {"feature": str, "from": Value, "to": Value})


class CounterfactualItem(TypedDict):
    """One verified counterfactual."""

    changes: list[ChangeRow]
    score: float
    margin: NotRequired[float]
    outcome: str
    verified: bool
    cost: float
    method: str


class EffortRow(TypedDict):
    """Whether one search method finished or was stopped by the deadline."""

    method: str
    state: str


class CounterfactualPart(TypedDict):
    """The set of counterfactuals as it was answered; the seed is a digit string because it may pass 2^53."""

    status: str
    complete: bool
    items: list[CounterfactualItem]
    evaluation_id: str | None
    evaluations: NotRequired[int]
    seed: NotRequired[str]
    effort: NotRequired[list[EffortRow]]


class WarningRow(TypedDict):
    """One flagged input."""

    code: str
    feature: str | None
    detail: str


class DecidedPart(TypedDict):
    """What the caller said had been decided."""

    outcome: NotRequired[str | None]
    score: NotRequired[float | None]
    at: NotRequired[str | None]


class ApplicationPart(TypedDict):
    """The facts about the application that set the notice's clock."""

    completed_at: NotRequired[str | None]
    action: NotRequired[str | None]


class PrivatePart(TypedDict):
    """Everything needed to rebuild the first answer exactly."""

    decision_id: str
    subject_ref: str
    purpose: str | None
    features: list[FeatureRow]
    decision: DecisionPart
    attribution: AttributionPart
    reasons: list[ReasonPart]
    counterfactuals: CounterfactualPart
    warnings: list[WarningRow]
    decided: NotRequired[DecidedPart | None]
    application: NotRequired[ApplicationPart | None]


class PrivatePartMalformed(ValueError):
    """The private part does not have the form its entry type declares."""


_Types = Mapping[str, str]  # feature name -> declared type


def build_private(part: PrivatePart) -> bytes:
    """Canonical bytes of the private part; a value of the wrong kind or an unknown key is refused."""
    return canonical(_write(part, PrivatePart, _declared(part["features"]), ""))


def parse_private(data: bytes) -> PrivatePart:
    """The private part from its canonical bytes; floats come back bit for bit."""
    try:
        raw = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise PrivatePartMalformed("not JSON") from error
    if not isinstance(raw, dict) or not isinstance(raw.get("features"), list):
        raise PrivatePartMalformed("features: missing")
    return cast("PrivatePart", _read(raw, PrivatePart, _declared(raw["features"]), ""))


def _declared(rows: object) -> _Types:
    if not isinstance(rows, list) or not all(isinstance(row, Mapping) for row in rows):
        raise PrivatePartMalformed("features: not a list of records")
    return {str(row.get("name")): str(row.get("type")) for row in rows}


def _write(value: object, hint: object, declared: _Types, where: str) -> object:
    return _walk(value, hint, declared, where, _write_leaf)


def _read(value: object, hint: object, declared: _Types, where: str) -> object:
    return _walk(value, hint, declared, where, _read_leaf)


class _Leaf(typing.Protocol):
    def __call__(self, value: object, hint: object, where: str) -> object: ...


def _walk(value: object, hint: object, declared: _Types, where: str, leaf: _Leaf) -> object:
    """Follow the annotation down to its leaves; one walk serves both directions."""
    if typing.is_typeddict(hint):
        return _walk_record(value, cast("type", hint), declared, where, leaf)
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is list:
        if not isinstance(value, list):
            raise PrivatePartMalformed(f"{where}: not a list")
        return [_walk(item, arguments[0], declared, f"{where}/{n}", leaf) for n, item in enumerate(value)]
    if origin is Literal:
        if value not in arguments:
            raise PrivatePartMalformed(f"{where}: not one of {arguments}")
        return value
    if origin is types.UnionType:
        if value is None:
            return None
        (hint,) = (argument for argument in arguments if argument is not types.NoneType)
        return _walk(value, hint, declared, where, leaf)
    return leaf(value, hint, where)


def _walk_record(value: object, record: type, declared: _Types, where: str, leaf: _Leaf) -> object:
    if not isinstance(value, dict):
        raise PrivatePartMalformed(f"{where or '/'}: not a record")
    hints = typing.get_type_hints(record)
    required = cast("frozenset[str]", record.__required_keys__)  # type: ignore[attr-defined]
    for name in sorted(set(value) ^ set(hints)):
        if name not in hints or name in required:
            raise PrivatePartMalformed(f"{where}/{name}: {'missing' if name in hints else 'unknown'}")
    kind = declared.get(str(value.get("feature", value.get("name"))))
    return {
        name: _walk(item, _kind_of(hints[name], kind, f"{where}/{name}"), declared, f"{where}/{name}", leaf)
        for name, item in value.items()
    }


_KINDS: Mapping[str, object] = {
    "number": float | None,
    "integer": int | None,
    "boolean": bool | None,
    "category": str | None,
}


def _kind_of(hint: object, declared: str | None, where: str) -> object:
    if hint != Value:
        return hint
    if declared not in _KINDS:
        raise PrivatePartMalformed(f"{where}: the value of an undeclared feature")
    return _KINDS[declared]


def _write_leaf(value: object, hint: object, where: str) -> object:
    if hint is float:
        if isinstance(value, bool) or not isinstance(value, float | int):
            raise PrivatePartMalformed(f"{where}: not a real")
        try:
            return decimal(float(value))
        except (ValueError, OverflowError) as error:
            raise PrivatePartMalformed(f"{where}: not a finite real") from error
    return _same(value, hint, where)


def _read_leaf(value: object, hint: object, where: str) -> object:
    if hint is float:
        if not isinstance(value, str):
            raise PrivatePartMalformed(f"{where}: not a decimal string")
        try:
            real = float(value)
            exact = decimal(real) == value
        except ValueError as error:
            raise PrivatePartMalformed(f"{where}: not a decimal string") from error
        if not exact:
            raise PrivatePartMalformed(f"{where}: not the shortest decimal string")
        return real
    return _same(value, hint, where)


def _same(value: object, hint: object, where: str) -> object:
    if type(value) is not hint:
        raise PrivatePartMalformed(f"{where}: not {getattr(hint, '__name__', hint)}")
    return value
