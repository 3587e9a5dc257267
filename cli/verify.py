"""`ofrecord verify`: check an evidence file with nothing but the log's public keys."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.wording import in_words

if TYPE_CHECKING:
    from audit.verify import Verified

_NOT_PROVED = 1
_CANNOT_CHECK = 2


def verify(
    file: Annotated[Path, typer.Argument(help="The evidence file.", dir_okay=False)],
    key: Annotated[list[str], typer.Option(help="A verifier key, or a file of them; may be repeated.")],
) -> None:
    """Check an evidence file offline: exit 0 when it proves its decision, 1 when not, 2 if it cannot."""
    from audit.errors import VerificationFailed  # noqa: PLC0415 - `--help` needs none of it
    from audit.verify import verify_evidence  # noqa: PLC0415

    keys = [one for given in key for one in _keys(given)]
    try:
        data = file.read_bytes()
    except OSError as error:
        typer.echo(f"CANNOT CHECK  {file}: {error.strerror}", err=True)
        raise typer.Exit(_CANNOT_CHECK) from error
    try:
        proved = verify_evidence(data, keys)
    except VerificationFailed as error:
        cannot = error.step == "keys"
        typer.echo(f"{'CANNOT CHECK' if cannot else 'NOT PROVED'}  {plain(str(error))}", err=True)
        raise typer.Exit(_CANNOT_CHECK if cannot else _NOT_PROVED) from error
    typer.echo("\n".join(plain(line) for line in told(proved)))


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
    return lines + _decision(proved)


def plain(text: str) -> str:
    """Return text without control characters: a file from a stranger must not steer the terminal."""
    return "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)


def _decision(proved: Verified) -> list[str]:
    """Return the decision, from the encrypted part if disclosed and from the clear part otherwise."""
    body = proved.entry.body
    lines = [
        f"  {name.replace('_', ' '):<12} {body[name]}"
        for name in ("model", "version", "outcome")
        if name in body
    ]
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
    """Read a key, or a file of keys."""
    path = Path(given)
    try:
        return path.read_text(encoding="utf-8").split() if path.is_file() else [given]
    except (OSError, UnicodeDecodeError):
        return [given]
