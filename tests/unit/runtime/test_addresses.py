"""Addresses change in one part and keep the others, whatever characters a password holds."""

from __future__ import annotations

import psycopg
import pytest

from runtime.addresses import (
    database_of,
    with_database,
    with_password,
    with_role,
    without_password,
)

SOCKET = "postgresql://postgres@/ofrecord?host=%2Fvar%2Frun%2Fx"
NETWORK = "postgresql://admin:p%40ss@db.example:5433/main?sslmode=require"


@pytest.mark.parametrize("url", [SOCKET, NETWORK])
def test_role_and_password_as_libpq_reads_them(url: str) -> None:
    changed = with_password(with_role(url, "ofrecord_service"), "a b/@:%?#ü")
    read = psycopg.conninfo.conninfo_to_dict(changed)
    before = psycopg.conninfo.conninfo_to_dict(url)
    assert (read["user"], read["password"]) == ("ofrecord_service", "a b/@:%?#ü")
    assert {key: read.get(key) for key in ("host", "port", "dbname", "sslmode")} == {
        key: before.get(key) for key in ("host", "port", "dbname", "sslmode")
    }
    assert without_password(changed) == with_role(url, "ofrecord_service")


def test_database() -> None:
    assert database_of(SOCKET) == "ofrecord"
    assert database_of("postgresql://someone@db") == "someone"
    assert psycopg.conninfo.conninfo_to_dict(with_database(NETWORK, "x y"))["dbname"] == "x y"


def test_a_password_that_is_there_stays() -> None:
    assert with_password(NETWORK, "other") == NETWORK
    assert (
        with_password("redis+socket:///run/v.sock?virtual_host=0", "p")
        == "redis+socket://:p@/run/v.sock?virtual_host=0"
    )
    assert (
        without_password("redis+socket://:p@/run/v.sock?virtual_host=0")
        == "redis+socket://@/run/v.sock?virtual_host=0"
    )
