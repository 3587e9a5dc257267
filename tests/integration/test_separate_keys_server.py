"""The keys database on a server of its own, as `docker-compose.yml` sets it up."""

from __future__ import annotations

from pathlib import Path

import psycopg
import pytest

from runtime.embedded.postgres import PostgresServer
from runtime.migrations import KEY_ROLES, LOGIN_ROLES, Source, Target, migrate

ROOT = Path(__file__).resolve().parents[2]
PASSWORDS = {role: f"test-only-{role}" for role in LOGIN_ROLES}


def test_roles_exist_on_both_servers(postgres_server: PostgresServer, other_server: PostgresServer) -> None:
    main = Target(postgres_server.url("apart_main"), (Source("audit", ROOT / "audit" / "sql"),))
    keys = Target(
        other_server.url("apart_keys"), (Source("audit/keys", ROOT / "audit" / "sql" / "keys"),), KEY_ROLES
    )
    assert migrate([main, keys], PASSWORDS) != []
    assert migrate([main, keys], PASSWORDS) == []
    for server, name in ((postgres_server, "apart_main"), (other_server, "apart_keys")):
        url = server.url(name, "ofrecord_worker", PASSWORDS["ofrecord_worker"])
        with psycopg.connect(url) as connection:
            assert connection.execute("select current_user").fetchone() == ("ofrecord_worker",)
    url = other_server.url("apart_keys", "ofrecord_integrator", PASSWORDS["ofrecord_integrator"])
    with pytest.raises(psycopg.OperationalError, match="permission denied"):
        psycopg.connect(url).close()
