"""`ofrecord migrate`: roles, databases and their shape."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from cli.starting import load, told_in_one_line
from runtime.settings import AUDITOR_NEEDS, read_secret


def migrate(
    restore_guard: Annotated[
        bool, typer.Option(help="Set the guard of the log's schema up again where it is off or altered.")
    ] = False,
) -> None:
    """Bring the databases to this version's shape; OFRECORD_DATABASE_URL is an administrator's here.

    Sets the passwords given as OFRECORD_SERVICE_PASSWORD, OFRECORD_WORKER_PASSWORD,
    OFRECORD_INTEGRATOR_PASSWORD, OFRECORD_AUDITOR_PASSWORD and OFRECORD_CUSTODIAN_PASSWORD (or the files
    named by …_PASSWORD_FILE); a role without one keeps what it has. Each file applied is an entry of the log.
    """
    with told_in_one_line():
        settings = load("migrate", needs=AUDITOR_NEEDS)
        from cli.rooms import keys_address, targets  # noqa: PLC0415 - `--help` needs none of it
        from runtime.migrations import LOGIN_ROLES  # noqa: PLC0415
        from runtime.migrations import migrate as apply  # noqa: PLC0415

        given = {role: read_secret(os.environ, f"{role.upper()}_PASSWORD") for role in LOGIN_ROLES}
        passwords = {role: password for role, password in given.items() if password}
        keys_url = settings.keys_database_url or keys_address(settings.database_url)
        rooms = targets(settings.database_url, keys_url, restore_guard=restore_guard)
        applied = apply(rooms, passwords)
        for name in applied:
            typer.echo(f"applied {name}")
        typer.echo(f"{len(applied)} applied; up to date")
