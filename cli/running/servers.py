"""The two servers everything rests on: our own, or the ones we are told to use."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from cli.rooms import keys_address
from cli.running.credentials import Credentials
from cli.running.folder import DataFolder
from runtime.addresses import with_password
from runtime.embedded.postgres import PostgresServer
from runtime.embedded.process import ChildProcess
from runtime.embedded.state import SYSTEM_ROOT, Place, locate
from runtime.embedded.valkey import ValkeyServer
from runtime.settings import Settings

DATABASE = "ofrecord"


class Server(Protocol):
    """An embedded server."""

    process: ChildProcess

    def start(self) -> None:
        """Start it and return when it answers."""
        ...

    def stop(self) -> None:
        """Stop it."""
        ...


@dataclass(frozen=True, slots=True)
class Servers:
    """Addresses of the servers in use, and those of them that are ours to start, watch and stop."""

    admin_url: str
    keys_admin_url: str
    broker_url: str
    broker_password: str
    own: tuple[Server, ...]
    place: Place | None

    def stop(self) -> None:
        """Stop our own, the queue first."""
        for server in reversed(self.own):
            server.stop()


def system_root(env: Mapping[str, str]) -> Path:
    """Return where root's servers keep their state; OFRECORD_STATE_DIR moves it."""
    return Path(env.get("OFRECORD_STATE_DIR") or SYSTEM_ROOT)


def choose_servers(folder: DataFolder, secrets: Credentials, env: Mapping[str, str]) -> Servers:
    """Use the servers named in the environment, and embedded ones for the rest; nothing is started yet."""
    given = Settings.from_env(env, needs=())
    own: list[Server] = []
    place = (
        None if given.database_url and given.broker_url else locate(folder.root, system_root=system_root(env))
    )
    admin_url, keys_admin_url = given.database_url, given.keys_database_url
    if not admin_url and place:
        postgres = PostgresServer(
            place, password=secrets.read("postgres-password"), log=folder.log("postgresql")
        )
        admin_url = postgres.url(DATABASE)
        own.append(postgres)
    broker_url, broker_password = given.broker_url, ""
    if not broker_url and place:
        broker_password = secrets.read("valkey-password")
        valkey = ValkeyServer(place, password=broker_password, log=folder.log("valkey"))
        broker_url = valkey.url
        own.append(valkey)
    return Servers(
        admin_url=admin_url,
        keys_admin_url=keys_admin_url or keys_address(admin_url),
        broker_url=with_password(broker_url, broker_password),
        broker_password=broker_password,
        own=tuple(own),
        place=place,
    )
