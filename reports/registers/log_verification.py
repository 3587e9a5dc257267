"""Report 8: the certificate of a verification of the whole log, and whether it grew out of the last one's.

One row per check. `fail` in any of them is FAIL for all. What this report cannot see is a log that was
rewritten together with its signatures: for that, compare its root with a certificate that was kept elsewhere.

`ofrecord report` divides the work among processes, as `ofrecord fsck` does, in the report's own snapshot. The
API checks in the one thread that makes the report: processes would take every core from the decisions that
are being made beside it, and a log of more than a million entries is refused there. No queue worker makes
reports; one could not divide them, as a pool process of Celery may have no children.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from audit.canonical import JsonValue
from audit.cosignature import parse_keys
from audit.fsck import FsckReport, Known, fsck
from audit.guarding import guard_problems
from audit.witnessed import latest_cosignatures
from records.custody_check import custody_problems
from records.tree_entries import TreeEntry, newest_pull
from reports.registers.report import Asked, Cell, Column, Reading, Report, Row, Source
from runtime.postgres import durability

NAME: Final = "log-verification"
_WITNESSED: Final = (
    "which witnesses have cosigned a tree of which size, checked with their keys where those are named; a "
    "log that was rewritten with its own keys passes every other check, unless it is held against a "
    "checkpoint kept outside"
)
_CUSTODY: Final = (
    "which rows of holds, erasures and expiries say what no entry of the log says, and the reverse; at most "
    "a hundred are listed"
)
_PROBLEMS: Final = (
    "what does not agree, in the order of `ofrecord fsck`: at most a hundred about the log, then custody's"
)
Result = Literal["pass", "fail", "told", "unchecked"]


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
    # Without its limit, which is as little to be trusted: a false one would fail the whole log.
    vkeys = source.vkeys or tuple(key.vkey for key in source.log.verifier_keys() if key.role == "checkpoint")
    last = newest_pull(source.conn, NAME, source.before)
    since = None if last is None else _known(last)
    found = fsck(
        source.conn,
        (*vkeys, *source.witness_vkeys),
        source.log.origin,
        since=since,
        clock=source.clock,
        processes=source.processes,
    )
    custody = custody_problems(source.conn)
    yield _Check("log", "told", source.log.origin, "the log's name, as its checkpoints have it")
    yield _Check(
        "keys",
        "told" if named else "unchecked",
        list(vkeys),
        "the keys that signatures were checked with"
        + ("" if named else "; taken from the log's own table, as the settings name none"),
    )
    yield from _tree(found)
    yield _consistency(found, last)
    yield _witnessed(source, found)
    yield _vouched(found)
    yield from _payloads(found)
    yield from _surroundings(source, found)
    yield _verdict("custody", custody, _CUSTODY)
    faults = {**found.faults, "custody": len(custody)} if custody else dict(found.faults)
    yield _Check("faults", "told", faults, "how many faults of which kind were found")
    yield _verdict("problems", [*found.problems, *custody], _PROBLEMS)


def _tree(found: FsckReport) -> Iterator[_Check]:
    size = found.tree_size
    span = {"first": 0, "last": size - 1} if size else None
    yield _Check("range", "told", span, "places of the tree that were verified")
    yield _Check("root", "told", found.root.hex(), "root of the tree, 64 hexadecimal digits")
    yield _Check("checkpoint", "told", found.checkpoint, "the newest signed checkpoint, a C2SP signed note")
    yield _Check("started_at", "told", found.started_at, "when the verification began")
    yield _Check("finished_at", "told", found.finished_at, "when it was done")
    yield _Check("entries_rehashed", "told", found.entries, "entries whose bytes were hashed again")
    yield _Check(
        "checkpoints", "told", found.checkpoints, "checkpoints whose signature and root were checked"
    )
    yield _Check("tiles", "told", found.tiles, "full tiles that were built again and compared")
    yield _Check("pending", "told", found.pending, "entries that were committed and not yet in the tree")


def _payloads(found: FsckReport) -> Iterator[_Check]:
    expired: list[dict[str, Cell]] = [
        {
            "retention_class": one.retention_class,
            "month": one.month.strftime("%Y-%m"),
            "index": one.index,
            "payloads": one.payloads,
        }
        for one in found.expired
    ]
    yield _Check(
        "payloads", "told", found.payloads, "encrypted parts that are those their entries were made with"
    )
    yield _Check("expired", "told", expired, "encrypted parts that are gone behind an entry that says so")
    result: Result = "fail" if found.missing else "pass"
    yield _Check("missing", result, found.missing, "encrypted parts that are gone without one")


def _vouched(found: FsckReport) -> _Check:
    vouched = found.vouched
    value: dict[str, Cell] = {
        "cosignatures": vouched.cosignatures,
        "cosignatures_by_unknown_keys": vouched.unknown.total(),
        "stamps": vouched.stamps,
        "stamps_without_certificates": vouched.unsigned,
        "stamps_not_readable_here": vouched.unread,
    }
    whole = not (vouched.unknown or vouched.unsigned or vouched.unread)
    return _Check(
        "vouched",
        "told" if whole else "unchecked",
        value,
        "cosignatures and RFC 3161 time stamps of stored checkpoints: those checked wholly, and those whose "
        "key or certificates were not at hand, where size, bytes and time were compared if they can be read",
    )


def _known(last: TreeEntry) -> Known | None:
    """The tree that the last certificate was about; None where it was empty."""
    size, root = last.entry.body.get("tree_size"), last.entry.body.get("root")
    if not isinstance(size, int) or not isinstance(root, str) or size == 0:
        return None
    return Known(size, bytes.fromhex(root))


def _consistency(found: FsckReport, last: TreeEntry | None) -> _Check:
    name, meaning = "consistency", "whether the tree of the last certificate is the beginning of this one"
    if found.since is None or last is None:
        return _Check(name, "unchecked", None, f"{meaning}; there is no earlier one")
    value: dict[str, Cell] = {
        "entry_id": str(last.entry.entry_id),
        "tree_size": found.since.tree_size,
        "root": found.since.root.hex(),
    }
    return _Check(name, "pass" if found.consistent else "fail", value, meaning)


def _witnessed(source: Source, found: FsckReport) -> _Check:
    """The last word of each witness, checked where its key was given."""
    keys = parse_keys((*source.vkeys, *source.witness_vkeys))[1]
    said = list(latest_cosignatures(source.conn, found.tree_size, keys))
    verdicts = {one.verified for one in said}
    result: Result = "fail" if False in verdicts else "pass" if True in verdicts else "unchecked"
    value: list[Cell] = [
        {
            "witness": one.key_id,
            "tree_size": one.tree_size,
            "cosigned_at": one.cosigned_at,
            "verified": one.verified,
        }
        for one in said
    ]
    return _Check("witnessed", result, value or None, _WITNESSED)


def _surroundings(source: Source, found: FsckReport) -> Iterator[_Check]:
    meaning = "whether changes of the log's schema are refused: `present`, `disabled` or `absent`"
    yield _Check("ddl_guard", "told", found.ddl_guard, meaning)
    yield _verdict("schema", guard_problems(source.conn), "what is not as it was published or announced")
    for setting, value in durability(source.conn).items():
        yield _Check(setting, "told", value, "off: the server may lose what it said was committed")


def _verdict(name: str, problems: list[str], meaning: str) -> _Check:
    return _Check(name, "fail" if problems else "pass", problems, meaning)


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
