"""Where embedded servers keep their files, and as whom they run.

PostgreSQL refuses to run as root. An ordinary user runs it as himself, with everything inside the data
folder. Root hands it to a numeric account that exists nowhere else and keeps it in a system folder, because a
data folder inside a closed home could not be reached by that account. The data folder then only names the
system folder, in a file called `state`.
"""

from __future__ import annotations

import hashlib
import os
import pwd
import secrets
from dataclasses import dataclass
from pathlib import Path

from runtime.errors import EmbeddedServerError

SYSTEM_ROOT = Path("/var/lib/ofrecord")
_POINTER = "state"
_OWNER = "data-dir"
# Neither distributions nor systemd hand out 60706 to 61183, so nobody else owns files or processes with this
# number.
_FIRST_FREE_UID = 61_000
# A socket's whole path has at most 107 bytes, and PostgreSQL adds "/.s.PGSQL.5432.lock".
_LONGEST_SOCKET_FOLDER = 86


@dataclass(frozen=True, slots=True)
class Account:
    """A numeric user and group."""

    uid: int
    gid: int


@dataclass(frozen=True, slots=True)
class Place:
    """The state folder of one data folder, and the account of its servers (None: our own)."""

    home: Path
    account: Account | None

    @property
    def binaries(self) -> Path:
        """Where server binaries are copied to when another account must read them."""
        return self.home.parent / "bin"

    def folder(self, name: str) -> Path:
        """Return a private folder of the servers' account inside the state folder, made when missing."""
        path = self.home / name
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.own(path)
        path.chmod(0o700)
        return path

    def own(self, path: Path) -> None:
        """Hand one path to the servers' account."""
        if self.account is not None:
            os.chown(path, self.account.uid, self.account.gid)

    def socket_folder(self) -> Path:
        """Return a private folder whose path is short enough for a socket."""
        return self.folder("run") if _short(self.home / "run") else _elsewhere(self.home)


def locate(data_dir: Path, *, system_root: Path = SYSTEM_ROOT) -> Place:
    """Find the state folder of a data folder, making it the first time."""
    data_dir = data_dir.resolve()
    data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    owner = data_dir.stat()
    if os.getuid() != 0:
        return Place(_made(data_dir / "servers", 0o700), None)
    if owner.st_uid != 0:  # an ordinary user's folder, now run by root: the servers stay his
        place = Place(_made(data_dir / "servers", 0o700), Account(owner.st_uid, owner.st_gid))
        place.own(place.home)
        return place
    return Place(_system_home(data_dir, system_root), unused_account())


def socket_folder(home: Path) -> Path:
    """Return a folder for sockets of our own, below `home` unless that path is too long for one."""
    inside = home / "run"
    if not _short(inside):
        return _elsewhere(home)
    inside.mkdir(mode=0o700, exist_ok=True)
    inside.chmod(0o700)
    return inside


def abandoned(system_root: Path = SYSTEM_ROOT) -> list[Path]:
    """List state folders whose data folder is gone or names another one; they are never removed for you."""
    found = []
    for owner in sorted(system_root.glob(f"*/{_OWNER}")):
        pointer = Path(owner.read_text().strip()) / _POINTER
        if not pointer.is_file() or pointer.read_text().strip() != str(owner.parent):
            found.append(owner.parent)
    return found


def unused_account() -> Account:
    """Return a numeric account that has no name on this machine."""
    taken = {entry.pw_uid for entry in pwd.getpwall()}
    uid = next(number for number in range(_FIRST_FREE_UID, _FIRST_FREE_UID + 184) if number not in taken)
    return Account(uid, uid)


def _system_home(data_dir: Path, system_root: Path) -> Path:
    """Read the folder's name from the data folder, or give it one."""
    pointer = data_dir / _POINTER
    if pointer.is_file():
        home = Path(pointer.read_text().strip())
        if not home.is_dir():
            raise EmbeddedServerError(
                f"{pointer} names {home}, which is gone; restore it or choose another --data-dir"
            )
    else:
        home = system_root / secrets.token_hex(4)
    _made(system_root, 0o755)
    _made(home, 0o711)
    _check_reachable(home)
    (home / _OWNER).write_text(f"{data_dir}\n")
    pointer.write_text(f"{home}\n")
    return home


def _check_reachable(home: Path) -> None:
    """Refuse a state folder that another account cannot enter."""
    closed = [str(folder) for folder in (home, *home.parents) if not folder.stat().st_mode & 0o001]
    if closed:
        raise EmbeddedServerError(
            f"PostgreSQL does not run as root, and no other account can enter {', '.join(closed)}"
        )


def _short(folder: Path) -> bool:
    """Tell whether a socket in this folder has a path that the system accepts."""
    return len(os.fsencode(folder)) <= _LONGEST_SOCKET_FOLDER


def _elsewhere(home: Path) -> Path:
    """Return a private folder with a short path that stands for this one."""
    name = f"ofrecord-{os.getuid()}-{hashlib.sha256(os.fsencode(home)).hexdigest()[:12]}"
    runtime = Path(f"/run/user/{os.getuid()}")
    return _private(runtime / name if os.access(runtime, os.W_OK) else Path("/tmp") / name)  # noqa: S108


def _made(path: Path, mode: int) -> Path:
    """Make a folder with exactly this mode, whatever the umask."""
    if not path.is_dir():
        path.mkdir(mode=0o700, parents=True)
        path.chmod(mode)
    return path


def _private(path: Path) -> Path:
    """Make a folder in a shared place and make sure that it is ours alone."""
    path.mkdir(mode=0o700, exist_ok=True)
    found = path.lstat()
    if path.is_symlink() or found.st_uid != os.getuid() or found.st_mode & 0o077:
        raise EmbeddedServerError(f"{path} is not private to this user; remove it")
    return path
