"""Each child is told what it needs and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from audit.cosignature import Cosigner
from cli.running.credentials import Credentials, credentials
from cli.running.environments import environments, plain_environment, read_environment
from cli.running.folder import DataFolder
from cli.running.servers import Servers
from runtime.settings import (
    AUDITOR_NEEDS,
    CUSTODIAN_NEEDS,
    INTEGRATOR_NEEDS,
    SCHEDULER_NEEDS,
    SERVICE_NEEDS,
    WITNESS_NEEDS,
    WORKER_NEEDS,
    Settings,
)

ENV = {
    "PATH": "/bin",
    "HOME": "/home/x",
    "AWS_SECRET_ACCESS_KEY": "leak",
    "OFRECORD_DATABASE_URL": "leak",
    "OFRECORD_TABLE_MEMORY_BYTES": "7",
    "OFRECORD_KEYS_BACKUP_DAYS": "7",
    "OFRECORD_ORGANISATION": "Bank of Examples",
    "OFRECORD_SIGN_UNSEEN": "1",
    "OFRECORD_TIMESTAMP_URL": "https://time.example/tsa",
    "OFRECORD_LANGUAGE_MODEL_URL": "https://narrator.example/v1/chat/completions",
    "OFRECORD_LANGUAGE_MODEL_NAME": "narrator",
    "OFRECORD_LANGUAGE_MODEL_KEY": "leak",
}
SERVERS = Servers(
    admin_url="postgresql://postgres:adminpw@/ofrecord?host=%2Frun%2Fx",
    keys_admin_url="postgresql://postgres:adminpw@/ofrecord_keys?host=%2Frun%2Fx",
    broker_url="redis+socket://:queuepw@/run/x/valkey.sock?virtual_host=0",
    broker_password="queuepw",
    own=(),
    place=None,
)
EVERYBODY = {
    *("api", "worker", "scheduler", "integrator", "custodian", "witness", "auditor", "propose"),
}
WITNESS_URL = "http://127.0.0.1:8322"
PROCESSES = {
    "api": (SERVICE_NEEDS, "ofrecord_service"),
    "worker": (WORKER_NEEDS, "ofrecord_worker"),
    "scheduler": (SCHEDULER_NEEDS, "ofrecord_worker"),
    "integrator": (INTEGRATOR_NEEDS, "ofrecord_integrator"),
    "auditor": (AUDITOR_NEEDS, "ofrecord_auditor"),
    "custodian": (CUSTODIAN_NEEDS, "ofrecord_custodian"),
}


@pytest.fixture
def folder(tmp_path: Path) -> DataFolder:
    return DataFolder.open(tmp_path)


@pytest.fixture
def secrets(folder: DataFolder) -> Credentials:
    return credentials(folder)


@pytest.fixture
def told(folder: DataFolder, secrets: Credentials) -> dict[str, dict[str, str]]:
    return environments(folder, secrets, SERVERS, ENV, WITNESS_URL)


@pytest.mark.parametrize(
    ("part", "processes"),
    [
        ("CHECKPOINT_KEY", {"integrator"}),
        ("RECEIPT_KEY", {"api"}),
        ("MASTER_KEY", {"api", "worker"}),
        ("KEYS_DATABASE_URL", {"api", "worker", "custodian"}),
        ("WITNESS_KEY", {"witness"}),
        ("WITNESS_DATABASE", {"witness"}),
        ("WITNESSES", {"integrator"}),
        ("PUBLISH_DIR", {"integrator"}),
        ("SIGN_UNSEEN", {"integrator"}),
        ("TIMESTAMP_URL", {"integrator"}),
        ("KEYS_BACKUP_DAYS", {"api", "custodian"}),
        ("ORGANISATION", {"api"}),
        ("BROKER", {"api", "worker", "scheduler"}),
        ("LANGUAGE_MODEL_URL", {"api"}),
        ("LANGUAGE_MODEL_NAME", {"api"}),
        ("COUNTERFACTUAL_SOCKET", {"api", "worker"}),
        ("DATABASE_URL", EVERYBODY - {"witness", "propose"}),
        ("FILE", EVERYBODY - {"propose"}),
        ("CACHE_DIR", EVERYBODY),
    ],
)
def test_who_is_told_what(told: dict[str, dict[str, str]], part: str, processes: set[str]) -> None:
    assert {name for name, variables in told.items() if any(part in one for one in variables)} == processes


def test_no_secret_and_nothing_of_the_administrators_is_in_any_environment(
    told: dict[str, dict[str, str]], secrets: Credentials
) -> None:
    values = {secret.read_text().strip() for secret in secrets.folder.iterdir()} | {
        "adminpw",
        "queuepw",
        "leak",
    }
    for variables in told.values():
        assert not any(value in repr(variables) for value in values)
        assert variables["OFRECORD_TABLE_MEMORY_BYTES"] == "7"
    assert "OFRECORD_DATABASE_URL" not in plain_environment(ENV)


@pytest.mark.parametrize("process", PROCESSES)
def test_settings_read_what_the_supervisor_writes(
    told: dict[str, dict[str, str]], folder: DataFolder, secrets: Credentials, process: str
) -> None:
    needs, role = PROCESSES[process]
    settings = Settings.from_env(told[process], needs=needs)
    password = secrets.read(f"{role}-password")
    assert settings.database_url == f"postgresql://{role}:{password}@/ofrecord?host=%2Frun%2Fx"
    if process != "custodian":
        assert settings.log_verifier_keys == secrets.verifier_keys
    kept = Settings.from_env(read_environment(folder.environment(process)), needs=needs)
    assert kept.database_url == settings.database_url
    if process == "worker":
        queue = f"redis+socket://:{secrets.read('valkey-password')}@/run/x/valkey.sock?virtual_host=0"
        assert settings.broker_url == queue


def test_the_integrator_asks_the_witness_and_publishes(
    told: dict[str, dict[str, str]], folder: DataFolder, secrets: Credentials
) -> None:
    settings = Settings.from_env(told["integrator"], needs=INTEGRATOR_NEEDS)
    assert settings.witnesses == ((secrets.witness, WITNESS_URL),)
    assert settings.publish_dir == folder.public
    assert not settings.next_checkpoint_key
    witness = Settings.from_env(told["witness"], needs=WITNESS_NEEDS)
    assert Cosigner.parse(witness.witness_key).key.vkey == secrets.witness
    assert witness.witness_database == folder.witness_database
    assert not witness.database_url


def test_others_witness_too_and_the_public_log_may_lie_elsewhere(
    folder: DataFolder, secrets: Credentials
) -> None:
    other = f"{Cosigner.generate('elsewhere.example/w1').key.vkey} https://w1.elsewhere.example"
    env = ENV | {"OFRECORD_WITNESSES": other, "OFRECORD_PUBLISH_DIR": "/srv/log"}
    told = environments(folder, secrets, SERVERS, env, WITNESS_URL)
    settings = Settings.from_env(told["integrator"], needs=INTEGRATOR_NEEDS)
    assert settings.witnesses == (tuple(other.split()), (secrets.witness, WITNESS_URL))
    assert settings.publish_dir == Path("/srv/log")
