"""What a person sees while things start: a line per step with its time; plain where there is no terminal."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.markup import escape


class Screen:
    """Standard output for a person."""

    def __init__(self, console: Console | None = None) -> None:
        """Write to standard output unless told otherwise."""
        self.console = console or Console(highlight=False, soft_wrap=True)

    @contextmanager
    def step(self, doing: str) -> Iterator[list[str]]:
        """Show that something is being done, then that it is and how long it took; details may be added."""
        begun = time.monotonic()
        details: list[str] = []
        if self.console.is_terminal:
            with self.console.status(escape(doing)):
                yield details
        else:
            yield details
        told = f" ({escape(', '.join(details))})" if details else ""
        self.console.print(
            f"  [green]✓[/green] {escape(doing)}{told}  [dim]{time.monotonic() - begun:.1f} s[/dim]"
        )

    def say(self, text: str = "") -> None:
        """Print a line as it is."""
        self.console.print(escape(text))

    def heading(self, text: str) -> None:
        """Print a line that stands out."""
        self.console.print(f"[bold]{escape(text)}[/bold]")

    def warn(self, text: str) -> None:
        """Print a line about something that went wrong and is being dealt with."""
        self.console.print(f"  [yellow]![/yellow] {escape(text)}")
