"""`ofrecord rotate`: replace the keys that sign, so that whatever the old ones signed stays provable."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from cli.starting import told_in_one_line
from runtime.errors import OperationError

rotate = typer.Typer(help="Replace the keys that sign for the log.", no_args_is_help=True)
Secrets = Annotated[
    Path,
    typer.Option("--secrets", help="The folder of the keys; `ofrecord run` has it in its data folder."),
]


@rotate.command()
def begin(secrets: Secrets = Path("secrets")) -> None:
    """Make the next checkpoint key: with it the integrator signs twice, until `finish`."""
    with told_in_one_line():
        from audit.note import Signer  # noqa: PLC0415 - `--help` needs none of it
        from cli.running.credentials import NEXT, keep_beside, origin_of, publish_verifier_keys  # noqa: PLC0415

        if (secrets / NEXT).exists():
            raise OperationError(f"{secrets / NEXT} exists: a rotation has begun")
        made = Signer.generate(origin_of(secrets))
        keep_beside(secrets, "checkpoint-key", {NEXT: made.private_text()})
        publish_verifier_keys(secrets)
        typer.echo(made.verifier.vkey)
        typer.echo("Give it to all who verify, witnesses first; then restart the integrator.", err=True)


@rotate.command()
def finish(
    checkpoint: Annotated[
        Path,
        typer.Option(help="One that both keys signed: of larger trees the old key is not believed any more."),
    ],
    secrets: Secrets = Path("secrets"),
) -> None:
    """Let the next checkpoint key take the place of the present one, which signs no more."""
    with told_in_one_line():
        from cli.running.credentials import NEXT, publish_verifier_keys, retire  # noqa: PLC0415 - as above

        if not (secrets / NEXT).exists():
            raise OperationError(f"there is no {secrets / NEXT}: no rotation has begun")
        old = retire(secrets, "checkpoint-key", _signed_by_both(secrets, checkpoint))
        (secrets / NEXT).replace(secrets / "checkpoint-key")
        publish_verifier_keys(secrets)
        typer.echo(old)
        typer.echo(
            "Give it to all who verify, in the place of the key without a limit, witnesses first; "
            "then restart the integrator.",
            err=True,
        )


@rotate.command()
def receipt(secrets: Secrets = Path("secrets")) -> None:
    """Replace the receipt key at once: a receipt is signed again whenever it is asked for."""
    with told_in_one_line():
        from audit.note import Signer  # noqa: PLC0415 - as above
        from cli.running.credentials import keep_beside, publish_verifier_keys, retire  # noqa: PLC0415

        old = retire(secrets, "receipt-key")
        made = Signer.generate(old.partition("+")[0])
        keep_beside(secrets, "receipt-key", {"receipt-key": made.private_text()})
        publish_verifier_keys(secrets)
        typer.echo(made.verifier.vkey)
        typer.echo("Give it to everybody who verifies receipts, and restart the API.", err=True)


def _signed_by_both(secrets: Path, checkpoint: Path) -> int:
    """Return the size of a tree that both keys signed: what is larger has the next key's signature, too."""
    from audit.checkpoint import verify_checkpoint  # noqa: PLC0415 - as above
    from audit.errors import MalformedNote  # noqa: PLC0415
    from audit.note import Signer  # noqa: PLC0415
    from cli.running.credentials import NEXT  # noqa: PLC0415

    try:
        both = [Signer.parse((secrets / name).read_text()).verifier for name in ("checkpoint-key", NEXT)]
        signed, signed_by = verify_checkpoint(checkpoint.read_text(encoding="utf-8"), both)
    except (OSError, UnicodeDecodeError) as error:
        raise OperationError(f"--checkpoint: {checkpoint} cannot be read") from error
    except MalformedNote as error:
        raise OperationError(f"--checkpoint: {error}") from error
    if len(signed_by) < len(both):
        raise OperationError("--checkpoint: one key alone has signed it; take one from after `begin`")
    return signed.tree_size
