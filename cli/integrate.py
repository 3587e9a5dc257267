"""`ofrecord integrate`: the only process with the checkpoint key."""

from __future__ import annotations

from math import inf

import typer

from cli.starting import load, refuse_to_forget, stop_on_signals, told_in_one_line
from runtime.settings import INTEGRATOR_NEEDS


def integrate() -> None:
    """Give committed entries their place in the tree and sign checkpoints."""
    with told_in_one_line():
        settings = load("integrator", needs=INTEGRATOR_NEEDS)
        refuse_to_forget(settings, patience_seconds=inf)  # what it signs can never be unsigned
        from audit.errors import IntegrityHalt  # noqa: PLC0415 - `--help` needs none of it
        from workers.integrating import HALTED, run  # noqa: PLC0415

        try:
            run(settings, stop_on_signals())
        except IntegrityHalt as halt:
            raise typer.Exit(HALTED) from halt
