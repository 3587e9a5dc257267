"""A backup of a live log serves again; an older one is found out by whoever remembers more."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from examples.lending.building import build
from tests.oracles.backups import Backup, back_up, restore
from tests.oracles.crash_clients import Clients
from tests.oracles.crash_findings import wait_published
from tests.oracles.crash_machine import Machine, register
from workers.integrating import HALTED

PATIENCE_SECONDS = 120.0
MANY = 40


@dataclass(slots=True)
class Lived:
    """An installation that was lost, its backups, and what is known of it elsewhere."""

    machine: Machine
    early: Backup
    late: Backup
    token: str
    path: str
    clients: Clients

    def checkpoint(self, folder: Path, size: int) -> Path:
        file = folder / f"checkpoint-{size}"
        file.write_text(self.clients.checkpoints[size], encoding="utf-8")
        return file


def wait(until: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not until():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.05)


def backed_up(machine: Machine, name: str) -> Backup:
    return back_up(
        machine.outside / name, machine.servers["main"].url("ofrecord"), machine.servers["keys"].url("keys")
    )


@pytest.fixture(scope="module")
def kernels_once(tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config) -> Path:
    folder = tmp_path_factory.mktemp("cache")
    kept = getattr(pytestconfig, "cache", None)
    if kept is not None:
        (folder / "kernels").symlink_to(kept.mkdir("ofrecord-kernels"))
    return folder


@pytest.fixture(scope="module")
def lived(servers_folder: Path, kernels_once: Path) -> Iterator[Lived]:
    """Backed up under load, and once more at its end; then the machine is gone."""
    outside = servers_folder / "outside"
    outside.mkdir()
    machine = Machine(servers_folder / "lived", kernels_once, outside=outside)
    machine.set_up()
    try:
        machine.start()
        token = machine.command("service", "token", "issue", "tester", "--scope", "admin").strip()
        machine.until_ready()
        bundle = build()
        register(machine, bundle, token)
        features = bundle.declined["features"]
        assert isinstance(features, dict)
        path = f"/v1/models/{bundle.model}/explanations"
        clients = Clients(machine.url, token, path, features, random.Random(1))  # noqa: S311 - nothing secret
        clients.start()
        try:
            wait(lambda: len(clients.answered) > MANY)
            early = backed_up(machine, "early")
            seen = len(clients.answered)
            wait(lambda: len(clients.answered) > seen + MANY)
        finally:
            clients.stop()
        assert clients.wrong == []
        wait(lambda: machine.pending() == 0)
        wait_published(machine, machine.tree_size())
        late = backed_up(machine, "late")
    finally:
        machine.stop()
    return Lived(machine, early, late, token, path, clients)


@contextmanager
def restored(lived: Lived, backup: Backup, folder: Path) -> Iterator[Machine]:
    """New servers with a backup in them; nothing else runs yet."""
    made = Machine(folder, lived.machine.cache, secrets=lived.machine.secrets, outside=lived.machine.outside)
    try:
        for server in made.servers.values():
            server.start()
        restore(backup, made.servers["main"].url("ofrecord"), made.servers["keys"].url("keys"))
        assert made.migrate() == []
        yield made
    finally:
        made.stop()


def test_a_backup_serves_again(lived: Lived, servers_folder: Path, tmp_path: Path) -> None:
    newest = max(lived.clients.checkpoints)
    with restored(lived, lived.late, servers_folder / "again") as machine:
        kept = lived.checkpoint(tmp_path, newest)
        told = machine.command("auditor", "fsck", "--checkpoint", str(kept)).splitlines()
        assert (told[-2].strip(), told[-1]) == (f"grew out of the checkpoint of {newest}", "PASS")
        size = machine.tree_size()
        machine.start()
        machine.until_ready()
        decision, answer = next(iter(lived.clients.answered.items()))
        headers = {"Authorization": f"Bearer {lived.token}"}
        with httpx.Client(base_url=machine.url, headers=headers, timeout=30, trust_env=False) as client:
            again = client.post(lived.path, json=lived.clients.request(decision))
            new = client.post(lived.path, json=lived.clients.request("D-new"))
        assert again.json()["explanation_id"] == answer.entry_id
        assert new.status_code == 201
        wait(lambda: machine.tree_size() > size)
        wait_published(machine, machine.tree_size())
        assert machine.down() == []


@pytest.mark.parametrize("outlet", ["PUBLISH_DIR", "WITNESSES"])
def test_an_older_backup_halts_the_integrator(lived: Lived, servers_folder: Path, outlet: str) -> None:
    with restored(lived, lived.early, servers_folder / outlet.lower()) as machine:
        machine.outlets = {outlet}
        machine.start(["witness"])
        wait(machine.witnesses)
        machine.start(["integrator"])
        assert machine.ours["integrator"].wait(PATIENCE_SECONDS) == HALTED
        assert "an older state was put back" in machine.log("integrator")
        machine.start(["api"])  # what is there can still be read
        machine.until_ready()


def test_an_older_backup_passes_only_while_nobody_remembers_more(
    lived: Lived, servers_folder: Path, tmp_path: Path
) -> None:
    with restored(lived, lived.early, servers_folder / "older") as machine:
        assert machine.command("auditor", "fsck").splitlines()[-1] == "PASS"
        sizes = sorted(lived.clients.checkpoints)
        before = max(size for size in sizes if size <= machine.tree_size())
        first = lived.checkpoint(tmp_path, before)
        assert machine.command("auditor", "fsck", "--checkpoint", str(first)).splitlines()[-1] == "PASS"
        last = lived.checkpoint(tmp_path, sizes[-1])
        told = machine.refusal("auditor", "fsck", "--checkpoint", str(last))
        assert f"the tree known from before had {sizes[-1]} leaves" in told
        assert told.splitlines()[-1] == "FAIL"


def test_what_is_no_checkpoint_of_this_log_is_refused_by_name(
    lived: Lived, servers_folder: Path, tmp_path: Path
) -> None:
    forged = tmp_path / "forged"
    text = next(iter(lived.clients.checkpoints.values()))
    forged.write_text(text.replace("\n", "0\n", 2).replace("0\n", "\n", 1), encoding="utf-8")
    with restored(lived, lived.late, servers_folder / "forged") as machine:
        for file in (forged, tmp_path / "missing"):
            assert "--checkpoint" in machine.refusal("auditor", "fsck", "--checkpoint", str(file))
