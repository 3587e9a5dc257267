"""`ofrecord run`: everything on one machine."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from cli.starting import told_in_one_line


def run(
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[
        int, typer.Option(help="Port to listen on; 0 takes a free one.", min=0, max=65535)
    ] = 8321,
    data_dir: Annotated[
        Path,
        typer.Option(help="Folder for keys, logs and data.", envvar="OFRECORD_DATA_DIR", file_okay=False),
    ] = Path(".ofrecord"),
    example: Annotated[
        bool, typer.Option(help="Register the lending example and explain a decision.")
    ] = True,
) -> None:
    """Start PostgreSQL, Valkey and all our own processes.

    These are the API, a worker, the scheduler, the integrator, the key custodian, a witness and the
    counterfactual server; they are kept running until Ctrl-C. With OFRECORD_DATABASE_URL (an administrator's)
    or OFRECORD_BROKER_URL set, those servers are used instead.
    """
    with told_in_one_line():
        from cli.running.installation import run_installation  # noqa: PLC0415 - `--help` needs none of it

        run_installation(data_dir, host, port, os.environ, example=example)
