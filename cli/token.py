"""`ofrecord token`: issue and revoke bearer tokens, with the API's own settings."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from uuid import UUID

import typer

from cli.starting import load, told_in_one_line
from runtime.errors import OperationError
from runtime.settings import SERVICE_NEEDS

if TYPE_CHECKING:
    from audit.log import AuditLog
    from runtime.postgres import Pool

token = typer.Typer(help="Issue and revoke bearer tokens.", no_args_is_help=True)
_ACTOR = "ofrecord token"
DataDir = Annotated[
    Path, typer.Option(help="The installation of `ofrecord run` to act on, where no database is named.")
]


@token.command()
def issue(
    principal: Annotated[
        str, typer.Argument(help="Who it speaks for: the actor of every entry made with it.")
    ],
    scope: Annotated[list[str], typer.Option(help="What it may do; may be repeated.")],
    days: Annotated[int, typer.Option(help="How long it is good; 0 for ever.", min=0)] = 0,
    data_dir: DataDir = Path(".ofrecord"),
) -> None:
    """Issue a token, put that on record, and print the token this one time."""
    with told_in_one_line(), _reached(data_dir) as (pool, log):
        from records.tokens import issue_token  # noqa: PLC0415 - `--help` needs none of it
        from runtime.clock import SystemClock  # noqa: PLC0415

        now = SystemClock().now()
        log.ensure_partitions(now)
        expires = now + timedelta(days=days) if days else None
        with pool.connection() as connection:
            try:
                made = issue_token(
                    connection, log, principal, scope, now, issued_by=_ACTOR, expires_at=expires
                )
            except ValueError as error:
                raise OperationError(str(error)) from error
        typer.echo(f"token id {made.token_id}", err=True)
        typer.echo(made.secret)


@token.command()
def revoke(
    token_id: Annotated[UUID, typer.Argument(help="The id that was printed when it was issued.")],
    data_dir: DataDir = Path(".ofrecord"),
) -> None:
    """Revoke a token and put that on record; the API may honour it for two more seconds."""
    with told_in_one_line(), _reached(data_dir) as (pool, log):
        from records.tokens import revoke_token  # noqa: PLC0415 - `--help` needs none of it
        from runtime.clock import SystemClock  # noqa: PLC0415

        with pool.connection() as connection:
            if not revoke_token(connection, log, token_id, SystemClock().now(), revoked_by=_ACTOR):
                raise OperationError(f"there is no token {token_id}, or it was revoked before")
        typer.echo(f"revoked {token_id}", err=True)


@contextmanager
def _reached(data_dir: Path) -> Iterator[tuple[Pool, AuditLog]]:
    """Yield the databases that the API's settings name."""
    from audit.keys import KeyStore  # noqa: PLC0415 - `--help` needs none of it
    from audit.log import AuditLog  # noqa: PLC0415
    from cli.running.environments import read_environment  # noqa: PLC0415
    from runtime.postgres import open_pool  # noqa: PLC0415

    kept = data_dir / "environments" / "api.env"
    named = "OFRECORD_DATABASE_URL" in os.environ or not kept.is_file()
    settings = load(
        "token", needs=SERVICE_NEEDS, env=os.environ if named else {**os.environ, **read_environment(kept)}
    )
    with (
        open_pool(settings.database_url, max_size=2, name="ofrecord-token") as pool,
        open_pool(settings.keys_database_url, max_size=2, name="ofrecord-token") as keys_pool,
    ):
        yield pool, AuditLog(pool, KeyStore(keys_pool, settings.master_key), origin=settings.log_origin)
