"""What every command does first and last: settings, logs, signals, and errors told in one line."""

from __future__ import annotations

import logging
import os
import signal
import threading
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from types import FrameType

import typer

from runtime.errors import OperationError, SettingsError
from runtime.settings import Settings

FAILED = 1
REFUSED = 2


@contextmanager
def told_in_one_line() -> Iterator[None]:
    """Turn an error an operator can act on into one line and exit code 2; log any other, and exit with 1."""
    try:
        yield
    except OperationError as error:
        typer.echo(f"ofrecord: {error}", err=True)
        raise typer.Exit(REFUSED) from error
    except typer.Exit:
        raise
    except Exception as error:
        logging.getLogger(__name__).critical("ended by an error", exc_info=error)
        raise typer.Exit(FAILED) from error


def load(process: str, needs: Collection[str], env: Mapping[str, str] | None = None) -> Settings:
    """Read the environment and set up logging for one kind of process."""
    from runtime.telemetry import configure_logging  # noqa: PLC0415 - `--help` needs none of it

    settings = Settings.from_env(os.environ if env is None else env, needs=needs)
    configure_logging(process, settings.log_level)
    return with_master_key(settings) if "master_key" in needs else settings


def with_master_key(settings: Settings) -> Settings:
    """Run the command that writes the master key, where there is one."""
    if not settings.master_key_command:
        return settings
    from audit.master_key import CommandSource, MasterKeyUnavailable  # noqa: PLC0415 - seldom needed

    try:
        return replace(settings, master_key=CommandSource(settings.master_key_command).master_key())
    except MasterKeyUnavailable as error:
        raise SettingsError("OFRECORD_MASTER_KEY_COMMAND", str(error)) from error


def refuse_to_forget(settings: Settings, *, patience_seconds: float = 30.0) -> None:
    """Refuse databases that could lose what they said was committed; wait so long for those that are away.

    The keys count as much as the log: an entry whose key is lost can never be read, and a key that comes back
    after a crash was not destroyed.
    """
    if settings.allow_unsafe_durability:
        return
    from runtime.postgres import require_durability  # noqa: PLC0415 - `--help` needs none of it

    for url in filter(None, (settings.database_url, settings.keys_database_url)):
        require_durability(url, patience_seconds=patience_seconds)


def stop_on_signals(grace_seconds: int = 20) -> threading.Event:
    """Return an event that SIGTERM and SIGINT set; an alarm ends whoever has not stopped within the grace.

    Look at it, do not wait on it in the main thread: a handler that sets an event inside its own lock waits
    for itself.
    """
    stop = threading.Event()
    signal.signal(signal.SIGALRM, signal.SIG_DFL)

    def asked(number: int, _frame: FrameType | None) -> None:
        logging.getLogger(__name__).info("stopping", extra={"signal": signal.Signals(number).name})
        signal.alarm(grace_seconds)
        stop.set()

    for sig in (signal.SIGTERM, signal.SIGINT):
        signal.signal(sig, asked)
    return stop
