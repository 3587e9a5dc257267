"""What a job for the counterfactual server says, as bytes: which version, which decision, what is asked for.

JSON with shortest numbers: equal problems have equal bytes, and every number comes back as it was. None of it
is ever written anywhere: it is as personal as the decision.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from explain.counterfactual.aim import Aim
from explain.counterfactual.constraints.narrowing import Narrowing, PermittedRange
from explain.counterfactual.problem import Problem
from explain.reference import ReferenceKind
from registry.loaded_version import LoadedVersion

FloatArray = NDArray[np.float64]


class MalformedJob(Exception):
    """The bytes are no job of ours."""


@dataclass(frozen=True, slots=True)
class VersionName:
    """The content of a model version by its digests: what the server loads from the cache on disk."""

    manifest_digest: str
    artifact_digest: str
    reference_digest: str
    reference_kind: ReferenceKind
    reference_band: float | None

    @classmethod
    def of(cls, loaded: LoadedVersion) -> VersionName:
        """Name a loaded version."""
        return cls(
            loaded.manifest_digest,
            loaded.artifact_digest,
            loaded.reference_digest,
            loaded.reference.kind,
            loaded.reference.band,
        )

    def to_bytes(self) -> bytes:
        """Return the key under which the server keeps it."""
        return orjson.dumps(asdict(self))

    @classmethod
    def from_bytes(cls, data: bytes) -> VersionName:
        """Read the key; MalformedJob if it is none."""
        try:
            return cls(**orjson.loads(data))
        except (TypeError, ValueError) as error:
            raise MalformedJob from error


@dataclass(frozen=True, slots=True)
class AskedSearch:
    """One search that the server is asked to do.

    `method` is one of `dice_random`, `dice_genetic` and `dice_kdtree`. `narrowing` and `aim` are what the
    problem was made with. `max_evaluations` repeats a stopped search without a clock.
    """

    method: str
    narrowing: Narrowing | None = None
    aim: Aim | None = None
    max_evaluations: int | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Job:
    """A search, and the decision that it starts from; `row` is in model order, NaN for missing."""

    asked: AskedSearch
    row: FloatArray
    count: int
    seed: int

    @classmethod
    def of(cls, problem: Problem, asked: AskedSearch) -> Job:
        """Say what is to be looked for."""
        return cls(asked, problem.instance.row, problem.count, problem.seed)

    def to_bytes(self) -> bytes:
        """Write it down."""
        narrowing, aim = self.asked.narrowing, self.asked.aim
        return orjson.dumps(
            {
                "method": self.asked.method,
                "max_evaluations": self.asked.max_evaluations,
                "row": _numbers(self.row),
                "count": self.count,
                "seed": self.seed,
                "narrowing": None if narrowing is None else _narrowing_as_json(narrowing),
                "aim": None if aim is None else asdict(aim),
            }
        )

    @classmethod
    def from_bytes(cls, data: bytes) -> Job:
        """Read it back; MalformedJob if it is none."""
        try:
            given = orjson.loads(data)
            narrowing, aim = given["narrowing"], given["aim"]
            asked = AskedSearch(
                str(given["method"]),
                None if narrowing is None else _narrowing_of(narrowing),
                None if aim is None else Aim(**aim),
                given["max_evaluations"],
            )
            return cls(asked, _row(given["row"]), int(given["count"]), int(given["seed"]))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise MalformedJob from error


@dataclass(frozen=True, slots=True, eq=False)
class JobResult:
    """Whether the search came to its own end, what it spent, and the rows it proposes, (n, features)."""

    finished: bool
    evaluations: int
    rows: FloatArray

    def to_bytes(self) -> bytes:
        """Write it down."""
        rows = [_numbers(row) for row in self.rows]
        return orjson.dumps({"finished": self.finished, "evaluations": self.evaluations, "rows": rows})

    @classmethod
    def from_bytes(cls, data: bytes, features: int) -> JobResult:
        """Read it back; MalformedJob if it is none, or its rows have another number of features."""
        try:
            given = orjson.loads(data)
            rows = np.array([_row(row) for row in given["rows"]], dtype=np.float64).reshape(-1, features)
            return cls(bool(given["finished"]), int(given["evaluations"]), rows)
        except (KeyError, TypeError, ValueError) as error:
            raise MalformedJob from error


def _numbers(row: FloatArray) -> list[float | None]:
    return [None if np.isnan(number) else float(number) for number in row]


def _row(numbers: list[float | None]) -> FloatArray:
    return np.array([np.nan if number is None else number for number in numbers], dtype=np.float64)


def _narrowing_as_json(narrowing: Narrowing) -> dict[str, Any]:
    return {
        "features_to_vary": narrowing.features_to_vary,
        "permitted_range": dict(narrowing.permitted_range),
        "max_changes": narrowing.max_changes,
    }


def _narrowing_of(given: dict[str, Any]) -> Narrowing:
    varied = given["features_to_vary"]
    return Narrowing(
        None if varied is None else tuple(varied),
        {name: _range_of(limits) for name, limits in given["permitted_range"].items()},
        given["max_changes"],
    )


def _range_of(limits: list[Any]) -> PermittedRange:
    if all(isinstance(one, str) for one in limits):
        return tuple(limits)
    low, high = limits
    return float(low), float(high)
