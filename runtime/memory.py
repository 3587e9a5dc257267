"""What a process holds for as long as it lives."""

from __future__ import annotations

import gc


def keep_for_good() -> None:
    """Take what is in memory now out of the garbage collector's sight: it is there to stay.

    A full collection looks at every object while all threads wait: with models and libraries loaded, tens of
    milliseconds in the middle of somebody's budget.
    """
    gc.collect()
    gc.freeze()
