"""What one process is told by its environment, read once and passed on.

A secret `NAME` is given by the file that `NAME_FILE` names, or by `NAME` itself. Which values a process must
have depends on what it does; a missing or malformed one is refused at start by name, and no message or `repr`
ever shows a secret.
"""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Collection, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from urllib.parse import urlsplit

from runtime.addresses import is_private_channel, with_password
from runtime.errors import SettingsError

SERVICE_NEEDS = ("database_url", "keys_database_url", "master_key", "receipt_key", "log_origin")
WORKER_NEEDS = ("database_url", "keys_database_url", "broker_url", "master_key", "log_origin")
SCHEDULER_NEEDS = ("database_url", "broker_url")
INTEGRATOR_NEEDS = ("database_url", "checkpoint_key", "log_origin")
CUSTODIAN_NEEDS = ("database_url", "keys_database_url")
WITNESS_NEEDS = ("witness_key", "witness_database", "log_verifier_keys")
AUDITOR_NEEDS = ("database_url",)

_HIDDEN = frozenset(
    {
        *("database_url", "keys_database_url", "broker_url"),
        *("master_key", "master_key_command", "witness_key"),
        *("receipt_key", "checkpoint_key", "next_checkpoint_key"),
        "language_model_key",
    }
)
_PREFIX = "OFRECORD_"
_MEBIBYTE = 1 << 20
_HEX_KEY = re.compile(r"[0-9a-fA-F]{64}")
_ORIGIN = re.compile(r"[^\s+]{1,200}")
_NOTE_KEY = "PRIVATE+KEY+"
_WEB = ("https", "http")
_LONGEST_SOCKET = 107  # what the kernel takes as the address of a Unix socket


@dataclass(frozen=True, slots=True, repr=False, kw_only=True)
class Settings:
    """The settings of one process; what it does not need may be empty."""

    database_url: str = ""
    keys_database_url: str = ""
    broker_url: str = ""
    master_key: bytes = b""  # 32 bytes
    master_key_command: tuple[str, ...] = ()  # writes it instead; whoever loads the settings runs it
    receipt_key: str = ""  # signed-note private keys, "PRIVATE+KEY+…"
    checkpoint_key: str = ""
    next_checkpoint_key: str = ""  # signs beside the present one until it takes its place
    log_verifier_keys: tuple[str, ...] = ()
    log_origin: str = ""
    publish_dir: Path | None = None  # where tiles and checkpoints are copied for everybody to follow
    witnesses: tuple[tuple[str, str], ...] = ()  # verifier key and address of each
    sign_unseen: bool = False  # begin to sign though no witness and no folder could be asked first
    witness_key: str = ""  # the witness's own, a signed-note private key
    witness_database: Path | None = None
    timestamp_url: str = ""  # a time-stamp authority (RFC 3161); empty: none is asked
    timestamp_certificates: Path | None = None  # PEM, whom to trust about time
    keys_backup_days: int = 35  # how old a backup of the keys may grow: until then nothing is gone for good
    organisation: str = ""  # as reports name it
    cache_dir: Path = Path()
    counterfactual_socket: Path | None = None  # where the counterfactual server listens; None: no DiCE
    body_limit_bytes: int = _MEBIBYTE
    artifact_limit_bytes: int = 512 * _MEBIBYTE
    table_memory_bytes: int = 256 * _MEBIBYTE
    registration_memory_bytes: int = 4096 * _MEBIBYTE
    batch_limit: int = 1000
    threads: int = 2
    log_level: str = "INFO"
    allow_unsafe_durability: bool = False
    language_model_url: str = ""  # a chat endpoint for narratives; empty: none is asked
    language_model_name: str = ""
    language_model_key: str = ""
    language_model_timeout_ms: int = 20_000

    @classmethod
    def from_env(cls, env: Mapping[str, str], *, needs: Collection[str] = SERVICE_NEEDS) -> Settings:
        """Read and check every variable; raise SettingsError for the first that is missing or wrong."""
        read = _Reader(env)
        settings = cls(
            database_url=read.url("DATABASE_URL", "DATABASE_PASSWORD", ("postgresql", "postgres")),
            keys_database_url=read.url("KEYS_DATABASE_URL", "DATABASE_PASSWORD", ("postgresql", "postgres")),
            broker_url=read.url("BROKER_URL", "BROKER_PASSWORD", ("redis", "rediss", "redis+socket")),
            master_key=read.master_key("MASTER_KEY"),
            master_key_command=read.command("MASTER_KEY_COMMAND"),
            receipt_key=read.note_key("RECEIPT_KEY"),
            checkpoint_key=read.note_key("CHECKPOINT_KEY"),
            next_checkpoint_key=read.note_key("NEXT_CHECKPOINT_KEY"),
            log_verifier_keys=tuple(re.findall(r"[^\s,]+", read.secret("LOG_VERIFIER_KEYS"))),
            log_origin=read.origin("LOG_ORIGIN"),
            publish_dir=read.path("PUBLISH_DIR"),
            witnesses=read.witnesses("WITNESSES"),
            sign_unseen=read.one_of("SIGN_UNSEEN", ("0", "1"), "0") == "1",
            witness_key=read.note_key("WITNESS_KEY"),
            witness_database=read.path("WITNESS_DATABASE"),
            timestamp_url=read.endpoint("TIMESTAMP_URL"),
            timestamp_certificates=read.path("TIMESTAMP_CERTIFICATES"),
            keys_backup_days=read.number("KEYS_BACKUP_DAYS", 35, 0),
            organisation=read.line("ORGANISATION"),
            cache_dir=read.folder("CACHE_DIR"),
            counterfactual_socket=read.socket("COUNTERFACTUAL_SOCKET"),
            body_limit_bytes=read.number("BODY_LIMIT_BYTES", _MEBIBYTE, 1024),
            artifact_limit_bytes=read.number("ARTIFACT_LIMIT_BYTES", 512 * _MEBIBYTE, 1024),
            table_memory_bytes=read.number("TABLE_MEMORY_BYTES", 256 * _MEBIBYTE, 0),
            registration_memory_bytes=read.number(
                "REGISTRATION_MEMORY_BYTES", 4096 * _MEBIBYTE, 512 * _MEBIBYTE
            ),
            batch_limit=read.number("BATCH_LIMIT", 1000, 1),
            threads=read.number("THREADS", os.cpu_count() or 2, 1),
            log_level=read.one_of("LOG_LEVEL", ("DEBUG", "INFO", "WARNING", "ERROR"), "INFO"),
            allow_unsafe_durability=read.one_of("ALLOW_UNSAFE_DURABILITY", ("0", "1"), "0") == "1",
            language_model_url=read.endpoint("LANGUAGE_MODEL_URL"),
            language_model_name=read.line("LANGUAGE_MODEL_NAME"),
            language_model_key=read.token("LANGUAGE_MODEL_KEY"),
            language_model_timeout_ms=read.number("LANGUAGE_MODEL_TIMEOUT_MS", 20_000, 100),
        )  # fmt: skip
        settings._require(needs)
        return settings

    def _require(self, needs: Collection[str]) -> None:
        """Refuse what is missing, and what is said twice or by half."""
        if self.master_key and self.master_key_command:
            raise SettingsError(_PREFIX + "MASTER_KEY", "is given twice, also by a command")
        for name in needs:
            given = self.master_key_command if name == "master_key" else ()
            if not (getattr(self, name) or given):
                raise SettingsError(_PREFIX + name.upper(), "is not set")
        if self.language_model_url and not self.language_model_name:
            raise SettingsError(_PREFIX + "LANGUAGE_MODEL_NAME", "is not set, and there is an address")

    def __repr__(self) -> str:
        """Show every setting but the secrets, of which only whether they are set."""
        shown = []
        for field in fields(self):
            value = getattr(self, field.name)
            text = ("<set>" if value else "<empty>") if field.name in _HIDDEN else repr(value)
            shown.append(f"{field.name}={text}")
        return f"Settings({', '.join(shown)})"


class _Reader:
    """Turns variables into values, with errors that name the variable and never show it."""

    def __init__(self, env: Mapping[str, str]) -> None:
        self._env = env

    def secret(self, name: str) -> str:
        """Return the text of `NAME_FILE` or `NAME`; empty when neither is given."""
        return read_secret(self._env, _PREFIX + name)

    def url(self, name: str, password_name: str, schemes: Collection[str]) -> str:
        """Return an address, with the password that was given apart from it put in."""
        text = self.secret(name)
        if not text:
            return ""
        if urlsplit(text).scheme not in schemes:
            raise SettingsError(_PREFIX + name, f"must start with {' or '.join(f'{s}://' for s in schemes)}")
        return with_password(text, self.secret(password_name))

    def master_key(self, name: str) -> bytes:
        """Return the 32 bytes of a key written as 64 hexadecimal digits."""
        text = self.secret(name)
        if text and not _HEX_KEY.fullmatch(text):
            raise SettingsError(_PREFIX + name, "must be 64 hexadecimal digits (32 random bytes)")
        return bytes.fromhex(text)

    def command(self, name: str) -> tuple[str, ...]:
        """Return a program and its arguments, written as for a shell that is not there."""
        try:
            return tuple(shlex.split(self._env.get(_PREFIX + name, "")))
        except ValueError as error:
            raise SettingsError(_PREFIX + name, "has a quotation mark without its other half") from error

    def note_key(self, name: str) -> str:
        """Return a signed-note private key."""
        text = self.secret(name)
        if text and not text.startswith(_NOTE_KEY):
            raise SettingsError(_PREFIX + name, f"must be a signed-note private key ({_NOTE_KEY}…)")
        return text

    def origin(self, name: str) -> str:
        """Return the log's name, as it stands in the first line of each checkpoint."""
        text = self._env.get(_PREFIX + name, "")
        if text and not _ORIGIN.fullmatch(text):
            raise SettingsError(
                _PREFIX + name,
                "must be a name without spaces or plus signs, such as example.com/ofrecord",
            )
        return text

    def endpoint(self, name: str) -> str:
        """Return an address that others cannot listen to on the way."""
        text = self._env.get(_PREFIX + name, "")
        if text and not is_private_channel(text):
            detail = "must start with https://, or with http:// on this machine, and hold no password"
            raise SettingsError(_PREFIX + name, detail)
        return text

    def token(self, name: str) -> str:
        """Return a secret that can travel in a header."""
        text = self.secret(name)
        if text and not (text.isascii() and text.isprintable()):
            raise SettingsError(_PREFIX + name, "must be printable ASCII")
        return text

    def line(self, name: str) -> str:
        """Return one line of text."""
        text = self._env.get(_PREFIX + name, "").strip()
        if not text.isprintable() or len(text) > 200:
            raise SettingsError(_PREFIX + name, "must be one line of at most 200 characters")
        return text

    def folder(self, name: str) -> Path:
        """Return the folder for what can be computed again."""
        text = self._env.get(_PREFIX + name, "")
        return (
            Path(text)
            if text
            else Path(self._env.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "ofrecord"
        )

    def path(self, name: str) -> Path | None:
        """Return an absolute path; None when not set."""
        text = self._env.get(_PREFIX + name, "")
        if text and not text.startswith("/"):
            raise SettingsError(_PREFIX + name, "must be an absolute path")
        return Path(text) if text else None

    def witnesses(self, name: str) -> tuple[tuple[str, str], ...]:
        """Return the verifier key and the address of each witness, written `KEY ADDRESS`, comma-separated."""
        found = []
        for item in filter(str.strip, re.split(r"[,\n]", self._env.get(_PREFIX + name, ""))):
            parts = item.split()
            if len(parts) != 2 or parts[0].count("+") < 2 or urlsplit(parts[1]).scheme not in _WEB:
                raise SettingsError(
                    _PREFIX + name, "must be written `KEY ADDRESS`, several with commas between"
                )
            found.append((parts[0], parts[1].rstrip("/")))
        return tuple(found)

    def socket(self, name: str) -> Path | None:
        """Return the path of a Unix socket; None when not set."""
        text = self._env.get(_PREFIX + name, "")
        if text and (not text.startswith("/") or len(os.fsencode(text)) > _LONGEST_SOCKET):
            raise SettingsError(
                _PREFIX + name, f"must be an absolute path of at most {_LONGEST_SOCKET} bytes"
            )
        return Path(text) if text else None

    def number(self, name: str, default: int, least: int) -> int:
        """Return a whole number."""
        text = self._env.get(_PREFIX + name, "")
        if not text:
            return default
        if not text.isascii() or not text.isdigit() or int(text) < least:
            raise SettingsError(_PREFIX + name, f"must be a whole number of at least {least}")
        return int(text)

    def one_of(self, name: str, words: Collection[str], default: str) -> str:
        """Return one of a few words."""
        text = self._env.get(_PREFIX + name, "") or default
        if text not in words:
            raise SettingsError(_PREFIX + name, f"must be one of {', '.join(words)}")
        return text


def read_secret(env: Mapping[str, str], variable: str) -> str:
    """Return a secret from the file `<variable>_FILE` names or from the variable; empty when not set."""
    file, direct = env.get(f"{variable}_FILE", ""), env.get(variable, "")
    if file and direct:
        raise SettingsError(variable, f"is given twice, also by {variable}_FILE")
    if not file:
        return direct.strip()
    try:
        text = Path(file).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
        raise SettingsError(f"{variable}_FILE", f"cannot be read ({reason})") from error
    if not text:
        raise SettingsError(f"{variable}_FILE", "names an empty file")
    return text
