"""`ofrecord fsck`: derive the whole log again and compare."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.starting import load, told_in_one_line
from runtime.errors import OperationError, SettingsError
from runtime.settings import AUDITOR_NEEDS, Settings

if TYPE_CHECKING:
    from audit.fsck import Known
    from audit.fsck_vouched import Vouched

_FAILED = 1


def fsck(
    data_dir: Annotated[
        Path, typer.Option(help="The installation of `ofrecord run` to check, where no database is named.")
    ] = Path(".ofrecord"),
    checkpoint: Annotated[
        Path | None, typer.Option(help="A checkpoint kept from before: this log must have grown out of it.")
    ] = None,
) -> None:
    """Re-derive every leaf, tile, root and signature: PASS and exit 0, or FAIL and exit 1.

    Cosignatures are checked with the witness keys that are named in OFRECORD_WITNESSES or among the verifier
    keys, time stamps with OFRECORD_TIMESTAMP_CERTIFICATES; what was not checked is said.
    """
    with told_in_one_line():
        settings = load("fsck", needs=(*AUDITOR_NEEDS, "log_origin"), env=_environment(os.environ, data_dir))
        if not settings.log_verifier_keys:
            raise SettingsError("OFRECORD_LOG_VERIFIER_KEYS", "is not set")
        from audit.cosignature import parse_keys  # noqa: PLC0415 - `--help` needs none of it
        from audit.fsck import fsck as check  # noqa: PLC0415
        from records.custody_check import custody_problems  # noqa: PLC0415
        from runtime.clock import SystemClock  # noqa: PLC0415
        from runtime.postgres import connect  # noqa: PLC0415

        vkeys = [*settings.log_verifier_keys, *(vkey for vkey, _ in settings.witnesses)]
        known = None if checkpoint is None else _known(checkpoint, settings)
        with connect(settings.database_url) as connection:
            report = check(
                connection,
                vkeys,
                settings.log_origin,
                since=known,
                clock=SystemClock(),
                certificates=_certificates(settings),
            )
            custody = custody_problems(connection)
    for problem in (*report.problems, *custody):
        typer.echo(f"  {problem}")
    root = report.root.hex() if report.root else "none"
    typer.echo(
        f"  {report.entries} entries, {report.pending} pending, tree of {report.tree_size}, root {root}"
    )
    for line in vouching_told(report.vouched, knows_witnesses=bool(parse_keys(vkeys)[1])):
        typer.echo(f"  {line}")
    if known is not None and report.consistent:
        typer.echo(f"  grew out of the checkpoint of {known.tree_size}")
    passed = report.passed and not custody
    typer.echo("PASS" if passed else "FAIL")
    if not passed:
        raise typer.Exit(_FAILED)


def vouching_told(vouched: Vouched, *, knows_witnesses: bool) -> Iterator[str]:
    """Say how much of what others said of the log was checked, and what was not."""
    yield f"{vouched.cosignatures} cosignatures and {vouched.stamps} time stamps checked"
    if not knows_witnesses:
        stored = vouched.unknown.total()
        yield f"not checked: cosignatures, as no witness's key was given; {stored} are stored"
    else:
        for key_id, count in sorted(vouched.unknown.items()):
            yield f"not checked: {count} cosignatures by {key_id}, whose key was not given"
    if vouched.unsigned:
        yield (
            f"not checked: who signed {vouched.unsigned} time stamps, as OFRECORD_TIMESTAMP_CERTIFICATES "
            "is not set; what they say was compared"
        )
    if vouched.unread:
        yield f"not checked: {vouched.unread} time stamps: that needs the extra `timestamps`"


def _certificates(settings: Settings) -> Path | None:
    """Return whom to trust about time, once it is known that they can be read."""
    from audit.fsck_vouched import can_read_stamps  # noqa: PLC0415 - `--help` needs none of it

    path = settings.timestamp_certificates
    if path is None or not can_read_stamps():
        return path
    from audit.timestamp import TimestampRefused, read_certificates  # noqa: PLC0415 - an extra

    try:
        read_certificates(path)
    except TimestampRefused as error:
        raise SettingsError("OFRECORD_TIMESTAMP_CERTIFICATES", str(error)) from error
    return path


def _known(path: Path, settings: Settings) -> Known:
    """Read a checkpoint that was kept outside; only what the log's own keys signed counts."""
    from audit.checkpoint import checkpoint_keys, verify_checkpoint  # noqa: PLC0415 - `--help` needs none of it
    from audit.errors import MalformedNote  # noqa: PLC0415
    from audit.fsck import Known  # noqa: PLC0415

    try:
        kept, _ = verify_checkpoint(
            path.read_text(encoding="utf-8"), checkpoint_keys(settings.log_verifier_keys)
        )
    except (OSError, UnicodeDecodeError) as error:
        raise OperationError(f"--checkpoint: {path} cannot be read") from error
    except MalformedNote as error:
        raise OperationError(f"--checkpoint: {error}") from error
    if kept.origin != settings.log_origin:
        raise OperationError(f"--checkpoint: is of another log, {kept.origin}")
    return Known(kept.tree_size, kept.root)


def _environment(env: Mapping[str, str], data_dir: Path) -> Mapping[str, str]:
    """Use the database that is named, or the one of a running installation."""
    kept = data_dir / "environments" / "auditor.env"
    if "OFRECORD_DATABASE_URL" in env or "OFRECORD_DATABASE_URL_FILE" in env or not kept.is_file():
        return env
    from cli.running.environments import read_environment  # noqa: PLC0415 - only for `run`'s own installations

    return {**env, **read_environment(kept)}
