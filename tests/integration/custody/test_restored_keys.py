"""An old backup of the keys database brings erased keys back; the custodian destroys them again."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql

from audit.errors import PayloadErased
from tests.oracles.backups import dump, run


def put_back(database: Any, file: Path) -> None:
    """Replace the keys database by what was dumped, as an administrator does after a loss."""
    with psycopg.connect(database.server.url(), autocommit=True) as admin:
        admin.execute(sql.SQL("drop database {} with (force)").format(sql.Identifier(database.keys_name)))
    run("pg_restore", "--create", "--exit-on-error", f"--dbname={database.server.url()}", str(file))


def test_what_was_erased_since_the_backup_is_erased_again(
    house: Any, half_a_year: timedelta, tmp_path: Path
) -> None:
    erased, kept = house.decide("S-1"), house.decide("S-2")
    house.to(house.clock.now() + half_a_year)
    dump(house.database.keys_admin_url, tmp_path / "keys.dump")
    house.erase("S-1")
    house.turn()
    with pytest.raises(PayloadErased):
        house.log.open(house.log.read(erased))
    put_back(house.database, tmp_path / "keys.dump")
    for reopened in (house.log, house.keys):
        reopened.discard_broken_connections()
    assert house.log.open(house.log.read(erased)) == house.entries[erased]  # the backup resurrects it
    house.another_custodian().step()
    with pytest.raises(PayloadErased):
        house.log.open(house.log.read(erased))
    assert house.log.open(house.log.read(kept)) == house.entries[kept]


def test_a_backup_older_than_declared_needs_a_longer_look_back(
    house: Any, half_a_year: timedelta, tmp_path: Path
) -> None:
    erased = house.decide("S-1")
    house.to(house.clock.now() + half_a_year)
    dump(house.database.keys_admin_url, tmp_path / "keys.dump")
    house.erase("S-1")
    house.turn()
    house.to(house.clock.now() + timedelta(hours=36))
    put_back(house.database, tmp_path / "keys.dump")
    for reopened in (house.log, house.keys):
        reopened.discard_broken_connections()
    house.another_custodian(backup_days=0).step()
    assert house.log.open(house.log.read(erased)) == house.entries[erased]
    house.another_custodian(backup_days=1).step()
    with pytest.raises(PayloadErased):
        house.log.open(house.log.read(erased))
