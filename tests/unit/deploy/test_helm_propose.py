"""In the chart, who asks the counterfactual server has one beside it, and nobody waits for it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.oracles.chart import ROOT, Object, only, rendered, values


@pytest.fixture(scope="module")
def objects() -> list[Object]:
    return rendered(values())


@pytest.mark.parametrize("role", ["service", "worker"])
def test_who_asks_has_a_counterfactual_server_beside_it(objects: list[Object], role: str) -> None:
    pod = only(objects, "Deployment", f"demo-{role}")["spec"]["template"]["spec"]
    (asking,) = pod["containers"]
    server = pod["initContainers"][-1]
    assert (server["name"], server["restartPolicy"]) == ("propose", "Always")
    told = {variable["name"]: variable["value"] for variable in asking["env"]}
    socket = told["OFRECORD_COUNTERFACTUAL_SOCKET"]
    assert server["args"] == ["propose", "--socket", socket]
    probe = server["livenessProbe"]["exec"]["command"]
    assert probe[3:] == ["/opt/ofrecord/accepting.py", socket]
    assert Path(probe[3]).name in (ROOT / "Dockerfile").read_text(encoding="utf-8")
    assert not server.keys() & {"readinessProbe", "startupProbe", "envFrom"}  # nobody waits for it
    assert {variable["name"] for variable in server["env"]} == {
        "OFRECORD_CACHE_DIR",
        "OFRECORD_LOG_LEVEL",
        "OFRECORD_THREADS",
    }
    mounts = {mount["name"]: mount["mountPath"] for mount in server["volumeMounts"]}
    assert mounts == {"cache": "/var/cache/ofrecord", "proposals": "/run/ofrecord", "propose-tmp": "/tmp"}  # noqa: S108
    read_only = {mount["name"] for mount in server["volumeMounts"] if mount.get("readOnly")}
    assert read_only == {"cache"}  # what lies there is executed by others
    shared = {mount["name"]: mount["mountPath"] for mount in asking["volumeMounts"]}
    assert {name: shared.get(name) for name in ("cache", "proposals")} == {
        name: mounts[name] for name in ("cache", "proposals")
    }


def test_the_counterfactual_server_can_be_left_out() -> None:
    text = json.dumps(rendered(values(propose__enabled=False)))
    assert "propose" not in text
    assert "COUNTERFACTUAL" not in text
