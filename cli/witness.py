"""`ofrecord witness`: watch a log from outside, with one key and one file."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.starting import load, told_in_one_line
from runtime.errors import OperationError, SettingsError
from runtime.settings import WITNESS_NEEDS, Settings

if TYPE_CHECKING:
    from audit.witness import Witness
    from audit.witness_store import WitnessStore

witness = typer.Typer(help="Watch a log: cosign its growth, keep what contradicts it.", add_completion=False)
_MISBEHAVED = 1
_REQUESTS = 64
_GRACE_SECONDS = 5


@witness.callback(invoke_without_command=True)
def serve(
    context: typer.Context,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on.", min=1, max=65535)] = 8322,
    descriptor: Annotated[
        int, typer.Option(help="An open listening socket to use instead.", hidden=True)
    ] = -1,
) -> None:
    """Cosign checkpoints that prove their log's growth (C2SP tlog-witness).

    Needs the logs' keys in OFRECORD_LOG_VERIFIER_KEYS, its own in OFRECORD_WITNESS_KEY, and a file of its own
    in OFRECORD_WITNESS_DATABASE, which is made when it is missing.
    """
    if context.invoked_subcommand is not None:
        return
    with told_in_one_line():
        settings = load("witness", needs=WITNESS_NEEDS)
        import uvicorn  # noqa: PLC0415 - `--help` needs none of it

        from cli.connections import BoundedHttp  # noqa: PLC0415
        from cli.witnessing.app import WitnessApp  # noqa: PLC0415
        from runtime.clock import SystemClock  # noqa: PLC0415

        config = uvicorn.Config(
            WitnessApp(_opened(settings), SystemClock()),
            host=host,
            port=port,
            loop="uvloop",
            http=BoundedHttp,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            limit_concurrency=_REQUESTS,
            timeout_graceful_shutdown=_GRACE_SECONDS,
        )
        given = [socket.socket(fileno=descriptor)] if descriptor >= 0 else None
        uvicorn.Server(config).run(sockets=given)


@witness.command()
def report() -> None:
    """Tell what was cosigned last and what was refused; exit 1 when a log contradicted itself."""
    with told_in_one_line():
        settings = load("witness", needs=("witness_database",))
        from cli.witnessing.state import misbehaved, told  # noqa: PLC0415 - `--help` needs none of it

        if settings.witness_database is None or not settings.witness_database.is_file():
            raise SettingsError("OFRECORD_WITNESS_DATABASE", "names no file: nothing was witnessed yet")
        store = _memory(settings)
        for line in told(store):
            typer.echo(line)
        if any(misbehaved(refused) for refused in store.refused()):
            raise typer.Exit(_MISBEHAVED)


@witness.command()
def key(
    name: Annotated[str, typer.Argument(help="The witness's name for ever, such as audit.example.org/w1.")],
    out: Annotated[Path, typer.Option(help="A new file for the private key.", dir_okay=False)],
) -> None:
    """Make a witness's key: the private one into a new file, the public one (its vkey) to standard output."""
    with told_in_one_line():
        from audit.cosignature import Cosigner  # noqa: PLC0415 - `--help` needs none of it
        from audit.errors import MalformedNote  # noqa: PLC0415
        from cli.running.folder import write_private  # noqa: PLC0415

        if out.exists():
            raise OperationError(f"{out} exists; a key is not overwritten")
        try:
            made = Cosigner.generate(name)
        except MalformedNote as error:
            raise OperationError(f"{name}: {error}") from error
        write_private(out, f"{made.private_text()}\n")
        typer.echo(made.key.vkey)


def _memory(settings: Settings) -> WitnessStore:
    """Open the witness's file."""
    from audit.refusals import WitnessUnavailable  # noqa: PLC0415 - `--help` needs none of it
    from audit.witness_store import WitnessStore  # noqa: PLC0415

    try:
        return WitnessStore(settings.witness_database or Path())
    except WitnessUnavailable as error:
        raise SettingsError("OFRECORD_WITNESS_DATABASE", str(error)) from error


def _opened(settings: Settings) -> Witness:
    """Open the memory and read the keys; name the variable that is wrong."""
    from audit.cosignature import Cosigner  # noqa: PLC0415 - `--help` needs none of it
    from audit.errors import MalformedNote  # noqa: PLC0415
    from audit.witness import Witness  # noqa: PLC0415

    try:
        cosigner = Cosigner.parse(settings.witness_key)
    except MalformedNote as error:
        raise SettingsError("OFRECORD_WITNESS_KEY", str(error)) from error
    try:
        return Witness(_memory(settings), cosigner, settings.log_verifier_keys)
    except MalformedNote as error:
        raise SettingsError("OFRECORD_LOG_VERIFIER_KEYS", str(error)) from error
