"""Rounds of crashes under load: who is killed when is drawn from a seed."""

from __future__ import annotations

import random
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from examples.lending.building import build
from tests.oracles.crash_clients import Clients
from tests.oracles.crash_findings import Found, examine
from tests.oracles.crash_machine import EVERYTHING, OURS, Machine, register

SCENARIOS = {
    "main": ("main",),
    "keys": ("keys",),
    "api": ("api",),
    "integrator": ("integrator",),
    "both integrators": ("integrator", "second integrator"),
    "witness": ("witness",),
    "all of ours": tuple(OURS),
    "both databases": ("main", "keys"),
    "everything": EVERYTHING,
}
LONGEST_LOAD_SECONDS = 1.5
LONGEST_DARKNESS_SECONDS = 0.4
TWICE = 0.2  # killed again soon after it came up, whatever it was doing then
ANSWERS_BETWEEN = 20
PATIENCE_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Told:
    """What happened, for whoever reads the test's output."""

    seed: int
    seconds: float
    crashes: Counter[str]
    refused: Counter[str]
    found: Found

    def lines(self) -> list[str]:
        found = self.found
        return [
            f"seed {self.seed}: {sum(self.crashes.values())} crashes in {self.seconds:.0f} s",
            "  killed: " + _counted(self.crashes),
            "  asked again after: " + _counted(self.refused),
            f"  {found.answered} decisions answered, {found.repeats} of them more than once; "
            f"{found.entries} entries, {found.checkpoints} checkpoints kept by a follower, "
            f"{found.keys_without_entry} keys without an entry",
        ]


def crash(folder: Path, cache: Path, *, rounds: int, seed: int) -> Told:
    """Crash so many times under load, then check every promise that was made."""
    begun = time.monotonic()
    dice = random.Random(seed)  # noqa: S311 - to be drawn again
    machine = Machine(folder, cache)
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
        clients = Clients(machine.url, token, path, features, random.Random(seed + 1))  # noqa: S311 - as above
        clients.start()
        try:
            crashes = Counter(_round(machine, clients, dice, number) for number in range(rounds))
        finally:
            clients.stop()
        _settle(machine)
        found = examine(machine, clients)
    finally:
        machine.stop()
    return Told(seed, time.monotonic() - begun, crashes, clients.refused, found)


def _round(machine: Machine, clients: Clients, dice: random.Random, number: int) -> str:
    """One crash at a random moment, a restart, and a while of work."""
    names = list(SCENARIOS)
    scenario = names[number % len(names)] if number < len(names) else dice.choice(names)
    victims = SCENARIOS[scenario]
    time.sleep(dice.uniform(0.0, LONGEST_LOAD_SECONDS))
    machine.kill(victims)
    time.sleep(dice.uniform(0.0, LONGEST_DARKNESS_SECONDS))
    machine.start(victims)
    if dice.random() < TWICE:
        time.sleep(dice.uniform(0.0, LONGEST_LOAD_SECONDS))
        machine.kill(victims)
        machine.start(victims)
    machine.until_ready()
    _work_on(machine, clients)
    assert machine.down() == [], f"{machine.down()} did not survive a crash of {scenario}"
    return scenario


def _work_on(machine: Machine, clients: Clients) -> None:
    """Wait until decisions are answered again."""
    enough = len(clients.answered) + ANSWERS_BETWEEN
    deadline = time.monotonic() + PATIENCE_SECONDS
    while len(clients.answered) < enough:
        assert clients.wrong == [], (clients.wrong[:3], machine.errors("api")[-3:])
        assert time.monotonic() < deadline, f"no answers any more; refused: {clients.refused}"
        time.sleep(0.02)


def _settle(machine: Machine) -> None:
    """Wait until everything is integrated."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while machine.pending():
        assert time.monotonic() < deadline, "entries stay unintegrated"
        time.sleep(0.05)


def _counted(counter: Counter[str]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counter.most_common()) or "nothing"
