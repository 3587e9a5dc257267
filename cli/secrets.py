"""`ofrecord secrets`: make an installation's secrets once, as files for `docker compose` or a cluster."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli.starting import told_in_one_line
from runtime.errors import OperationError

_WITNESS_URL = "http://witness:8322"  # as the Compose file names it


def secrets(
    origin: Annotated[str, typer.Option(help="The log's name for ever, such as log.example.com/ofrecord.")],
    out: Annotated[Path, typer.Option(help="A new folder.", file_okay=False)] = Path("secrets"),
    add: Annotated[
        bool, typer.Option("--add", help="Add to an older version's folder what this version brought.")
    ] = False,
) -> None:
    """Make every password and key, each in a file of its own, in a folder that must not exist yet.

    The folder is its owner's alone; the files in it are readable, since containers read them as another user.
    """
    with told_in_one_line():
        from audit.checkpoint import check_origin  # noqa: PLC0415 - `--help` needs none of it
        from audit.errors import MalformedNote  # noqa: PLC0415

        try:
            check_origin(origin)
        except MalformedNote as error:
            raise OperationError(f"--origin: {error}") from error
        typer.echo(_add(out, origin) if add else _make(out, origin))
        typer.echo(f"OFRECORD_LOG_ORIGIN={origin}")
        typer.echo(f"OFRECORD_WITNESSES={_witness(out)} {_WITNESS_URL}")


def _make(out: Path, origin: str) -> str:
    """Make all of them and say so."""
    from cli.running.credentials import fresh_secrets  # noqa: PLC0415 - `--help` needs none of it
    from cli.running.folder import write_private  # noqa: PLC0415

    try:
        out.mkdir(mode=0o700, parents=True)
    except OSError as error:
        raise OperationError(f"{out} cannot be made ({error.strerror})") from error
    made = fresh_secrets(origin)
    for name, text in made.items():
        write_private(out / name, f"{text}\n")
    _publish(out)
    return f"{len(made)} secrets and the public verifier-keys are in {out}; keep a copy apart."


def _add(out: Path, origin: str) -> str:
    """Add what is missing and say so; what is there stays, and no key of the log is made anew."""
    from cli.running.credentials import add_later_secrets, origin_of  # noqa: PLC0415 - as above

    kept = origin_of(out)
    if kept != origin:
        raise OperationError(f"--origin: the keys in {out} are of {kept}")
    added = add_later_secrets(out)
    _publish(out)
    return f"added to {out}: {', '.join(added) or 'nothing'}"


def _witness(out: Path) -> str:
    """Return the verifier key of the witness that Compose runs."""
    from cli.running.credentials import witness_key  # noqa: PLC0415 - `--help` needs none of it

    return witness_key(out)


def _publish(out: Path) -> None:
    """Write the public keys beside the secrets, and let containers read all of them."""
    from cli.running.credentials import PUBLIC, verifier_keys  # noqa: PLC0415 - `--help` needs none of it
    from cli.running.folder import write_private  # noqa: PLC0415

    write_private(out / PUBLIC, "".join(f"{key}\n" for key in verifier_keys(out)))
    for file in out.iterdir():
        file.chmod(0o444)
