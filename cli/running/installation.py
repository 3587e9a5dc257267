"""One run of one installation, from taking the folder to the last process's end."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from cli.running.environments import WITNESS, plain_environment
from cli.running.folder import DataFolder
from cli.running.listening import listen
from cli.running.screen import Screen
from cli.running.showing import Showing
from cli.running.supervisor import Interrupted, Supervisor
from runtime.embedded.state import abandoned
from runtime.settings import Settings


def run_installation(data_dir: Path, host: str, port: int, env: Mapping[str, str], *, example: bool) -> None:
    """Run until somebody asks to stop; raise OperationError when it cannot."""
    Settings.from_env(env, needs=())  # a malformed variable is refused before anything is touched
    folder = DataFolder.open(data_dir)
    with folder.held(), listen(host, port) as taken, listen("127.0.0.1", 0) as witnessed:
        screen = Screen()
        screen.heading("Ofrecord")
        supervisor = Supervisor(folder, {"api": taken, WITNESS: witnessed}, screen, env)
        with supervisor.stopping.on_signals():
            try:
                supervisor.start()
                _describe(supervisor)
                _keep_up(supervisor, env, example=example)
            except Interrupted:
                screen.say("stopped before everything was up")
            finally:
                supervisor.stop()


def _keep_up(supervisor: Supervisor, env: Mapping[str, str], *, example: bool) -> None:
    """Show the example, if wanted, while everything is kept running."""
    if not example:
        supervisor.screen.say("Ctrl-C stops everything; the data stays.")
        supervisor.watch()
        return
    showing = Showing(supervisor.url, str(supervisor.folder.root), plain_environment(env), supervisor.screen)
    try:
        supervisor.watch(showing.look)
    finally:
        showing.end()


def _describe(supervisor: Supervisor) -> None:
    """Say where everything is."""
    screen, folder, place = supervisor.screen, supervisor.folder, supervisor.servers.place
    screen.say()
    screen.heading(f"Ofrecord is up at {supervisor.url}")
    screen.say(f"  admin token    {folder.admin_token}")
    screen.say(f"  verifier keys  {folder.verifier_keys}")
    screen.say(f"  public log     {supervisor.public_log}")
    screen.say(f"  logs           {folder.root / 'logs'}")
    if place:
        screen.say(f"  databases      {place.home}")
    for unused in abandoned(place.home.parent) if place and place.account else ():
        screen.say(f"  unused         {unused} (its data folder is gone; remove it if you like)")
    screen.say()
