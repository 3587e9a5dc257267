"""The data folder of one installation: who holds it, and what lies where."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from runtime.embedded.state import socket_folder
from runtime.errors import AlreadyRunning, OperationError

_LOG_LIMIT_BYTES = 20 << 20


@dataclass(frozen=True, slots=True)
class DataFolder:
    """Paths inside a data folder."""

    root: Path

    @classmethod
    def open(cls, path: Path) -> DataFolder:
        """Make the folder when it is missing; only its owner may look inside."""
        root = path.expanduser().absolute()
        try:
            root.mkdir(mode=0o700, parents=True, exist_ok=True)
            for name in ("logs", "cache", "environments", "witness"):
                (root / name).mkdir(mode=0o700, exist_ok=True)
            root.chmod(0o700)
        except OSError as error:
            raise OperationError(f"cannot use the data folder {root} ({error.strerror})") from error
        return cls(root.resolve())

    @property
    def secrets(self) -> Path:
        """Keys and passwords, one file each."""
        return self.root / "secrets"

    @property
    def cache(self) -> Path:
        """What can be computed again."""
        return self.root / "cache"

    @property
    def admin_token(self) -> Path:
        """The first bearer token."""
        return self.root / "admin-token"

    @property
    def verifier_keys(self) -> Path:
        """The log's public keys, which whoever checks evidence needs."""
        return self.root / "verifier-keys"

    @property
    def public(self) -> Path:
        """The log's tiles and checkpoints, for whoever follows it."""
        return self.root / "public"

    @property
    def witness_database(self) -> Path:
        """What the witness remembers."""
        return self.root / "witness" / "seen.sqlite"

    def environment(self, process: str) -> Path:
        """The variables one kind of process was started with; files are named there, no secret is written."""
        return self.root / "environments" / f"{process}.env"

    def log(self, process: str) -> Path:
        """The log of one child, which starts anew when it has grown too long."""
        path = self.root / "logs" / f"{process}.log"
        if path.is_file() and path.stat().st_size > _LOG_LIMIT_BYTES:
            path.replace(path.with_suffix(".log.1"))
        return path

    def socket(self, process: str) -> Path:
        """Where one child listens, in a folder that only we may enter and whose path is short enough."""
        return socket_folder(self.root) / f"{process}.sock"

    @contextmanager
    def held(self) -> Iterator[None]:
        """Hold the folder for this process; the kernel lets go when it dies, however it dies."""
        descriptor = os.open(self.root / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                holder = os.pread(descriptor, 20, 0).decode("ascii", "replace").strip()
                raise AlreadyRunning(self.root, int(holder) if holder.isdigit() else None) from error
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
            yield
        finally:
            os.close(descriptor)


def write_private(path: Path, text: str) -> None:
    """Write a file that only its owner may read, whole or not at all, and on disk before we go on."""
    staging = path.with_name(f".{path.name}.new")
    staging.unlink(missing_ok=True)
    descriptor = os.open(staging, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    staging.replace(path)
