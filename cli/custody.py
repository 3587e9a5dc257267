"""`ofrecord custody`: the only process that may destroy keys, and one that cannot read them."""

from __future__ import annotations

from cli.starting import load, stop_on_signals, told_in_one_line
from runtime.settings import CUSTODIAN_NEEDS


def custody() -> None:
    """Destroy keys when an erasure or an expiry is due, and drop what has expired."""
    with told_in_one_line():
        settings = load("custodian", needs=CUSTODIAN_NEEDS)
        from workers.custody import run  # noqa: PLC0415 - `--help` needs none of it

        run(settings, stop_on_signals())
