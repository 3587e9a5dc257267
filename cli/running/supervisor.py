"""Start everything in order, keep it running, and stop it in the opposite order."""

from __future__ import annotations

import signal
import socket
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from cli.rooms import targets
from cli.running.admitting import admit_administrator
from cli.running.children import Child, stop_together
from cli.running.credentials import Credentials, credentials
from cli.running.environments import (
    PROPOSE,
    WITNESS,
    cache_folder,
    environments,
    plain_environment,
    publish_folder,
)
from cli.running.folder import DataFolder
from cli.running.listening import address_of, readiness
from cli.running.screen import Screen
from cli.running.servers import Servers, choose_servers
from cli.starting import REFUSED
from runtime.embedded.process import ChildProcess, Launch
from runtime.errors import OperationError
from runtime.migrations import migrate
from runtime.postgres import require_durability
from runtime.settings import SERVICE_NEEDS, Settings

_READY_SECONDS = 120.0
_STOP_SECONDS = 20.0
_FAILURES_BEFORE_READY = 3
_PROCESSES = {
    "worker": "work",
    "scheduler": "schedule",
    "integrator": "integrate",
    "custodian": "custody",
}


class Interrupted(Exception):
    """Somebody asked us to stop before everything was up."""


class Stopping:
    """Whether somebody asked us to stop; set by signals, so it has no lock to stumble over."""

    def __init__(self) -> None:
        """Nobody has yet."""
        self.asked = False

    @contextmanager
    def on_signals(self) -> Iterator[None]:
        """Listen for Ctrl-C, SIGTERM and a closed terminal."""

        def ask(_number: int, _frame: FrameType | None) -> None:
            self.asked = True

        before = {sig: signal.signal(sig, ask) for sig in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
        try:
            yield
        finally:
            for sig, handler in before.items():
                signal.signal(sig, handler)


class Supervisor:
    """The servers and processes of one installation."""

    def __init__(
        self,
        folder: DataFolder,
        taken: Mapping[str, socket.socket],
        screen: Screen,
        env: Mapping[str, str],
    ) -> None:
        """Say where; nothing is started yet. The caller holds the folder and the listening sockets."""
        self.folder = folder
        self.url = address_of(taken["api"])
        self.screen = screen
        self.stopping = Stopping()
        self.children: list[Child] = []
        self._taken = taken
        self._env = env
        self.secrets: Credentials = credentials(folder)
        self.servers: Servers = choose_servers(folder, self.secrets, env)

    @property
    def public_log(self) -> Path:
        """Where the integrator publishes the log."""
        return publish_folder(self.folder, self._env)

    def start(self) -> None:
        """Bring everything up and return when the API is ready."""
        for server in self.servers.own:
            with self.screen.step(f"starting {server.process.name}"):
                server.start()
        with self.screen.step("bringing the databases up to date") as details:
            applied = migrate(
                targets(self.servers.admin_url, self.servers.keys_admin_url), self.secrets.passwords()
            )
            details.append(f"{len(applied)} migrations applied" if applied else "nothing new")
            if not Settings.from_env(self._env, needs=()).allow_unsafe_durability:
                for url in (self.servers.admin_url, self.servers.keys_admin_url):
                    require_durability(url)
        self._warm()
        witness_url = address_of(self._taken[WITNESS])
        told = environments(self.folder, self.secrets, self.servers, self._env, witness_url)
        with self.screen.step("checking the administrator's token") as details:
            if admit_administrator(self.folder, Settings.from_env(told["api"], needs=SERVICE_NEEDS)):
                details.append("a new one")
        with self.screen.step("starting API, worker, scheduler, integrator, custodian and witness"):
            self._start_children(told)
            self._wait_until_ready()
        self._start_proposing(told)

    def watch_once(self) -> None:
        """Start again what has died, servers first."""
        for server in self.servers.own:
            if not server.process.running:
                self.screen.warn(f"{server.process.name} ended; starting it again")
                server.start()
        for child in self.children:
            told = child.watch()
            if told:
                self.screen.warn(told)

    def watch(self, also: Callable[[], None] = lambda: None) -> None:
        """Keep everything running until somebody asks to stop."""
        while not self.stopping.asked:
            self.watch_once()
            also()
            time.sleep(0.1)

    def stop(self) -> None:
        """Stop the children, then the servers; each failure is told and the rest is stopped all the same."""
        with self.screen.step("stopping"):
            stop_together(self.children, _STOP_SECONDS)
            self.servers.stop()

    def _warm(self) -> None:
        """Compile the explanation kernels into the cache before the first API needs them."""
        cache = cache_folder(self.folder, self._env)
        cache.mkdir(mode=0o700, parents=True, exist_ok=True)
        if any(cache.iterdir()):
            return
        with self.screen.step("compiling the explanation kernels, this once"):
            warming = ChildProcess("the kernels' compilation", self.folder.log("warm"))
            command = (sys.executable, "-m", "explain.warming", str(cache))
            warming.spawn(Launch(command, signal.SIGKILL, environment=plain_environment(self._env)))
            while warming.running:
                if self.stopping.asked:
                    warming.stop(signal.SIGKILL, 5.0, then=signal.SIGKILL)
                    raise Interrupted
                time.sleep(0.05)
            if warming.exit_code != 0:
                raise OperationError(f"the explanation kernels do not compile:\n{warming.log_tail()}")

    def _start_children(self, told: Mapping[str, Mapping[str, str]]) -> None:
        """Start the API first and then the witness, which the integrator asks before it signs anything."""
        for name, command in (("api", "serve"), (WITNESS, "witness")):
            descriptor = self._taken[name].fileno()
            line = _ours(command, "--descriptor", str(descriptor))
            log = self.folder.log(name)
            self.children.append(Child(name, line, told[name], log, descriptors=(descriptor,)))
        for name, command in _PROCESSES.items():
            self.children.append(Child(name, _ours(command), told[name], self.folder.log(name)))
        for child in self.children:
            child.start()

    def _start_proposing(self, told: Mapping[str, Mapping[str, str]]) -> None:
        """Start the counterfactual server last: its imports cost seconds, and nobody has to wait for it."""
        command = _ours("propose", "--socket", str(self.folder.socket(PROPOSE)))
        self.children.append(Child(PROPOSE, command, told[PROPOSE], self.folder.log(PROPOSE)))
        self.children[-1].start()

    def _wait_until_ready(self) -> None:
        begun = time.monotonic()
        reason = ""
        while True:
            if self.stopping.asked:
                raise Interrupted
            self.watch_once()
            for child in self.children:
                refused = child.process.exit_code == REFUSED
                if refused or child.failures >= _FAILURES_BEFORE_READY:
                    raise OperationError(f"{child.name} does not start:\n{child.process.log_tail()}")
            if self.children[0].process.running:
                ready, reason = readiness(self.url)
                if ready:
                    return
            waited = time.monotonic() - begun
            if waited > _READY_SECONDS:
                raise OperationError(f"the API was not ready after {_READY_SECONDS:.0f} s: {reason}")
            time.sleep(0.05 if waited < 3 else 0.5)


def _ours(*arguments: str) -> tuple[str, ...]:
    """Return the command line of one of our own commands."""
    return (sys.executable, "-m", "cli", *arguments)
