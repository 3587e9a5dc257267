"""Report 8: the certificate of a verification of the whole log, and whether it grew out of the last one's.

One row per check. `fail` in any of them is FAIL for all. What this report cannot see is a log that was
rewritten together with its signatures: for that, compare its root with a certificate that was kept elsewhere.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from typing import Final, Literal

from audit.canonical import JsonValue
from audit.errors import AuditError
from audit.fsck import FsckReport, fsck
from audit.merkle import verify_consistency
from audit.tree import StoredTree
from records.tree_entries import newest_pull
from reports.registers.report import Asked, Cell, Column, Reading, Report, Row, Source
from runtime.postgres import durability

NAME: Final = "log-verification"
Result = Literal["pass", "fail", "told", "unchecked"]
_TOLD: Final = frozenset({"root", "tree_size", "entries", "problems", "ddl_guard"})


@dataclass(frozen=True, slots=True)
class _Check:
    check: str
    result: Result
    value: Cell
    meaning: str

    def row(self) -> Row:
        return {name: getattr(self, name) for name in self.__dataclass_fields__}


def _read(source: Source, _: Asked) -> Reading:
    results: list[Result] = []

    def rows() -> Iterator[Row]:
        for check in _checks(source):
            results.append(check.result)
            yield check.row()

    def summary() -> Mapping[str, JsonValue]:
        return {"result": "FAIL" if "fail" in results else "PASS"}

    return Reading(rows=rows, summary=summary)


def _checks(source: Source) -> Iterator[_Check]:
    named = bool(source.vkeys)
    vkeys = source.vkeys or tuple(key.vkey for key in source.log.verifier_keys() if key.role == "checkpoint")
    found = fsck(source.conn, vkeys, source.log.origin)
    yield _Check("log", "told", source.log.origin, "the log's name, as its checkpoints have it")
    yield _Check(
        "keys",
        "told" if named else "unchecked",
        list(vkeys),
        "the checkpoint keys that signatures were checked with"
        + ("" if named else "; taken from the log's own table, as the settings name none"),
    )
    last = found.tree_size - 1 if found.tree_size else None
    yield _Check("range", "told", {"first": 0 if found.tree_size else None, "last": last}, "places verified")
    yield _Check("root", "told", found.root.hex(), "root of the tree, 64 hexadecimal digits")
    note = None if source.checkpoint is None else source.checkpoint.note
    yield _Check("checkpoint", "told", note, "the newest signed checkpoint, a C2SP signed note")
    yield _Check("entries_rehashed", "told", found.entries, "entries whose bytes were hashed again")
    yield from _further(found)
    yield _consistency(source)
    yield from _surroundings(source, found)
    yield _Check(
        "problems",
        "fail" if found.problems else "pass",
        list(found.problems),
        "what does not agree; at most a hundred are listed",
    )


def _further(found: FsckReport) -> Iterator[_Check]:
    """Whatever else the verification counts."""
    for one in fields(found):
        value = getattr(found, one.name)
        if one.name not in _TOLD:
            shown = value.hex() if isinstance(value, bytes) else value
            yield _Check(one.name, "told", shown, "counted by the verification")


def _consistency(source: Source) -> _Check:
    """Whether the tree of the last certificate is the beginning of this one."""
    name, meaning = "consistency", "whether the tree of the last certificate is the beginning of this one"
    last = newest_pull(source.conn, NAME, source.before)
    if last is None:
        return _Check(name, "unchecked", None, f"{meaning}; there is no earlier certificate")
    size, root = last.entry.body.get("tree_size"), last.entry.body.get("root")
    value: dict[str, Cell] = {"entry_id": str(last.entry.entry_id), "tree_size": size, "root": root}
    if not isinstance(size, int) or not isinstance(root, str) or source.checkpoint is None:
        return _Check(name, "unchecked", value, f"{meaning}; the earlier one was of an empty tree")
    try:
        path = StoredTree(source.conn).consistency_path(size, source.before)
        holds = verify_consistency(size, source.before, bytes.fromhex(root), source.checkpoint.root, path)
    except (AuditError, ValueError) as error:
        return _Check(name, "fail", {**value, "error": str(error)}, meaning)
    return _Check(name, "pass" if holds else "fail", value, meaning)


def _surroundings(source: Source, found: FsckReport) -> Iterator[_Check]:
    guard = getattr(found, "ddl_guard", None)
    yield _Check(
        "ddl_guard",
        "unchecked" if guard is None else "told",
        guard,
        "whether the server refuses changes of the schema that are not on record",
    )
    for setting, value in durability(source.conn).items():
        yield _Check(setting, "told", value, "off: the server may lose what it said was committed")


LOG_VERIFICATION: Final = Report(
    name=NAME,
    number=8,
    title="Log verification certificate",
    takes=frozenset(),
    columns=(
        Column("check", "text", "what was checked or is told"),
        Column("result", "text", "`pass`, `fail`, `told` for a fact, or `unchecked`"),
        Column("value", "json", "what was found"),
        Column("meaning", "text", "what that says"),
    ),
    rules=("ai-act-12", "21-cfr-11-10-e"),
    reads_everything=True,
    read=_read,
)
