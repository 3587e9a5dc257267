"""In the chart: who keeps the log's promises beside the API: custodian, witness, publication, rotation."""

from __future__ import annotations

import json
from pathlib import Path

import kubernetes_validate
import pytest

from audit.cosignature import Cosigner
from audit.note import Signer
from runtime.settings import INTEGRATOR_NEEDS, WITNESS_NEEDS, Settings
from tests.oracles.chart import Object, only, pods, rendered, values

SECRETS = "/run/secrets/ofrecord"
ORIGIN = "bank.example/ofrecord"
LOG_KEY = Signer.generate(ORIGIN).verifier.vkey
OURS = Cosigner.generate(f"{ORIGIN}/witness")
OTHERS = f"{Cosigner.generate('auditor.example/w1').key.vkey} https://w1.auditor.example"


@pytest.fixture(scope="module")
def objects() -> list[Object]:
    return rendered(
        values(
            networkPolicy__enabled=True,
            witness__enabled=True,
            log__verifierKeys=[LOG_KEY],
            log__witnesses=[OTHERS, f"{OURS.key.vkey} http://demo-witness:8322"],
            log__publishClaim="public-log",
            log__rotating=True,
        )
    )


def _told(objects: list[Object], kind: str, name: str, folder: Path) -> dict[str, str]:
    """What the container's environment is, with its secrets in a folder of this machine."""
    (container,) = only(objects, kind, name)["spec"]["template"]["spec"]["containers"]
    told = {v["name"]: v["value"].replace(SECRETS, str(folder)) for v in container["env"]}
    common = only(objects, "ConfigMap", "demo")["data"] if "envFrom" in container else {}
    return {**common, **told}


@pytest.mark.parametrize("version", ["1.30", "1.33", "1.37"])
def test_kubernetes_accepts_every_object(objects: list[Object], version: str) -> None:
    for found in objects:
        kubernetes_validate.validate(found, version, strict=True)


def test_the_custodian_destroys_keys_that_it_cannot_read(objects: list[Object], tmp_path: Path) -> None:
    told = _told(objects, "Deployment", "demo-custodian", tmp_path)
    assert told["OFRECORD_KEYS_DATABASE_URL"].startswith("postgresql://ofrecord_custodian@")
    assert told["OFRECORD_KEYS_BACKUP_DAYS"] == "35"
    assert "MASTER_KEY" not in json.dumps(only(objects, "Deployment", "demo-custodian"))


def test_the_integrator_asks_every_witness_publishes_and_signs_with_both_keys(
    objects: list[Object], tmp_path: Path
) -> None:
    for name in ("database-password", "checkpoint-key", "next-checkpoint-key"):
        (tmp_path / name).write_text(f"PRIVATE+KEY+{name}")
    settings = Settings.from_env(
        _told(objects, "Deployment", "demo-integrator", tmp_path), needs=INTEGRATOR_NEEDS
    )
    assert [key for key, _ in settings.witnesses] == [OTHERS.split(maxsplit=1)[0], OURS.key.vkey]
    assert settings.log_verifier_keys == (LOG_KEY,)
    assert settings.next_checkpoint_key.endswith("next-checkpoint-key")
    assert settings.publish_dir == Path("/var/lib/ofrecord/public")
    pod = only(objects, "Deployment", "demo-integrator")["spec"]["template"]["spec"]
    mounted = {mount["mountPath"]: mount["name"] for mount in pod["containers"][0]["volumeMounts"]}
    volumes = {volume["name"]: volume for volume in pod["volumes"]}
    claim = volumes[mounted[str(settings.publish_dir)]]["persistentVolumeClaim"]
    assert claim == {"claimName": "public-log"}
    others = [one for name, one in pods(objects) if name != "demo-integrator"]
    assert "public-log" not in json.dumps(others)


def test_the_witness_has_a_memory_of_its_own_and_nothing_of_the_log(
    objects: list[Object], tmp_path: Path
) -> None:
    (tmp_path / "witness-key").write_text(OURS.private_text())
    told = _told(objects, "StatefulSet", "demo-witness", tmp_path)
    settings = Settings.from_env(told, needs=WITNESS_NEEDS)
    assert not settings.database_url
    found = only(objects, "StatefulSet", "demo-witness")["spec"]
    assert found["replicas"] == 1
    (claim,) = found["volumeClaimTemplates"]
    pod = found["template"]["spec"]
    mounted = {mount["name"]: mount["mountPath"] for mount in pod["containers"][0]["volumeMounts"]}
    assert settings.witness_database is not None
    assert mounted[claim["metadata"]["name"]] == str(settings.witness_database.parent)
    service = only(objects, "Service", "demo-witness")["spec"]
    assert service["selector"].items() <= found["template"]["metadata"]["labels"].items()
    policy = only(objects, "NetworkPolicy", "demo-witness")["spec"]
    (peer,) = policy["ingress"][0]["from"]
    assert peer["podSelector"]["matchLabels"]["app.kubernetes.io/component"] == "integrator"
    assert policy["egress"] == []


def test_only_the_integrator_reaches_witnesses(objects: list[Object]) -> None:
    for role in ("service", "worker", "scheduler", "integrator", "custodian"):
        policy = only(objects, "NetworkPolicy", f"demo-{role}")["spec"]
        ports = {port["port"] for rule in policy["egress"] for port in rule["ports"]}
        assert ({443, 8322} <= ports) == (role == "integrator")


def test_without_being_asked_for_none_of_it_is_there() -> None:
    plain = rendered(values())
    assert "StatefulSet" not in {found["kind"] for found in plain}
    integrator = json.dumps(only(plain, "Deployment", "demo-integrator"))
    for part in ("WITNESSES", "PUBLISH_DIR", "NEXT_CHECKPOINT_KEY", "persistentVolumeClaim"):
        assert part not in integrator
