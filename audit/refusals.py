"""Why a witness does not cosign. None of these reaches the service: they are the witness's answers to a log.

    WitnessError
    ├── UnknownLog             the checkpoint is of a log it was not told of
    ├── UnsignedCheckpoint     no key of that log signed it
    ├── CheckpointConflict     it is not proved from the checkpoint that was cosigned last
    ├── InconsistentCheckpoint the proof does not hold: another history
    └── WitnessUnavailable     its memory cannot be read or written

What is no submission at all is a `MalformedProof` or a `MalformedNote`. The docstring of a class is its
default message.
"""

from __future__ import annotations


class WitnessError(Exception):
    """The witness does not cosign."""

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or type(self).__doc__)


class UnknownLog(WitnessError):
    """This witness knows no log of that origin."""


class UnsignedCheckpoint(WitnessError):
    """No known key of the log has signed this checkpoint."""


class CheckpointConflict(WitnessError):
    """The old size is not that of the checkpoint that was cosigned last."""

    def __init__(self, tree_size: int, *, behind: bool = False) -> None:
        """Say which size was cosigned last; `behind` is a smaller, unknown tree, which anybody may bring."""
        super().__init__()
        self.tree_size = tree_size
        self.behind = behind


class InconsistentCheckpoint(WitnessError):
    """The checkpoint has not been shown to grow out of the one that was cosigned last."""


class WitnessUnavailable(WitnessError):
    """The witness's memory cannot be read or written; nothing was cosigned."""
