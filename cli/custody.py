"""`ofrecord custody`: the only process that may destroy keys, and one that cannot read them."""

from __future__ import annotations

from math import inf

from cli.starting import load, refuse_to_forget, stop_on_signals, told_in_one_line
from runtime.settings import CUSTODIAN_NEEDS


def custody() -> None:
    """Destroy keys when an erasure or an expiry is due, and drop what has expired."""
    with told_in_one_line():
        settings = load("custodian", needs=CUSTODIAN_NEEDS)
        refuse_to_forget(settings, patience_seconds=inf)  # a key that a crash brings back was not destroyed
        from workers.custody import run  # noqa: PLC0415 - `--help` needs none of it

        run(settings, stop_on_signals())
