"""The example beside the running installation: a process of its own that prints to the same terminal."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Mapping

from cli.running.screen import Screen
from runtime.embedded.leash import die_with_parent


class Showing:
    """Start the example, look after it from time to time, and end it when everything ends."""

    def __init__(self, url: str, data_dir: str, environment: Mapping[str, str], screen: Screen) -> None:
        """Start it."""
        self._screen = screen
        self._child: subprocess.Popen[bytes] | None = subprocess.Popen(  # noqa: S603 - our own program and arguments
            (sys.executable, "-m", "cli.running.example", url, data_dir),
            env={**environment},
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            preexec_fn=die_with_parent(signal.SIGKILL),  # noqa: PLW1509 - a single system call
        )

    def look(self) -> None:
        """Say what to do next once it has ended, however it has."""
        if self._child is not None and self._child.poll() is not None:
            self._child = None
            self._screen.say()
            self._screen.say("Ctrl-C stops everything; the data stays.")

    def end(self) -> None:
        """End it, if it has not ended itself."""
        if self._child is not None and self._child.poll() is None:
            self._child.kill()
            self._child.wait()
