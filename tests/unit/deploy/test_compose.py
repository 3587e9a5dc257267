"""The Compose file, parsed by the specification's own parser and held to what we promise about it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from compose_spec import PyCompose, PyOptions

from audit.cosignature import Cosigner
from audit.note import Signer
from cli.running.credentials import fresh_secrets
from runtime.settings import (
    CUSTODIAN_NEEDS,
    INTEGRATOR_NEEDS,
    SCHEDULER_NEEDS,
    SERVICE_NEEDS,
    WITNESS_NEEDS,
    WORKER_NEEDS,
    Settings,
)

ROOT = Path(__file__).resolve().parents[3]
TEXT = (ROOT / "docker-compose.yml").read_text(encoding="utf-8")
WITNESS = f"{Cosigner.generate('bank.example/log/witness').key.vkey} http://witness:8322"
GIVEN = {"OFRECORD_LOG_ORIGIN": "bank.example/log", "OFRECORD_WITNESSES": WITNESS}
WITH_DATABASE = ("service", "worker", "scheduler", "integrator", "custodian")
OURS = ("migrate", *WITH_DATABASE, "witness", "propose")
THEIRS = ("postgres", "postgres-keys", "valkey")
VARIABLE = re.compile(r"\$\{(?P<name>[A-Z_]+)(?:(?P<kind>:-|:\?)(?P<rest>[^}]*))?\}")


def _interpolate(text: str, given: dict[str, str]) -> str:
    """What Compose does with `${NAME:-default}` and `${NAME:?message}` before it parses."""

    def value(match: re.Match[str]) -> str:
        name = match["name"]
        if name in given:
            return given[name]
        if match["kind"] == ":-":
            return match["rest"]
        raise LookupError(f"{name} is required: {match['rest']}")

    return VARIABLE.sub(value, text)


def _parse(text: str = TEXT) -> PyCompose:
    compose = PyOptions(apply_merge=True).from_yaml(_interpolate(text, GIVEN))
    compose.validate()
    return compose


@pytest.fixture(scope="module")
def services() -> dict[str, dict[str, Any]]:
    parsed: dict[str, dict[str, Any]] = _parse().to_dict()["services"]
    return parsed


def _secrets(service: dict[str, Any]) -> set[str]:
    return {item if isinstance(item, str) else item["source"] for item in service.get("secrets", [])}


def test_the_services_are_these(services: dict[str, dict[str, Any]]) -> None:
    assert set(services) == {*OURS, *THEIRS}


def test_a_missing_definition_is_noticed() -> None:
    """The validator is awake: a secret nobody defines is refused."""
    with pytest.raises(ValueError, match="nobody"):
        _parse(
            TEXT.replace(
                "secrets: [ofrecord_service-password,", "secrets: [nobody, ofrecord_service-password,"
            )
        )


def test_the_name_of_the_log_has_no_default() -> None:
    with pytest.raises(LookupError, match="OFRECORD_LOG_ORIGIN"):
        _interpolate(TEXT, {})


@pytest.mark.parametrize("name", [*OURS, *THEIRS])
def test_every_container_is_hardened(services: dict[str, dict[str, Any]], name: str) -> None:
    service = services[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert not service.get("privileged")
    assert "cap_add" not in service
    assert str(service["user"]).partition(":")[0] not in {"0", "root"}


@pytest.mark.parametrize("name", OURS)
def test_ours_run_as_the_images_numeric_user(services: dict[str, dict[str, Any]], name: str) -> None:
    assert services[name]["user"] == "10001:10001"


@pytest.mark.parametrize("name", [name for name in (*OURS, *THEIRS) if name != "migrate"])
def test_what_stays_up_has_a_health_check_and_comes_back(
    services: dict[str, dict[str, Any]], name: str
) -> None:
    assert services[name]["restart"] == "unless-stopped"
    if name != "service":  # the image's own check is the service's
        check = services[name]["healthcheck"]
        assert check["test"]
        assert not check.get("disable")


def test_the_migration_runs_once_and_the_others_wait_for_it(services: dict[str, dict[str, Any]]) -> None:
    assert services["migrate"]["restart"] == "no"
    assert services["migrate"]["command"] == ["migrate"]
    for name in WITH_DATABASE:
        assert services[name]["depends_on"]["migrate"]["condition"] == "service_completed_successfully"
        assert services[name]["depends_on"]["postgres"]["condition"] == "service_healthy"
    for database in ("postgres", "postgres-keys"):
        assert services["migrate"]["depends_on"][database]["condition"] == "service_healthy"


@pytest.mark.parametrize("name", ["postgres", "postgres-keys"])
def test_data_checksums_are_on(services: dict[str, dict[str, Any]], name: str) -> None:
    assert services[name]["image"].startswith("postgres:18")
    assert "--data-checksums" in services[name]["environment"]["POSTGRES_INITDB_ARGS"].split()
    # PostgreSQL 18's image keeps its data one level below what older ones mounted.
    assert any(str(volume).endswith(":/var/lib/postgresql") for volume in services[name]["volumes"])


def test_only_the_service_is_published_and_only_locally_unless_told(
    services: dict[str, dict[str, Any]],
) -> None:
    published = {name: service["ports"] for name, service in services.items() if service.get("ports")}
    assert published == {"service": ["127.0.0.1:8321:8321"]}


def test_the_networks_separate_what_need_not_meet(services: dict[str, dict[str, Any]]) -> None:
    networks = _parse().to_dict()["networks"]
    assert networks["data"]["internal"] is True
    assert networks["queue"]["internal"] is True
    assert services["valkey"]["networks"] == ["queue"]
    assert services["integrator"]["networks"] == ["data", "watch"]
    assert services["custodian"]["networks"] == ["data"]
    assert services["witness"]["networks"] == ["watch"]
    on_the_edge = [name for name, service in services.items() if "edge" in service.get("networks", [])]
    assert on_the_edge == ["service"]


def test_the_counterfactual_server_reaches_nobody_and_is_reached_by_who_asks_it(
    services: dict[str, dict[str, Any]],
) -> None:
    server = services["propose"]
    assert server["network_mode"] == "none"
    assert not server.get("networks")
    assert not _secrets(server)
    assert set(server["environment"]) == {"OFRECORD_CACHE_DIR", "OFRECORD_THREADS"}
    mounts = {
        name: {str(volume) for volume in service.get("volumes", [])} for name, service in services.items()
    }
    sharing = {name for name, volumes in mounts.items() if "proposals:/run/ofrecord" in volumes}
    asking = {
        name
        for name, service in services.items()
        if "OFRECORD_COUNTERFACTUAL_SOCKET" in (service.get("environment") or {})
    }
    assert sharing == {"service", "worker", "propose"}
    assert asking == {"service", "worker"}
    assert all("cache:/var/cache/ofrecord" in mounts[name] for name in asking)
    assert "cache:/var/cache/ofrecord:ro" in mounts["propose"]  # what lies there is executed by others
    assert not any("propose" in (service.get("depends_on") or {}) for service in services.values())
    options = _parse().to_dict()["volumes"]["proposals"]["driver_opts"]
    assert options["type"] == "tmpfs"
    assert {"mode=0700", "uid=10001", "gid=10001"} <= set(options["o"].split(","))


@pytest.mark.parametrize(
    ("secret", "holders"),
    [
        ("checkpoint-key", {"integrator"}),
        ("receipt-key", {"service"}),
        ("master-key", {"service", "worker"}),
        ("postgres-password", {"postgres", "postgres-keys", "migrate"}),
        ("valkey-password", {"valkey", "service", "worker", "scheduler"}),
        ("ofrecord_service-password", {"service", "migrate"}),
        ("ofrecord_worker-password", {"worker", "scheduler", "migrate"}),
        ("ofrecord_integrator-password", {"integrator", "migrate"}),
        ("ofrecord_auditor-password", {"migrate"}),
        ("ofrecord_custodian-password", {"custodian", "migrate"}),
        ("witness-key", {"witness"}),
        ("verifier-keys", {"service", "integrator", "witness"}),
    ],
)
def test_a_secret_reaches_only_who_needs_it(
    services: dict[str, dict[str, Any]], secret: str, holders: set[str]
) -> None:
    assert {name for name, service in services.items() if secret in _secrets(service)} == holders


def test_secrets_are_files_and_never_values(services: dict[str, dict[str, Any]]) -> None:
    for secret in _parse().to_dict()["secrets"].values():
        assert set(secret) == {"file"}
    for service in services.values():
        for name, value in (service.get("environment") or {}).items():
            if re.search(r"PASSWORD|KEY|TOKEN|SECRET", name) and not name.endswith(("URL", "_DAYS")):
                assert str(value).startswith("/run/secrets/"), name
            assert not re.search(r"://[^/@:]*:[^/@]+@", str(value)), f"{name} carries a password"


def test_a_secret_file_named_in_the_environment_is_mounted(services: dict[str, dict[str, Any]]) -> None:
    for name, service in services.items():
        for value in (service.get("environment") or {}).values():
            for secret in re.findall(r"/run/secrets/([\w-]+)", str(value)):
                assert secret in _secrets(service), f"{name} reads {secret}"


@pytest.mark.parametrize(
    ("name", "needs"),
    [
        ("service", SERVICE_NEEDS),
        ("worker", WORKER_NEEDS),
        ("scheduler", SCHEDULER_NEEDS),
        ("integrator", INTEGRATOR_NEEDS),
        ("custodian", CUSTODIAN_NEEDS),
    ],
)
def test_each_role_is_told_what_its_settings_need(
    services: dict[str, dict[str, Any]], tmp_path: Path, name: str, needs: tuple[str, ...]
) -> None:
    """The real reader of settings accepts the environment, with secret files of the right form."""
    forms = {
        "master-key": "ab" * 32,
        "receipt-key": "PRIVATE+KEY+r",
        "checkpoint-key": "PRIVATE+KEY+c",
    }
    for secret in _secrets(services[name]):
        (tmp_path / secret).write_text(forms.get(secret, "p@ss/word"))
    env = {
        key: str(value).replace("/run/secrets", str(tmp_path))
        for key, value in services[name]["environment"].items()
    }
    settings = Settings.from_env(env, needs=needs)
    assert "p%40ss%2Fword@postgres:5432" in settings.database_url
    assert bool(settings.checkpoint_key) == (name == "integrator")
    assert bool(settings.receipt_key) == (name == "service")
    assert bool(settings.master_key) == (name in {"service", "worker"})
    assert bool(settings.keys_database_url) == (name in {"service", "worker", "custodian"})
    assert bool(settings.witnesses) == bool(settings.publish_dir) == (name == "integrator")
    assert bool(settings.counterfactual_socket) == (name in {"service", "worker"})


def test_the_witness_knows_the_logs_public_keys_and_its_own_and_nothing_else(
    services: dict[str, dict[str, Any]], tmp_path: Path
) -> None:
    made = fresh_secrets("bank.example/log")
    (tmp_path / "witness-key").write_text(made["witness-key"])
    (tmp_path / "verifier-keys").write_text(Signer.parse(made["checkpoint-key"]).verifier.vkey)
    witness = services["witness"]
    env = {
        name: str(value).replace("/run/secrets", str(tmp_path))
        for name, value in witness["environment"].items()
    }
    settings = Settings.from_env(env, needs=WITNESS_NEEDS)
    assert _secrets(witness) == {"witness-key", "verifier-keys"}
    assert "depends_on" not in witness
    # What it remembers outlives the container, in a volume that nobody else mounts.
    (volume,) = witness["volumes"]
    assert str(settings.witness_database).startswith(str(volume).partition(":")[2])
    others = [service for name, service in services.items() if name != "witness"]
    assert not any(str(volume) in map(str, service.get("volumes", [])) for service in others)


def test_the_integrator_asks_the_witness_where_it_listens(services: dict[str, dict[str, Any]]) -> None:
    command = services["witness"]["command"]
    port = command[command.index("--port") + 1]
    assert services["integrator"]["environment"]["OFRECORD_WITNESSES"].endswith(f"http://witness:{port}")
    assert services["witness"]["healthcheck"]["test"][-1] == port


def test_the_secrets_are_those_that_ofrecord_makes() -> None:
    assert set(_parse().to_dict()["secrets"]) == {*fresh_secrets("bank.example/log"), "verifier-keys"}
