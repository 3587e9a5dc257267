"""`ofrecord secrets`: make an installation's secrets once, as files for `docker compose` or a cluster."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli.starting import told_in_one_line
from runtime.errors import OperationError


def secrets(
    origin: Annotated[str, typer.Option(help="The log's name for ever, such as log.example.com/ofrecord.")],
    out: Annotated[Path, typer.Option(help="A new folder.", file_okay=False)] = Path("secrets"),
) -> None:
    """Make every password and key, each in a file of its own, in a folder that must not exist yet.

    The folder is its owner's alone; the files in it are readable, since containers read them as another user.
    """
    with told_in_one_line():
        from audit.checkpoint import check_origin  # noqa: PLC0415 - `--help` needs none of it
        from audit.errors import MalformedNote  # noqa: PLC0415
        from audit.note import Signer  # noqa: PLC0415
        from cli.running.credentials import fresh_secrets  # noqa: PLC0415
        from cli.running.folder import write_private  # noqa: PLC0415

        try:
            made = fresh_secrets(check_origin(origin))
        except MalformedNote as error:
            raise OperationError(f"--origin: {error}") from error
        try:
            out.mkdir(mode=0o700, parents=True)
        except OSError as error:
            raise OperationError(f"{out} cannot be made ({error.strerror})") from error
        keys = [Signer.parse(made[name]).verifier.vkey for name in ("checkpoint-key", "receipt-key")]
        for name, text in {**made, "verifier-keys": "\n".join(keys)}.items():
            write_private(out / name, f"{text}\n")
            (out / name).chmod(0o444)
        typer.echo(f"{len(made)} secrets and the public verifier-keys are in {out}; keep a copy apart.")
        typer.echo(f"OFRECORD_LOG_ORIGIN={origin}")
