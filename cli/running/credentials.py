"""The secrets of one installation: made once, kept in files only their owner can read."""

from __future__ import annotations

import os
import secrets
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from audit.cosignature import Cosigner
from audit.note import RECEIPT_SUFFIX, Signer, split_limit
from cli.running.folder import DataFolder, write_private
from runtime.errors import OperationError
from runtime.migrations import CUSTODIAN, LOGIN_ROLES

_SERVERS = ("postgres", "valkey")
# What later versions brought. A folder from before lacks them, and what nothing was ever made with can be
# made any time: the migration sets a role's password anew.
_LATER = (f"{CUSTODIAN}-password", "witness-key")
NEXT = "next-checkpoint-key"
PAST = "past-verifier-keys"
PUBLIC = "verifier-keys"
WITNESS_SUFFIX = "/witness"


@dataclass(frozen=True, slots=True)
class Credentials:
    """Where the secrets are, and what is public about them."""

    folder: Path
    log_origin: str
    verifier_keys: tuple[str, ...]
    witness: str  # the witness's own verifier key

    def file(self, name: str) -> Path:
        """Return the path of one secret."""
        return self.folder / name

    def read(self, name: str) -> str:
        """Return one secret."""
        return _read(self.folder, name)

    def passwords(self) -> dict[str, str]:
        """Return the database roles' passwords."""
        return {role: self.read(f"{role}-password") for role in LOGIN_ROLES}


def credentials(folder: DataFolder) -> Credentials:
    """Read the installation's secrets, or make all of them the first time.

    They appear together or not at all, so that one missing later was lost, and nothing is then made up in its
    place: a new master key would leave every earlier entry unreadable. Only what a later version brought is
    added to a folder from before.
    """
    if not folder.secrets.is_dir():
        staging = folder.root / ".secrets.new"
        shutil.rmtree(staging, ignore_errors=True)
        staging.mkdir(mode=0o700)
        for name, text in fresh_secrets(f"ofrecord.local/{secrets.token_hex(6)}").items():
            write_private(staging / name, f"{text}\n")
        staging.rename(folder.secrets)
        _sync(folder.root)
    folder.secrets.chmod(0o700)
    add_later_secrets(folder.secrets)
    for name in _names():
        _read(folder.secrets, name)
        (folder.secrets / name).chmod(0o600)
    keys = verifier_keys(folder.secrets)
    folder.verifier_keys.write_text("".join(f"{key}\n" for key in keys))
    return Credentials(folder.secrets, origin_of(folder.secrets), keys, witness_key(folder.secrets))


def _names() -> tuple[str, ...]:
    return (
        "master-key",
        "checkpoint-key",
        "receipt-key",
        "witness-key",
        *(f"{name}-password" for name in (*_SERVERS, *LOGIN_ROLES)),
    )


def fresh_secrets(origin: str) -> dict[str, str]:
    """Make every secret of an installation; its log's name stands in its keys and never changes."""
    made = {name: secrets.token_urlsafe(24) for name in _names()}
    made["master-key"] = secrets.token_hex(32)
    made["checkpoint-key"] = Signer.generate(origin).private_text()
    made["receipt-key"] = Signer.generate(origin + RECEIPT_SUFFIX).private_text()
    made["witness-key"] = Cosigner.generate(origin + WITNESS_SUFFIX).private_text()
    return made


def origin_of(folder: Path) -> str:
    """Return the log's name, as its keys bear it."""
    return Signer.parse(_read(folder, "checkpoint-key")).verifier.name


def verifier_keys(folder: Path) -> tuple[str, ...]:
    """Return the public keys that belong to the secrets, present, next and past: what checks evidence.

    A key that was replaced is needed as long as anything that it signed.
    """
    present = [name for name in ("checkpoint-key", NEXT, "receipt-key") if (folder / name).exists()]
    keys = [Signer.parse(_read(folder, name)).verifier.vkey for name in present]
    past = _read(folder, PAST).split() if (folder / PAST).exists() else []
    past = [key for key in past if split_limit(key)[0] not in keys]  # of a rotation that broke off
    return tuple(dict.fromkeys([*keys, *past, witness_key(folder)]))


def witness_key(folder: Path) -> str:
    """Return the public key of the witness that belongs to the secrets."""
    return Cosigner.parse(_read(folder, "witness-key")).key.vkey


def publish_verifier_keys(folder: Path) -> None:
    """Write the public keys beside the secrets again, where they lie there."""
    file = folder / PUBLIC
    if file.exists():
        keep_beside(folder, PUBLIC, {PUBLIC: "\n".join(verifier_keys(folder))})


def retire(folder: Path, name: str, limit: int | None = None) -> str:
    """Put the public key of one that signs among the past ones; return it. What it signed stays provable.

    With `limit`, the size of a tree, it is believed about no larger one.
    """
    vkey = Signer.parse(_read(folder, name)).verifier.vkey
    vkey += "" if limit is None else f"@{limit}"
    past = _read(folder, PAST).split() if (folder / PAST).exists() else []
    keep_beside(folder, name, {PAST: "\n".join(dict.fromkeys([*past, vkey]))})
    return vkey


def keep_beside(folder: Path, name: str, made: Mapping[str, str]) -> None:
    """Write files, to be read by whoever may read this one."""
    mode = (folder / name).stat().st_mode & 0o777
    for file, text in made.items():
        write_private(folder / file, f"{text}\n")
        (folder / file).chmod(mode)


def add_later_secrets(folder: Path) -> list[str]:
    """Make in an older version's folder what it lacks; return the names of the files."""
    missing = [name for name in _LATER if not (folder / name).exists()]
    made = fresh_secrets(origin_of(folder)) if missing else {}
    for name in missing:
        write_private(folder / name, f"{made[name]}\n")
    return missing


def _read(folder: Path, name: str) -> str:
    path = folder / name
    try:
        text = path.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise OperationError(f"{path} cannot be read ({error.strerror}); restore it from a backup") from error
    if not text:
        raise OperationError(f"{path} is empty; restore it from a backup")
    return text


def _sync(folder: Path) -> None:
    """Make a rename inside this folder survive a power failure."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
