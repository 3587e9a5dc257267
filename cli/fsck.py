"""`ofrecord fsck`: derive the whole log again and compare."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from cli.starting import load, told_in_one_line
from runtime.errors import SettingsError
from runtime.settings import AUDITOR_NEEDS

_FAILED = 1


def fsck(
    data_dir: Annotated[
        Path, typer.Option(help="The installation of `ofrecord run` to check, where no database is named.")
    ] = Path(".ofrecord"),
) -> None:
    """Re-derive every leaf, tile, root and signature: PASS and exit 0, or FAIL and exit 1."""
    with told_in_one_line():
        settings = load("fsck", needs=(*AUDITOR_NEEDS, "log_origin"), env=_environment(os.environ, data_dir))
        if not settings.log_verifier_keys:
            raise SettingsError("OFRECORD_LOG_VERIFIER_KEYS", "is not set")
        from audit.fsck import fsck as check  # noqa: PLC0415 - `--help` needs none of it
        from runtime.postgres import connect  # noqa: PLC0415

        with connect(settings.database_url) as connection:
            report = check(connection, settings.log_verifier_keys, settings.log_origin)
    for problem in report.problems:
        typer.echo(f"  {problem}")
    root = report.root.hex() if report.root else "none"
    typer.echo(
        f"  {report.entries} entries, {report.pending} pending, tree of {report.tree_size}, root {root}"
    )
    typer.echo("PASS" if report.passed else "FAIL")
    if not report.passed:
        raise typer.Exit(_FAILED)


def _environment(env: Mapping[str, str], data_dir: Path) -> Mapping[str, str]:
    """Use the database that is named, or the one of a running installation."""
    kept = data_dir / "environments" / "auditor.env"
    if "OFRECORD_DATABASE_URL" in env or "OFRECORD_DATABASE_URL_FILE" in env or not kept.is_file():
        return env
    from cli.running.environments import read_environment  # noqa: PLC0415 - only for `run`'s own installations

    return {**env, **read_environment(kept)}
