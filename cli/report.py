"""`ofrecord report`: pull a report into a file, or check one again."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, BinaryIO, Literal
from uuid import UUID

import typer

from cli.starting import load, told_in_one_line
from runtime.errors import OperationError
from runtime.settings import SERVICE_NEEDS

if TYPE_CHECKING:
    from reports.registers.pulling import Desk, Made
    from reports.registers.report import Asked
    from runtime.settings import Settings

_ACTOR = "ofrecord report"
_FAILED = 1
_Format = Literal["json", "csv"]


def report(  # noqa: PLR0913 - one for each option
    name: Annotated[str | None, typer.Argument(help="Which report; without one, all are named.")] = None,
    *,
    begin: Annotated[
        str | None, typer.Option("--from", help="A day, or a time with its zone: the first moment in it.")
    ] = None,
    end: Annotated[str | None, typer.Option("--to", help="The first moment that is not in it.")] = None,
    model: Annotated[str | None, typer.Option(help="Only what concerns this model.")] = None,
    explanation_id: Annotated[UUID | None, typer.Option(help="Only what concerns this decision.")] = None,
    form: Annotated[_Format, typer.Option("--format", help="How it is written.")] = "json",
    out: Annotated[Path | None, typer.Option(help="The file to write; standard output without one.")] = None,
    check: Annotated[Path | None, typer.Option(help="Check this file instead: its rows and digest.")] = None,
    data_dir: Annotated[
        Path, typer.Option(help="The installation of `ofrecord run` to read, where no database is named.")
    ] = Path(".ofrecord"),
) -> None:
    """Pull a report and put that on record. There are no bounds of time or size here."""
    with told_in_one_line():
        if check is not None:
            _check(check)
            return
        if name is None:
            _name_all()
            return
        from audit.errors import AuditError  # noqa: PLC0415 - `--help` needs none of it
        from registry.errors import ModelUnknown  # noqa: PLC0415
        from reports.registers.errors import ReportError  # noqa: PLC0415
        from reports.registers.period import read_moment  # noqa: PLC0415
        from reports.registers.report import Asked  # noqa: PLC0415

        try:
            asked = Asked(
                start=None if begin is None else read_moment("from", begin),
                end=None if end is None else read_moment("to", end),
                model=model,
                explanation_id=explanation_id,
            )
            _pull(name, asked, form, out, data_dir)
        except (ReportError, ModelUnknown, AuditError) as error:
            parameter = getattr(error, "parameter", None)
            raise OperationError(f"{parameter}: {error}" if parameter else str(error)) from error


def _pull(name: str, asked: Asked, form: _Format, out: Path | None, data_dir: Path) -> None:
    from reports.registers.offered import find_report  # noqa: PLC0415 - `--help` needs none of it
    from reports.registers.pulling import Bounds, make  # noqa: PLC0415

    found = find_report(name)
    with _reached(data_dir) as desk:
        made = make(desk, found, asked, form, Bounds())
        try:
            recorded = desk.log.append(made.drafts(_ACTOR), desk.clock.now())[-1]
            with _writing(out) as file:
                _write(made, file, recorded.entry_id)
        finally:
            made.close()
        typer.echo(f"{made.written.rows} rows, sha256 {made.written.sha256}", err=True)
        summary = made.facts["summary"]
        if isinstance(summary, dict) and summary.get("result") == "FAIL":
            typer.echo("FAIL", err=True)
            raise typer.Exit(_FAILED)


def _write(made: Made, file: BinaryIO, entry_id: UUID) -> None:
    file.write(made.opening(entry_id, _ACTOR))
    file.writelines(made.chunks())
    file.write(made.closing())


@contextmanager
def _writing(out: Path | None) -> Iterator[BinaryIO]:
    """Yield the file, which has its name only once it is whole."""
    if out is None:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    unfinished = out.with_name(f".{out.name}.unfinished")
    try:
        with unfinished.open("wb") as file:
            yield file
        unfinished.replace(out)
    finally:
        unfinished.unlink(missing_ok=True)


def _check(file: Path) -> None:
    from reports.registers.errors import ReportDamaged  # noqa: PLC0415 - `--help` needs none of it
    from reports.registers.forms.checking import check_file  # noqa: PLC0415

    try:
        found = check_file(file)
    except OSError as error:
        raise OperationError(f"{file} cannot be read: {error.strerror}") from error
    except ReportDamaged as error:
        raise OperationError(f"{file}: {error}") from error
    typer.echo(f"  {found.report}, {found.rows} rows, sha256 {found.sha256}, entry {found.entry_id}")
    if not found.holds:
        typer.echo(f"  the header says {found.said_rows} rows, sha256 {found.said_sha256}")
    typer.echo("PASS" if found.holds else "FAIL")
    if not found.holds:
        raise typer.Exit(_FAILED)


def _name_all() -> None:
    from reports.registers.offered import REPORTS  # noqa: PLC0415 - `--help` needs none of it

    for one in REPORTS.values():
        typer.echo(f"  {one.name:24} {one.title}")


@contextmanager
def _reached(data_dir: Path) -> Iterator[Desk]:
    """Yield the databases that the API's settings name."""
    from audit.keys import KeyStore  # noqa: PLC0415 - `--help` needs none of it
    from audit.log import AuditLog  # noqa: PLC0415
    from audit.note import Signer  # noqa: PLC0415
    from audit.receipt import issue_receipt  # noqa: PLC0415
    from reports.registers.pulling import Desk  # noqa: PLC0415
    from runtime.clock import SystemClock  # noqa: PLC0415
    from runtime.postgres import open_pool  # noqa: PLC0415

    settings = _settings(data_dir)
    signer = Signer.parse(settings.receipt_key)
    with (
        open_pool(settings.database_url, max_size=3, name="ofrecord-report", statement_timeout_ms=0) as pool,
        open_pool(settings.keys_database_url, max_size=2, name="ofrecord-report", autocommit=True) as keys,
    ):
        log = AuditLog(pool, KeyStore(keys, settings.master_key), origin=settings.log_origin)
        issue = partial(issue_receipt, signer, settings.log_origin)
        yield Desk(
            pool=pool,
            log=log,
            clock=SystemClock(),
            organisation=settings.organisation,
            vkeys=settings.log_verifier_keys,
            receipt=lambda appended, index: (
                issue(appended) if index is None else issue(appended).with_index(index)
            ),
            folder=settings.cache_dir / "reports",
            witness_vkeys=tuple(vkey for vkey, _ in settings.witnesses),
            processes=None,
        )


def _settings(data_dir: Path) -> Settings:
    from cli.running.environments import read_environment  # noqa: PLC0415 - only for `run`'s installations

    kept = data_dir / "environments" / "api.env"
    named = "OFRECORD_DATABASE_URL" in os.environ or not kept.is_file()
    env = os.environ if named else {**os.environ, **read_environment(kept)}
    return load("report", needs=SERVICE_NEEDS, env=env)
