"""A witness's memory: one SQLite file of its own, written to disk before anything is answered."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from audit.merkle import HASH_SIZE
from audit.queries import load_queries
from audit.refusals import WitnessUnavailable

_FOLDER = Path(__file__).parent / "sql" / "witness"
_WITNESS = load_queries(_FOLDER / "queries.sql")
_VERSION = 2
_BUSY_MS = 5_000
_REFUSED_LIMIT = 1_000
_KEPT = {"fork": 1_000, "unproved": 64}
"""Rows of one log. Of forks the first ones stay, since one convicts; of what is unproved the last ones."""


@dataclass(frozen=True, slots=True)
class Cosigned:
    """A checkpoint that was cosigned: what it says, its note, the line that was added, and when."""

    size: int
    root: bytes
    note: str
    cosignature: str
    cosigned_at: datetime


@dataclass(frozen=True, slots=True)
class Refused:
    """A checkpoint that the log signed and the witness refused, with the note that it stands against.

    A `fork` is proved by the two notes alone: one size, two roots. `unproved` came without a proof that
    holds, from the log or from a stranger, and convicts nobody; it is `resolved` when a later proof reached
    its size or went past it, and becomes a `fork` when that size turns out to have another root.
    """

    origin: str
    kind: str
    size: int
    root: bytes
    note: str
    old_size: int
    proof: tuple[bytes, ...]
    against: str
    first_at: datetime
    last_at: datetime
    times: int
    resolved: bool


class WitnessStore:
    """The file. One instance serves one thread at a time; other processes may have the same file open."""

    def __init__(self, path: Path) -> None:
        """Open the file, or begin a new one that only its owner may read."""
        with _named_failures():
            self.created = not path.exists()
            os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))
            self._connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
            try:
                self._connection.execute(f"pragma busy_timeout = {_BUSY_MS}")
                self._connection.execute("pragma journal_mode = wal")
                self._connection.execute("pragma synchronous = full")
                self._prepare()
                _sync(path.parent)
            except BaseException:
                self._connection.close()
                raise

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    @contextmanager
    def turn(self) -> Iterator[Turn]:
        """Hold the file alone from looking to writing; what was written is on disk when this ends."""
        with _named_failures():
            self._connection.execute("begin immediate")
            try:
                yield Turn(self._connection)
                self._connection.execute("commit")
            except BaseException:
                if self._connection.in_transaction:
                    self._connection.execute("rollback")
                raise

    def latest(self, origin: str) -> Cosigned | None:
        """Return the largest checkpoint that was cosigned for a log."""
        with _named_failures():
            return Turn(self._connection).latest(origin)

    def all_latest(self) -> list[tuple[str, Cosigned]]:
        """Return each log's origin and its largest cosigned checkpoint."""
        with _named_failures():
            rows = self._connection.execute(_WITNESS["all_latest"]).fetchall()
        return [(row[0], _cosigned(row[1:])) for row in rows]

    def refused(self) -> list[Refused]:
        """Return what was refused, forks and then the newest first, at most a thousand."""
        with _named_failures():
            rows = self._connection.execute(_WITNESS["all_refused"], {"limit": _REFUSED_LIMIT}).fetchall()
        return [_refused(row) for row in rows]

    def _prepare(self) -> None:
        (version,) = self._connection.execute("pragma user_version").fetchone()
        if version not in (0, 1, _VERSION):
            raise WitnessUnavailable(f"the witness's file is of version {version}, not {_VERSION}")
        if version < _VERSION:
            files = ["schema.sql"] if version == 0 else ["before_2.sql", "schema.sql", "after_2.sql"]
            script = "\n".join((_FOLDER / name).read_text(encoding="utf-8") for name in files)
            self._connection.executescript(
                f"begin immediate; {script} pragma user_version = {_VERSION}; commit"
            )


class Turn:
    """What can be asked and written while the file is held."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        """Use this connection."""
        self._connection = connection

    def latest(self, origin: str) -> Cosigned | None:
        """Return the largest checkpoint that was cosigned for a log."""
        row = self._connection.execute(_WITNESS["latest"], {"origin": origin}).fetchone()
        return None if row is None else _cosigned(row)

    def at(self, origin: str, size: int) -> Cosigned | None:
        """Return the checkpoint of this very size, if it was cosigned and is still remembered."""
        row = self._connection.execute(
            _WITNESS["cosigned_at_size"], {"origin": origin, "size": size}
        ).fetchone()
        return None if row is None else _cosigned(row)

    def keep_cosigned(self, origin: str, cosigned: Cosigned, former: Cosigned | None) -> list[Refused]:
        """Remember a checkpoint as the latest; of the former ones about one a minute stays.

        Returns what was unproved before and is now proved to be a fork.
        """
        now = int(cosigned.cosigned_at.timestamp())
        self._connection.execute(
            _WITNESS["keep_cosigned"],
            {
                "origin": origin,
                "size": cosigned.size,
                "root": cosigned.root,
                "note": cosigned.note,
                "cosignature": cosigned.cosignature,
                "now": now,
            },
        )
        at = {"origin": origin, "size": cosigned.size, "root": cosigned.root, "now": now}
        at["against"] = cosigned.note + cosigned.cosignature
        convicted = self._connection.execute(_WITNESS["convict"], at).fetchall()
        self._connection.execute(_WITNESS["resolve"], at)
        if former is not None and former.size < cosigned.size:
            self._connection.execute(_WITNESS["thin"], {"origin": origin, "former": former.size})
        return [_refused(row) for row in convicted]

    def keep_refused(self, refused: Refused) -> bool:
        """Remember a refusal with both notes and the proof; tell whether it is new, or worse than before."""
        values = {
            "origin": refused.origin,
            "kind": refused.kind,
            "size": refused.size,
            "root": refused.root,
            "note": refused.note,
            "old_size": refused.old_size,
            "proof": b"".join(refused.proof),
            "against": refused.against,
            "now": int(refused.first_at.timestamp()),
            "limit": _KEPT[refused.kind],
        }
        before = self._connection.execute(_WITNESS["refused_before"], values).fetchone()
        if before is None and refused.kind == "fork":
            (count,) = self._connection.execute(_WITNESS["count_refused"], values).fetchone()
            if count >= values["limit"]:
                return False
        self._connection.execute(_WITNESS["keep_refused"], values)
        if refused.kind == "unproved":
            self._connection.execute(_WITNESS["forget_unproved"], values)
        return before is None or (before == ("unproved",) and refused.kind == "fork")


def _cosigned(row: tuple[int, bytes, str, str, int]) -> Cosigned:
    size, root, note, cosignature, at = row
    return Cosigned(size, root, note, cosignature, _moment(at))


def _refused(row: tuple[Any, ...]) -> Refused:
    origin, kind, size, root, note, old_size, proof, against, first_at, last_at, times, resolved_at = row
    return Refused(
        origin=origin,
        kind=kind,
        size=size,
        root=root,
        note=note,
        old_size=old_size,
        proof=tuple(proof[at : at + HASH_SIZE] for at in range(0, len(proof), HASH_SIZE)),
        against=against,
        first_at=_moment(first_at),
        last_at=_moment(last_at),
        times=times,
        resolved=resolved_at is not None,
    )


def _moment(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, tz=UTC)


def _sync(folder: Path) -> None:
    """Make a new file's name survive a power failure."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def _named_failures() -> Iterator[None]:
    try:
        yield
    except (sqlite3.Error, OSError) as error:
        raise WitnessUnavailable(f"the witness's file: {error}") from error
