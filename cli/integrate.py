"""`ofrecord integrate`: the only process with the checkpoint key."""

from __future__ import annotations

import typer

from cli.starting import load, stop_on_signals, told_in_one_line
from runtime.settings import INTEGRATOR_NEEDS


def integrate() -> None:
    """Give committed entries their place in the tree and sign checkpoints."""
    with told_in_one_line():
        settings = load("integrator", needs=INTEGRATOR_NEEDS)
        from audit.errors import IntegrityHalt  # noqa: PLC0415 - `--help` needs none of it
        from workers.integrating import HALTED, run  # noqa: PLC0415

        try:
            run(settings, stop_on_signals())
        except IntegrityHalt as halt:
            raise typer.Exit(HALTED) from halt
