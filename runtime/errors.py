"""What can go wrong before and around a request: settings, servers, migrations.

OperationError
├── SettingsError            a variable is missing or wrong
├── DatabaseUnavailable      PostgreSQL does not answer
├── DurabilityOff            PostgreSQL may lose a committed entry
├── MigrationRefused         an applied file was edited, or a name is not a migration's
├── AlreadyRunning           another process holds the same data folder
├── PortTaken                somebody else listens there
├── SocketTaken              another server answers at that path, or nothing can listen there
└── EmbeddedServerError      PostgreSQL or Valkey did not start, or cannot here
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path


class OperationError(Exception):
    """Ofrecord cannot run like this."""

    def __init__(self, message: str | None = None) -> None:
        """Use the class docstring when no message is given."""
        super().__init__(message or self.__doc__)


class SettingsError(OperationError):
    """A setting is missing or wrong."""

    def __init__(self, variable: str, detail: str) -> None:
        """Name the variable; never show its value."""
        self.variable = variable
        self.detail = detail
        super().__init__(f"{variable}: {detail}")


class DatabaseUnavailable(OperationError):
    """PostgreSQL does not answer."""


class DurabilityOff(OperationError):
    """PostgreSQL is set up so that it may lose a committed entry."""

    def __init__(self, settings: Sequence[str], database: str) -> None:
        """Name the settings that are off, and the database that was asked."""
        self.settings = tuple(settings)
        super().__init__(
            f"{self.__doc__} Turn on: {', '.join(self.settings)}; seen in database {database!r} "
            "(or set OFRECORD_ALLOW_UNSAFE_DURABILITY=1 where no entry matters)."
        )


class MigrationRefused(OperationError):
    """A migration cannot be applied."""

    def __init__(self, name: str, detail: str) -> None:
        """Name the file."""
        self.name = name
        self.detail = detail
        super().__init__(f"migration {name}: {detail}")


class AlreadyRunning(OperationError):
    """Another Ofrecord already runs on this data folder."""

    def __init__(self, data_dir: Path, process_id: int | None = None) -> None:
        """Name the folder and, where known, the process."""
        self.data_dir = data_dir
        self.process_id = process_id
        who = f" (process {process_id})" if process_id else ""
        super().__init__(
            f"another Ofrecord{who} already runs on {data_dir}; stop it or choose another --data-dir"
        )


class PortTaken(OperationError):
    """The port is taken."""

    def __init__(self, host: str, port: int, detail: str) -> None:
        """Name the address."""
        self.host = host
        self.port = port
        super().__init__(f"cannot listen on {host}:{port} ({detail}); choose another with --port")


class SocketTaken(OperationError):
    """The path of the socket is taken."""

    def __init__(self, path: Path, detail: str) -> None:
        """Name the path."""
        self.path = path
        super().__init__(f"cannot listen on {path} ({detail})")


class EmbeddedServerError(OperationError):
    """An embedded server did not start."""
