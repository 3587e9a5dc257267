"""The chart, rendered by Helm's own engine and checked against Kubernetes' own schemas and our promises."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import helm_python
import kubernetes_validate
import pytest

from runtime.settings import (
    CUSTODIAN_NEEDS,
    INTEGRATOR_NEEDS,
    SCHEDULER_NEEDS,
    SERVICE_NEEDS,
    WORKER_NEEDS,
    Settings,
)
from tests.oracles.chart import CHART, ROOT, Object, containers, only, pods, rendered, values

ROLES = ("service", "worker", "scheduler", "integrator", "custodian")
SECRETS = "/run/secrets/ofrecord"


@pytest.fixture(scope="module")
def objects() -> list[Object]:
    return rendered(values(networkPolicy__enabled=True))


def test_what_is_rendered(objects: list[Object]) -> None:
    kinds = sorted((o["kind"], o["metadata"]["name"]) for o in objects)
    assert kinds == sorted(
        [
            ("ConfigMap", "demo"),
            ("Service", "demo"),
            ("ServiceAccount", "demo"),
            ("Job", "demo-migrate"),
            ("PodDisruptionBudget", "demo-service"),
            ("PodDisruptionBudget", "demo-integrator"),
            *(("Deployment", f"demo-{role}") for role in ROLES),
            *(("NetworkPolicy", f"demo-{role}") for role in ROLES),
        ]
    )


@pytest.mark.parametrize("version", ["1.30", "1.33", "1.37"])
def test_kubernetes_accepts_every_object(objects: list[Object], version: str) -> None:
    for found in objects:
        kubernetes_validate.validate(found, version, strict=True)


def test_the_validator_is_awake(objects: list[Object]) -> None:
    wrong = copy.deepcopy(only(objects, "Deployment", "demo-service"))
    wrong["spec"]["template"]["spec"]["containers"][0]["readonlyRoot"] = True
    with pytest.raises(kubernetes_validate.ValidationError):
        kubernetes_validate.validate(wrong, "1.33", strict=True)


def test_helm_lint_has_nothing_to_say() -> None:
    found = helm_python.lint(CHART, values(), strict=True)
    assert [m for m in found.get("messages", []) if m.get("severity") not in {"INFO", 1, "info"}] == []


def test_every_container_is_confined(objects: list[Object]) -> None:
    for name, container in containers(objects):
        security = container["securityContext"]
        assert security["readOnlyRootFilesystem"] is True, name
        assert security["allowPrivilegeEscalation"] is False, name
        assert security["runAsNonRoot"] is True, name
        assert security["capabilities"] == {"drop": ["ALL"]}, name
        assert container["resources"]["requests"].keys() == {"cpu", "memory"}, name
        assert container["resources"]["limits"]["memory"], name
    for name, pod in pods(objects):
        assert pod["automountServiceAccountToken"] is False, name
        assert pod["securityContext"]["runAsNonRoot"] is True, name
        assert pod["securityContext"]["runAsUser"] == 10001, name
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}, name
        assert not pod.keys() & {"hostNetwork", "hostPID", "hostIPC"}, name


def test_what_is_written_goes_to_the_cache_or_to_tmp(objects: list[Object]) -> None:
    for name, pod in pods(objects):
        empty = {volume["name"] for volume in pod["volumes"] if "emptyDir" in volume}
        asks = name in {"demo-service", "demo-worker"}
        assert empty == {"cache", "tmp"} | ({"proposals", "propose-tmp"} if asks else set()), name
        for container in pod["containers"]:
            writable = {m["mountPath"] for m in container["volumeMounts"] if not m.get("readOnly")}
            shared = {"/run/ofrecord"} if asks else set()
            assert writable == {"/var/cache/ofrecord", "/tmp"} | shared, name  # noqa: S108 - inside the container


def test_probes(objects: list[Object]) -> None:
    for role in ROLES:
        pod = only(objects, "Deployment", f"demo-{role}")["spec"]["template"]["spec"]
        (container,) = pod["containers"]
        assert container["startupProbe"], role
        assert container["readinessProbe"], role
        if role == "service":
            assert container["startupProbe"]["httpGet"]["path"] == "/healthz"
            assert container["livenessProbe"]["httpGet"]["path"] == "/healthz"
            assert container["readinessProbe"]["httpGet"]["path"] == "/readyz"
        else:
            script = container["readinessProbe"]["exec"]["command"][3]
            assert script == "/opt/ofrecord/connected.py"
            assert script in (ROOT / "Dockerfile").read_text(encoding="utf-8")


def test_replicas_spread_and_grace(objects: list[Object]) -> None:
    counts = {role: only(objects, "Deployment", f"demo-{role}")["spec"] for role in ROLES}
    assert {role: spec["replicas"] for role, spec in counts.items()} == {
        "service": 2,
        "worker": 1,
        "scheduler": 1,
        "integrator": 2,
        "custodian": 1,
    }
    for role, spec in counts.items():
        pod = spec["template"]["spec"]
        assert pod["terminationGracePeriodSeconds"] >= 30, role
        spread = {rule["topologyKey"] for rule in pod["topologySpreadConstraints"]}
        assert spread == {"kubernetes.io/hostname", "topology.kubernetes.io/zone"}
        labels = spec["template"]["metadata"]["labels"]
        assert spec["selector"]["matchLabels"].items() <= labels.items()
        assert labels["app.kubernetes.io/component"] == role


def test_the_migration_runs_before_the_release_and_needs_nothing_of_it(objects: list[Object]) -> None:
    job = only(objects, "Job", "demo-migrate")
    hooks = job["metadata"]["annotations"]
    assert hooks["helm.sh/hook"] == "pre-install,pre-upgrade"
    assert "before-hook-creation" in hooks["helm.sh/hook-delete-policy"]
    pod = job["spec"]["template"]["spec"]
    assert pod["restartPolicy"] == "Never"
    assert pod["containers"][0]["args"] == ["migrate"]
    assert "serviceAccountName" not in pod
    assert "envFrom" not in pod["containers"][0]
    ours = {o["metadata"]["name"] for o in objects if o["kind"] in {"ConfigMap", "ServiceAccount", "Secret"}}
    assert not ours & {v["configMap"]["name"] for v in pod["volumes"] if "configMap" in v}


def test_no_secret_is_rendered_and_none_is_in_a_value(objects: list[Object]) -> None:
    assert [o for o in objects if o["kind"] == "Secret"] == []
    text = json.dumps(objects)
    assert "PRIVATE+KEY" not in text
    assert "secretKeyRef" not in text  # files, not environment variables
    for name, container in containers(objects):
        for variable in container.get("env", []):
            if "PASSWORD" in variable["name"] or variable["name"].endswith(("KEY", "KEY_FILE")):
                assert variable["value"].startswith(SECRETS + "/"), name


def _secret_keys(objects: list[Object]) -> dict[str, tuple[str, set[str]]]:
    """For each pod: the Secret it mounts and the keys it takes from it."""
    found = {}
    for name, pod in pods(objects):
        (secret,) = [volume["secret"] for volume in pod["volumes"] if "secret" in volume]
        assert secret["defaultMode"] == 0o440
        found[name] = (secret["secretName"], {item["key"] for item in secret["items"]})
    return found


def test_each_role_has_its_own_secret_and_takes_only_what_it_needs(objects: list[Object]) -> None:
    mounted = _secret_keys(objects)
    assert mounted == {
        "demo-migrate": (
            "ofrecord-migrate",
            {"administrator-password"}
            | {f"{role}-password" for role in ("service", "worker", "integrator", "auditor", "custodian")},
        ),
        "demo-service": (
            "ofrecord-service",
            {"database-password", "broker-password", "master-key", "receipt-key"},
        ),
        "demo-worker": ("ofrecord-worker", {"database-password", "broker-password", "master-key"}),
        "demo-scheduler": ("ofrecord-scheduler", {"database-password", "broker-password"}),
        "demo-integrator": ("ofrecord-integrator", {"database-password", "checkpoint-key"}),
        "demo-custodian": ("ofrecord-custodian", {"database-password"}),
    }
    assert [name for name, (_, keys) in mounted.items() if "checkpoint-key" in keys] == ["demo-integrator"]


@pytest.mark.parametrize(
    ("role", "needs"),
    [
        ("service", SERVICE_NEEDS),
        ("worker", WORKER_NEEDS),
        ("scheduler", SCHEDULER_NEEDS),
        ("integrator", INTEGRATOR_NEEDS),
        ("custodian", CUSTODIAN_NEEDS),
    ],
)
def test_each_role_is_told_what_its_settings_need(
    objects: list[Object], tmp_path: Path, role: str, needs: tuple[str, ...]
) -> None:
    """The real reader of settings accepts the environment of the container."""
    (container,) = only(objects, "Deployment", f"demo-{role}")["spec"]["template"]["spec"]["containers"]
    env: dict[str, str] = dict(only(objects, "ConfigMap", "demo")["data"])
    env |= {v["name"]: v["value"].replace(SECRETS, str(tmp_path)) for v in container["env"]}
    forms = {"master-key": "ab" * 32, "receipt-key": "PRIVATE+KEY+r", "checkpoint-key": "PRIVATE+KEY+c"}
    for key in _secret_keys(objects)[f"demo-{role}"][1]:
        (tmp_path / key).write_text(forms.get(key, "word"))
    settings = Settings.from_env(env, needs=needs)
    assert settings.log_origin == "bank.example/ofrecord"
    assert (
        f"{'ofrecord_worker' if role == 'scheduler' else 'ofrecord_' + role}:word@" in settings.database_url
    )
    assert "sslmode=verify-full" in settings.database_url
    assert settings.cache_dir == Path("/var/cache/ofrecord")


def test_the_disruption_budget_and_the_policy_match_their_pods(objects: list[Object]) -> None:
    for role in ("service", "integrator"):
        budget = only(objects, "PodDisruptionBudget", f"demo-{role}")["spec"]
        assert budget["maxUnavailable"] == 1
        assert budget["selector"]["matchLabels"]["app.kubernetes.io/component"] == role
    for role in ROLES:
        policy = only(objects, "NetworkPolicy", f"demo-{role}")["spec"]
        assert policy["policyTypes"] == ["Ingress", "Egress"]
        assert bool(policy["ingress"]) == (role == "service")
        ports = {port["port"] for rule in policy["egress"] for port in rule["ports"]}
        assert ports == ({53, 5432} if role in {"integrator", "custodian"} else {53, 5432, 6379})
    plain = rendered(values(podDisruptionBudget__enabled=False))
    assert not {o["kind"] for o in plain} & {"NetworkPolicy", "PodDisruptionBudget"}


@pytest.mark.parametrize(
    "changes",
    [
        {"log__origin": ""},
        {"log__origin": "two words"},
        {"database__host": ""},
        {"database__caConfigMap": ""},
        {"database__sslmode": "prefer"},
        {"keysDatabase__password": "hunter2"},
        {"secrets__masterKey": "00" * 32},
        {"service__replicas": 0},
        {"service__replicas": "2"},
        {"integrator__replicas": 0},
        {"image__digest": "sha256:abc"},
        {"service__resources__limits__memory": None},
        {"service__resources__limits__memory": "lots"},
        {"log__witnesses": ["https://witness.example"]},
        {"log__verifierKeys": ["PRIVATE+KEY+x"]},
        {"keysBackupDays": -1},
        {"witness__enabled": "yes"},
        {"propose__threads": 0},
        {"propose__enabled": "no"},
        {"propose__resources__limits__memory": None},
        {"servcie": {"replicas": 3}},
    ],
    ids=str,
)
def test_bad_values_are_refused(changes: dict[str, Any]) -> None:
    with helm_python.Chart.load(CHART) as chart, pytest.raises(helm_python.HelmError):
        chart.validate_schema(values(**changes))


def test_good_values_are_accepted_and_defaults_alone_are_not() -> None:
    with helm_python.Chart.load(CHART) as chart:
        chart.validate_schema(values(image__digest="sha256:" + "0" * 64, database__sslmode="verify-ca"))
        with pytest.raises(helm_python.HelmError, match=r"origin|host"):
            chart.validate_schema({})


def test_an_image_digest_decides(objects: list[Object]) -> None:
    digest = "sha256:" + "0" * 64
    for name, container in containers(rendered(values(image__digest=digest))):
        assert container["image"] == f"ofrecord:0.1.0@{digest}", name
    assert all(container["image"] == "ofrecord:0.1.0" for _, container in containers(objects))
