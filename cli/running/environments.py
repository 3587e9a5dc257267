"""What each child is told: only what it needs, and secrets only as names of files."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import cli
from cli.running.credentials import NEXT, Credentials
from cli.running.folder import DataFolder, write_private
from cli.running.servers import Servers
from runtime.addresses import with_role, without_password
from runtime.migrations import AUDITOR, CUSTODIAN, INTEGRATOR, SERVICE, WORKER

_INHERITED = ("PATH", "HOME", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "TMPDIR", "SSL_CERT_FILE", "SSL_CERT_DIR")
_TUNING = (
    "BODY_LIMIT_BYTES",
    "ARTIFACT_LIMIT_BYTES",
    "TABLE_MEMORY_BYTES",
    "REGISTRATION_MEMORY_BYTES",
    "BATCH_LIMIT",
    "THREADS",
    "LOG_LEVEL",
    "ALLOW_UNSAFE_DURABILITY",
)
_LANGUAGE_MODEL = tuple(f"LANGUAGE_MODEL_{name}" for name in ("URL", "NAME", "KEY_FILE", "TIMEOUT_MS"))
_TIMESTAMPS = ("TIMESTAMP_URL", "TIMESTAMP_CERTIFICATES")
PROPOSE = "propose"
WITNESS = "witness"
_HOUSE = Path(cli.__file__).resolve().parent.parent


def environments(
    folder: DataFolder, secrets: Credentials, servers: Servers, env: Mapping[str, str], witness_url: str
) -> dict[str, dict[str, str]]:
    """Return the environment of each kind of process; the scheduler acts with the worker's rights."""
    plain = plain_environment(env) | _given(env, _TUNING)
    plain |= {"OFRECORD_CACHE_DIR": str(cache_folder(folder, env))}
    common = plain | {
        "OFRECORD_LOG_ORIGIN": secrets.log_origin,
        "OFRECORD_LOG_VERIFIER_KEYS": " ".join(secrets.verifier_keys),
    }
    keys = {"OFRECORD_MASTER_KEY_FILE": str(secrets.file("master-key"))}
    queue = _queue(secrets, servers)
    proposals = {"OFRECORD_COUNTERFACTUAL_SOCKET": str(folder.socket(PROPOSE))}
    made = {
        "api": common
        | _database(secrets, servers, SERVICE, with_keys=True)
        | keys
        | queue
        | proposals
        | _given(env, (*_LANGUAGE_MODEL, "ORGANISATION", "KEYS_BACKUP_DAYS"))
        | {"OFRECORD_RECEIPT_KEY_FILE": str(secrets.file("receipt-key"))},
        "worker": common | _database(secrets, servers, WORKER, with_keys=True) | keys | queue | proposals,
        "scheduler": common | _database(secrets, servers, WORKER) | queue,
        "integrator": common
        | _database(secrets, servers, INTEGRATOR)
        | _signing(secrets)
        | _given(env, (*_TIMESTAMPS, "SIGN_UNSEEN"))
        | {"OFRECORD_PUBLISH_DIR": str(publish_folder(folder, env))}
        | {"OFRECORD_WITNESSES": _witnesses(env, f"{secrets.witness} {witness_url}")},
        "custodian": plain
        | _database(secrets, servers, CUSTODIAN, with_keys=True)
        | _given(env, ("KEYS_BACKUP_DAYS",)),
        "auditor": common | _database(secrets, servers, AUDITOR),
        WITNESS: plain
        | {
            "OFRECORD_LOG_VERIFIER_KEYS": " ".join(secrets.verifier_keys),
            "OFRECORD_WITNESS_KEY_FILE": str(secrets.file("witness-key")),
            "OFRECORD_WITNESS_DATABASE": str(folder.witness_database),
        },
        PROPOSE: plain,
    }
    for process, variables in made.items():
        told = sorted(name for name in variables if name.startswith("OFRECORD_"))
        write_private(folder.environment(process), "".join(f"{name}={variables[name]}\n" for name in told))
    return made


def _signing(secrets: Credentials) -> dict[str, str]:
    """Return the checkpoint key, and the one that is to take its place."""
    told = {"OFRECORD_CHECKPOINT_KEY_FILE": str(secrets.file("checkpoint-key"))}
    if secrets.file(NEXT).exists():
        told["OFRECORD_NEXT_CHECKPOINT_KEY_FILE"] = str(secrets.file(NEXT))
    return told


def _witnesses(env: Mapping[str, str], own: str) -> str:
    """Return our own witness beside those of others."""
    others = env.get("OFRECORD_WITNESSES", "").strip()
    return f"{others}, {own}" if others else own


def _given(env: Mapping[str, str], names: Iterable[str]) -> dict[str, str]:
    """Return those of our variables that the operator has set."""
    return {variable: env[variable] for name in names if env.get(variable := f"OFRECORD_{name}")}


def cache_folder(folder: DataFolder, env: Mapping[str, str]) -> Path:
    """Return where compiled kernels and tables are kept; OFRECORD_CACHE_DIR lets installations share them."""
    return Path(env.get("OFRECORD_CACHE_DIR") or folder.cache)


def publish_folder(folder: DataFolder, env: Mapping[str, str]) -> Path:
    """Return where tiles and checkpoints are copied; OFRECORD_PUBLISH_DIR moves it."""
    return Path(env.get("OFRECORD_PUBLISH_DIR") or folder.public)


def plain_environment(env: Mapping[str, str]) -> dict[str, str]:
    """Return what any child of ours gets: where things are, and nothing of what it may do."""
    common = {name: env[name] for name in _INHERITED if name in env}
    # One thread per call in native libraries: ours are enough, and two fight for the same cores.
    return common | {"PYTHONPATH": str(_HOUSE), "PYTHONUNBUFFERED": "1", "OMP_NUM_THREADS": "1"}


def read_environment(path: Path) -> dict[str, str]:
    """Read the variables one kind of process was started with."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return dict(line.split("=", 1) for line in lines if "=" in line)


def _database(
    secrets: Credentials, servers: Servers, role: str, *, with_keys: bool = False
) -> dict[str, str]:
    """Return the addresses of the databases for one role; only some may enter the keys database."""
    told = {
        "OFRECORD_DATABASE_URL": with_role(servers.admin_url, role),
        "OFRECORD_DATABASE_PASSWORD_FILE": str(secrets.file(f"{role}-password")),
    }
    if with_keys:
        told["OFRECORD_KEYS_DATABASE_URL"] = with_role(servers.keys_admin_url, role)
    return told


def _queue(secrets: Credentials, servers: Servers) -> dict[str, str]:
    """Return the address of the queue; somebody else's is passed on as it was given."""
    if not servers.broker_password:
        return {"OFRECORD_BROKER_URL": servers.broker_url}
    return {
        "OFRECORD_BROKER_URL": without_password(servers.broker_url),
        "OFRECORD_BROKER_PASSWORD_FILE": str(secrets.file("valkey-password")),
    }
