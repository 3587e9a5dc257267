"""`ofrecord replay`: compute a sample of recorded explanations again and compare."""

from __future__ import annotations

import csv
import io
import json
import os
from collections.abc import Iterator
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.starting import load, told_in_one_line
from runtime.errors import OperationError

if TYPE_CHECKING:
    from records.replays import SampledRow
    from service.replaying.sampling import Run

_DIFFERS = 1
_ACTOR = "ofrecord replay"
_NEEDS = ("database_url", "keys_database_url", "master_key", "log_origin")
_LARGEST_SEED = 2**53 - 1


class Format(StrEnum):
    """How the rows are printed."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"


def replay(
    begin: Annotated[str, typer.Option("--from", help="The first moment: a day or a time, UTC.")],
    end: Annotated[str, typer.Option("--to", help="The moment before which it ends, likewise.")],
    *,
    sample: Annotated[int, typer.Option(help="At most so many explanations.", min=1, max=1_000_000)] = 100,
    seed: Annotated[
        int | None, typer.Option(help="Draws the same sample again; drawn where it is left out.", min=0)
    ] = None,
    model: Annotated[str | None, typer.Option(help="Explanations of this model alone.")] = None,
    format: Annotated[Format, typer.Option(help="How the rows are printed.")] = Format.TABLE,  # noqa: A002
    data_dir: Annotated[
        Path, typer.Option(help="The installation of `ofrecord run` to read, where no database is named.")
    ] = Path(".ofrecord"),
) -> None:
    """Replay a drawn sample of a period; exit 0 when nothing differs beyond the tolerance, 1 otherwise.

    Needs the API's settings. Each replay is put on record, and the run after them.
    """
    with told_in_one_line():
        period = _moment(begin, "--from"), _moment(end, "--to")
        if period[0] >= period[1]:
            raise OperationError("--from must be before --to")
        drawn = _drawn(seed)
        from audit.errors import AuditUnavailable  # noqa: PLC0415 - `--help` needs none of it
        from records.reaching import RecordsUnavailable  # noqa: PLC0415
        from records.replays import Period  # noqa: PLC0415
        from runtime.clock import SystemClock  # noqa: PLC0415
        from service.replaying.sampling import Sample, opened, replay_sample  # noqa: PLC0415
        from service.starting import warm_kernels  # noqa: PLC0415

        settings = load("replay", needs=_NEEDS, env=_environment(data_dir))
        warm_kernels(settings)
        with opened(settings) as sources:
            asked = Sample(Period(*period, model), sample, drawn)
            try:
                sources.log.ensure_partitions(SystemClock().now())
                run = replay_sample(sources, SystemClock(), asked, _ACTOR)
            except (AuditUnavailable, RecordsUnavailable) as error:
                raise OperationError(f"the run was not finished: {error}") from error
        for line in _written(run, format):
            typer.echo(line)
        if not run.agrees:
            raise typer.Exit(_DIFFERS)


def _moment(text: str, option: str) -> datetime:
    """A day is its first moment; a time without a zone is one in UTC."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise OperationError(f"{option} must be a day or a time, such as 2026-11-20T08:00:00Z") from error
    return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)


def _drawn(seed: int | None) -> int:
    if seed is None:
        return int.from_bytes(os.urandom(4), "big")
    if seed > _LARGEST_SEED:
        raise OperationError(f"--seed must be at most {_LARGEST_SEED}")
    return seed


def _environment(data_dir: Path) -> dict[str, str]:
    """The API's environment, or that of a running installation where no database is named."""
    from cli.running.environments import read_environment  # noqa: PLC0415 - only for `run`'s installations

    kept = data_dir / "environments" / "api.env"
    named = {"OFRECORD_DATABASE_URL", "OFRECORD_DATABASE_URL_FILE"} & os.environ.keys()
    return dict(os.environ) if named or not kept.is_file() else {**os.environ, **read_environment(kept)}


def _written(run: Run, wanted: Format) -> Iterator[str]:
    if wanted is Format.JSON:
        yield json.dumps(_summary(run) | {"rows": [row.written() for row in run.rows]}, indent=2)
    elif wanted is Format.CSV:
        yield _csv(run.rows)
    else:
        yield from _table(run)


def _summary(run: Run) -> dict[str, object]:
    period = run.sample.period
    return {
        "run_id": str(run.run_id),
        "entry_id": str(run.entry_id),
        "from": period.begin.isoformat(),
        "to": period.end.isoformat(),
        "model": period.model,
        "population": run.population,
        "sample": len(run.rows),
        "seed": run.sample.seed,
        "verdicts": run.verdicts,
        "not_compared": run.not_compared,
    }


def _csv(rows: tuple[SampledRow, ...]) -> str:
    from records.replays import COLUMNS  # noqa: PLC0415 - `--help` needs none of it

    out = io.StringIO()
    writer = csv.DictWriter(out, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(row.written() for row in rows)
    return out.getvalue().rstrip("\n")


def _table(run: Run) -> Iterator[str]:
    """The counts first, then every explanation that is not simply identical."""
    yield f"  {len(run.rows)} of {run.population} explanations, seed {run.sample.seed}, run {run.run_id}"
    for verdict, count in run.verdicts.items():
        yield f"  {verdict:<17}{count:>8}"
    if run.not_compared:
        yield f"  of these, {run.not_compared} could not be compared in every part"
    for row in run.rows:
        if row.verdict != "identical":
            told = " ".join(filter(None, (row.first_difference, row.why)))
            yield f"  {row.explanation_id}  {row.model} {row.version}  {row.verdict}  {told}".rstrip()
    yield "PASS" if run.agrees else "FAIL"
