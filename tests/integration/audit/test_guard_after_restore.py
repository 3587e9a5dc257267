"""A schema that reads differently after a restore: found out, left alone, and recorded anew on demand."""

from __future__ import annotations

from typing import Any

import psycopg

from audit.guarding import guard_problems
from cli.rooms import targets
from runtime.migrations import migrate
from tests.conftest import PASSWORDS

UNLIKE = (
    "alter table audit.tile drop constraint tile_position, add constraint tile_position check (level >= 0)"
)
ANOTHER = "the log's schema is not as the last announced change left it"


def problems(database: Any) -> list[str]:
    with psycopg.connect(database.url("auditor")) as connection:
        return guard_problems(connection)


def test_it_is_recorded_anew_only_on_demand_and_that_is_an_entry(database: Any) -> None:
    with psycopg.connect(database.admin_url) as connection:
        connection.execute("set local event_triggers = off")
        connection.execute(UNLIKE)
    assert problems(database) == [ANOTHER]
    assert migrate(targets(database.admin_url, database.keys_admin_url), PASSWORDS) == []
    assert problems(database) == [ANOTHER]
    again = targets(database.admin_url, database.keys_admin_url, restore_guard=True)
    files = migrate(again, PASSWORDS)
    assert [name.partition("/")[0] for name in files] == ["audit", "audit"]
    assert problems(database) == []
    with psycopg.connect(database.url("auditor")) as connection:
        count = "select count(*) from audit.entry where type = 'schema.change' and time > %s"
        newest = connection.execute("select max(time) from audit.entry").fetchone()
        assert newest is not None
        entered = connection.execute(count.replace(">", ">="), newest).fetchone()
    assert entered == (len(files),)
