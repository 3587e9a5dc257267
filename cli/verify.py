"""`ofrecord verify`: check what the log gave out with nothing but its public keys."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.wording import in_words

if TYPE_CHECKING:
    from audit.offline import Beside, Proved
    from audit.verify import Verified

_NOT_PROVED = 1
_CANNOT_CHECK = 2

# What the clear part of an entry about a decision may say, as it is called here.
_NAMES = {
    "model": "model",
    "version": "version",
    "kind": "kind",
    "explanation_id": "explanation",
    "outcome": "outcome",
    "supersedes": "supersedes",
    "superseded_by": "superseded by",
}


def verify(
    file: Annotated[
        Path, typer.Argument(help="Evidence, a receipt, a proof or a checkpoint.", dir_okay=False)
    ],
    key: Annotated[list[str], typer.Option(help="A verifier key, or a file of them; may be repeated.")],
    *,
    log: Annotated[Path | None, typer.Option(help="A published log: the folder with its checkpoint.")] = None,
    others: Annotated[
        list[Path] | None, typer.Option("--with", help="A checkpoint or proof to check it with; repeatable.")
    ] = None,
    require_witness: Annotated[
        bool, typer.Option("--require-witness", help="One of the witnesses given must have cosigned.")
    ] = False,
    now: Annotated[str | None, typer.Option(help="Judge promises at another time than now.")] = None,
) -> None:
    """Check what the log gave out, offline: exit 0 if it is proved, 1 if not, 2 if that cannot be told."""
    from audit.entry import parse_time  # noqa: PLC0415 - `--help` needs none of it
    from audit.errors import AuditError, VerificationFailed  # noqa: PLC0415
    from audit.offline import Beside, check_file, load  # noqa: PLC0415
    from audit.trust import CannotCheck, Trust  # noqa: PLC0415
    from runtime.clock import SystemClock  # noqa: PLC0415

    try:
        trust = Trust.parse([one for given in key for one in _keys(given)], require_witness=require_witness)
        beside = Beside(
            trust,
            SystemClock().now() if now is None else parse_time(now),
            log,
            tuple(load(_read(path)) for path in others or ()),
        )
        proved = check_file(_read(file), beside)
    except CannotCheck as error:
        typer.echo(f"CANNOT CHECK  {plain(str(error))}", err=True)
        raise typer.Exit(_CANNOT_CHECK) from error
    except VerificationFailed as error:
        typer.echo(f"NOT PROVED  {plain(str(error))}", err=True)
        raise typer.Exit(_NOT_PROVED) from error
    except (OSError, AuditError) as error:
        typer.echo(f"CANNOT CHECK  {plain(str(error))}", err=True)
        raise typer.Exit(_CANNOT_CHECK) from error
    typer.echo("\n".join(plain(line) for line in _lines(proved, beside)))


def _read(path: Path) -> bytes:
    """Read a file, but no more of it than is too much."""
    from audit.proof import EVIDENCE_LIMIT_BYTES  # noqa: PLC0415

    with path.open("rb") as file:
        return file.read(EVIDENCE_LIMIT_BYTES + 1)


def _lines(proved: Proved, beside: Beside) -> list[str]:
    """Return what a file proves, as lines for a person."""
    lines = told(proved.evidence) if proved.evidence else _promise(proved) + _tree(proved)
    if proved.grown_from is not None:
        lines.append(f"  grown from   the signed tree of {proved.grown_from}, which is how it begins")
    if proved.published is not None:
        lines.append(f"  published    in a log of {len(proved.published.leaves)} that begins with this tree")
    if proved.signed is None:
        return lines
    lines += [
        f"  witnessed    {one.key.key_id} at {one.time.isoformat()}" for one in proved.signed.cosignatures
    ]
    if not beside.trust.witnesses:
        lines.append("  not checked  whether everybody is shown the same log: no witness's key was given")
    return lines


def _promise(proved: Proved) -> list[str]:
    receipt = proved.promised
    if receipt is None:
        return ["PROVED: the log signed this"]
    entry = f"  entry        {receipt.entry_id}"
    if proved.published is None:
        entry = f"  not checked  that it is entry {receipt.entry_id}, as no receipt signs that: give --log"
    kept = f"kept, at index {proved.index}" if proved.signed else "not checked: give --log or --with a proof"
    return [
        "PROVED: the log promised to hold this entry",
        entry,
        f"  leaf         {receipt.leaf_hash.hex()}",
        f"  promised     on {receipt.time.isoformat()}, by {receipt.integrate_by.isoformat()}",
        f"  promise      {kept}",
    ]


def _tree(proved: Proved) -> list[str]:
    if proved.signed is None:
        return []
    checkpoint = proved.signed.checkpoint
    return [
        f"  index        {proved.index} in a tree of {checkpoint.tree_size}"
        if proved.index is not None
        else f"  tree         of {checkpoint.tree_size}",
        f"  log          {checkpoint.origin}, signed by {', '.join(proved.signed.signed_by)}",
        f"  root         {checkpoint.root.hex()}",
    ]


def told(proved: Verified) -> list[str]:
    """Return what an evidence file proves, as lines for a person."""
    entry = proved.entry
    receipt = {True: "valid", False: "not checked: its key was not given"}[proved.receipt_checked]
    lines = [
        "PROVED: this entry is in the log, and nothing in it was changed since it was signed",
        f"  entry        {entry.entry_id}  {entry.type}",
        f"  time         {entry.time.isoformat()}",
        f"  actor        {entry.actor}",
        f"  index        {proved.index} in a tree of {proved.tree_size}",
        f"  log          {proved.origin}, signed by {', '.join(proved.signed_by)}",
        f"  root         {proved.root.hex()}",
        f"  receipt      {receipt if proved.receipt else 'none in the file'}",
    ]
    try:
        return lines + _decision(proved)
    except (ValueError, KeyError, TypeError):
        return [*lines, "  contents     disclosed, in a form that is not that of a decision"]


def plain(text: str) -> str:
    """Return text without control characters: a file from a stranger must not steer the terminal."""
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)


def _decision(proved: Verified) -> list[str]:
    """Return the decision, from the encrypted part if disclosed and from the clear part otherwise."""
    body = proved.entry.body
    lines = [f"  {called:<12} {body[name]}" for name, called in _NAMES.items() if body.get(name) is not None]
    if proved.entry.type == "explanation.reviewed":
        return [*lines, *_review(proved)]
    if proved.plaintext and proved.entry.type == "explanation.supplemented":
        return [*lines, *_changes(proved.plaintext)]
    if proved.private is None or proved.entry.type != "explanation.created":
        codes = body.get("reason_codes")
        listed = ", ".join(map(str, codes)) if isinstance(codes, list) else ""
        return [*lines, *([f"  reasons      {listed}"] if listed else []), "  contents     not disclosed"]
    from records.private import parse_private  # noqa: PLC0415 - only where there is something to read

    part = parse_private(proved.plaintext or b"")
    decision = part["decision"]
    lines += [
        f"  decision id  {part['decision_id']}",
        f"  score        {decision['score']:.6g} (threshold {decision['threshold']:g})",
        "  reasons",
    ]
    for reason in part["reasons"]:
        seen = ", ".join(f"{item['feature']} {in_words(item['value'])}" for item in reason["observed"])
        lines.append(f"    {reason['rank']}. {reason['code']}  {reason['text']}  [{seen}]")
    return lines


def _review(proved: Verified) -> list[str]:
    """Return what a reviewer said; that it is not disclosed, where something was said and is not."""
    if proved.plaintext is None:
        return ["  contents     not disclosed"] if proved.entry.private is not None else []
    said = proved.private or {}
    found = [(name, str(said[name])) for name in ("reviewer", "note") if said[name] is not None]
    return [f"  {name:<12} {line}" for name, text in found for line in text.split("\n")]


def _changes(plaintext: bytes) -> list[str]:
    """Return what would change the decision, from a supplement's encrypted part."""
    from records.private import parse_supplement  # noqa: PLC0415 - only where there is something to read

    part = parse_supplement(plaintext)
    found = part["counterfactuals"]
    lines = [f"  decision id  {part['decision_id']}", f"  found        {found['status']}"]
    for item in found["items"]:
        told = ", ".join(
            f"{change['feature']} {in_words(change['from'])} -> {in_words(change['to'])}"
            for change in item["changes"]
        )
        lines.append(f"    {item['outcome']} (score {item['score']:.6g}): {told}")
    return lines


def _keys(given: str) -> list[str]:
    """Read keys, or a file of them."""
    path = Path(given)
    try:
        return path.read_text(encoding="utf-8").split() if path.is_file() else given.split() or [given]
    except (OSError, UnicodeDecodeError):
        return [given]
